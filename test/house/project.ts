/**
 * The files of the project, as the tests of the house read them: what is tracked, and what is about to be.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../", import.meta.url))

export interface ProjectFile {
  /** From the root of the project, with slashes. */
  readonly path: string
  readonly text: string
}

/** Everything that git tracks or would track, apart from what a working tree has lost. */
export const projectFiles = (): ReadonlyArray<ProjectFile> =>
  execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
    .split("\0")
    .filter((path) => path !== "" && path !== "node_modules" && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))

/** Written by a generator: not for people, and not for their rules. */
export const isGenerated = (path: string): boolean => path.split("/").includes("gen")
