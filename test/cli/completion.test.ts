import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { makeDirectory, run } from "./program.ts"

describe("completion", () => {
  const cwd = makeDirectory()

  it("gives bash a script that completes commands and flags", async () => {
    const { stdout, code } = await run(["completion", "bash"], { cwd })
    expect(code).toBe(0)
    writeFileSync(join(cwd, "completion.bash"), stdout)
    const complete = (...words: ReadonlyArray<string>): ReadonlyArray<string> => {
      const script = `
        set -e
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}
        name=$(complete -p millrace | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        "$name" millrace "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}" || true
        printf '%s\\n' "\${COMPREPLY[@]}"`
      const output = execFileSync("bash", ["-c", script, "bash", join(cwd, "completion.bash"), ...words])
      return output
        .toString()
        .split("\n")
        .map((word) => word.trim())
        .filter((word) => word !== "")
    }
    expect(complete("millrace", "pub")).toEqual(["publish"])
    expect(complete("millrace", "publish", "--key-")).toEqual(["--key-prefix"])
    expect(complete("millrace", "subscribe", "--cur")).toEqual(["--cursor"])
    expect(complete("millrace", "sync", "")).toEqual(expect.arrayContaining(["status"]))
    expect(complete("millrace", "doctor", "resolve", "--ke")).toEqual(["--keep"])
    expect(complete("millrace", "cursor", "")).toEqual(expect.arrayContaining(["list", "reset", "delete"]))
    expect(complete("millrace", "completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]))
  })

  it.each(["zsh", "fish"])("gives %s a script, too", async (shell) => {
    const { stdout, code } = await run(["completion", shell], { cwd })
    expect(code).toBe(0)
    expect(stdout).toContain("millrace")
    expect(stdout).toContain("subscribe")
  })
})
