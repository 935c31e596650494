/** Bugs planted on purpose, each an edit of the project's own source, in a copy of it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Bug {
  /** Under `src`. */
  readonly file: string
  /** What stands there, once, and what stands there instead. */
  readonly edit: readonly [right: string, wrong: string]
}

/** A copy of parts of `src` with a bug: `load` imports a module of it; `dispose` when it is no longer needed. */
export const plantIn = (parts: ReadonlyArray<string>, { edit, file }: Bug) => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-planted-"))
  for (const part of parts) cpSync(join(root, "src", part), join(directory, part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
  const path = join(directory, file)
  const source = readFileSync(path, "utf8")
  const [before, after, ...more] = source.split(edit[0])
  if (after === undefined || more.length > 0) throw new Error(`${file} does not hold this once: ${edit[0]}`)
  writeFileSync(path, before + edit[1] + after)
  return {
    load: (module: string): Promise<unknown> => import(/* @vite-ignore */ join(directory, module)),
    dispose: () => rmSync(directory, { recursive: true }),
  }
}
