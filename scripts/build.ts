/**
 * Makes the publishable `dist`: JavaScript and type declarations of everything in `src`, with imports that end in `.js`.
 */
import { execFileSync } from "node:child_process"
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc")

rmSync(join(root, "dist"), { recursive: true, force: true })
execFileSync(process.execPath, [compiler, "--project", join(root, "scripts", "tsconfig.build.json")], {
  cwd: root,
  stdio: "inherit",
})

// The compiler rewrites the imports of what runs, not those of declarations.
for (const path of globSync("dist/**/*.d.ts", { cwd: root })) {
  const file = join(root, path)
  const declarations = readFileSync(file, "utf8")
  writeFileSync(file, declarations.replace(/(from |import |import\()"(\.{1,2}\/[^"]*)\.ts"/g, '$1"$2.js"'))
}
