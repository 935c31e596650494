/**
 * Generates the TypeScript of the protocol definitions in `proto/` into `src/protocol/grpc/gen`, which is committed.
 *
 *     node scripts/generate.ts            writes it
 *     node scripts/generate.ts --check    exits 1 where what is committed differs
 *
 * Works offline: `buf` and its plugin are packages of this repository.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"

const root = path.join(import.meta.dirname, "..")
const committed = path.join(root, "src/protocol/grpc")
const generated = "gen"

/** Every file under a directory with its text, by its path there. */
const read = (directory: string): Map<string, string> =>
  new Map(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = path.join(entry.parentPath, entry.name)
        return [path.relative(directory, file), readFileSync(file, "utf8")]
      }),
  )

const buf = (...args: ReadonlyArray<string>): void => {
  execFileSync(path.join(root, "node_modules/.bin/buf"), args, {
    cwd: root,
    stdio: "inherit",
    // The plugin is started by the name `node`: it shall be this one.
    env: { ...process.env, PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env["PATH"]}` },
  })
}

/** Which files differ between what is committed and what the definitions give now. */
export const drift = (): ReadonlyArray<string> => {
  const directory = mkdtempSync(path.join(tmpdir(), "millrace-generate-"))
  try {
    // The paths in buf.gen.yaml are relative to where the output goes.
    buf("generate", "--output", directory)
    const now = read(path.join(directory, "src/protocol/grpc", generated))
    const before = read(path.join(committed, generated))
    return [...new Set([...now.keys(), ...before.keys()])].filter((file) => now.get(file) !== before.get(file))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const lint = (): void => buf("lint")

if (import.meta.main) {
  lint()
  if (process.argv.includes("--check")) {
    const files = drift()
    for (const file of files) process.stderr.write(`${file} differs from what proto/ gives: run npm run generate\n`)
    process.exitCode = files.length === 0 ? 0 : 1
  } else {
    buf("generate")
  }
}
