/**
 * What a source file imports, read off its text. Type imports are told from imports that run, and files that are only
 * named, such as a thread's program in `new URL("./thread.ts", …)`, count too: they are loaded after all.
 */
import { posix } from "node:path"

export interface Import {
  /** The importing file, from the root of the project: `src/topics/layer.ts`. */
  readonly from: string
  /** The imported file likewise, or a package as it was written: `effect/Layer`, `node:fs`. */
  readonly to: string
  /** `type` is gone when the program runs; `run` is loaded with its importer, or by it; `name` is loaded elsewhere. */
  readonly kind: "type" | "run" | "name"
}

const statement =
  /^(?:import|export)\s+(?<type>type\s+)?(?:(?:\{[^}]*\}|\*(?:\s+as\s+\w+)?|\w+(?:\s*,\s*\{[^}]*\})?)\s+from\s+)?"(?<target>[^"]+)"/gm
const call = /(?<type>typeof\s+)?import\(\s*"(?<target>[^"]+)"/g
const relativeName = /"(?<target>\.{1,2}\/[^"\n]+\.ts)"/g

/** Comments are no imports, examples in them neither. */
const withoutComments = (text: string): string => text.replace(/^\s*(?:\/\/.*|\/\*[\s\S]*?\*\/)/gm, "")

const resolved = (from: string, target: string): string =>
  target.startsWith(".") ? posix.join(posix.dirname(from), target) : target

/** All imports of one file, each target once for each kind. */
export const importsOf = (file: string, text: string): ReadonlyArray<Import> => {
  const code = withoutComments(text)
  const found = new Map<string, Import>()
  const add = (target: string, kind: Import["kind"]) => {
    const to = resolved(file, target)
    found.set(`${kind} ${to}`, { from: file, to, kind })
  }
  for (const pattern of [statement, call]) {
    for (const { groups } of code.matchAll(pattern)) {
      add(groups!["target"]!, groups!["type"] === undefined ? "run" : "type")
    }
  }
  for (const { groups } of code.matchAll(relativeName)) {
    const to = resolved(file, groups!["target"]!)
    if (!found.has(`run ${to}`) && !found.has(`type ${to}`)) add(groups!["target"]!, "name")
  }
  return [...found.values()]
}
