/**
 * What the documentation shows is so: its code is in the examples, its links lead somewhere, and its commands print
 * what it says when they are run, one after another, beside a node of their own.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { spawn } from "node:child_process"
import { dirname, join, resolve } from "node:path"
import { describe, expect, it } from "vitest"
import { makeDirectory, startNode } from "../cli/program.ts"
import { anchorsOf, type Block, blocksOf, linksOf, regionOf } from "./markdown.ts"
import { projectFiles, root } from "./project.ts"

const pages = projectFiles().filter(({ path }) => path.endsWith(".md"))
const ours = pages.filter(({ path }) => path === "README.md" || path.startsWith("docs/"))

describe("every link in the documentation leads somewhere", () => {
  it.each(pages.map(({ path }) => path))("%s", (path) => {
    const { text } = pages.find((page) => page.path === path)!
    const dead = linksOf(text).filter((link) => {
      if (/^(https?|mailto):/.test(link)) return false
      const [target = "", anchor] = link.split("#")
      const file = target === "" ? join(root, path) : resolve(root, dirname(path), target)
      if (!existsSync(file)) return true
      return anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).has(anchor)
    })
    expect(dead).toEqual([])
  })
})

describe("code in the documentation is code of the examples", () => {
  const shown = ours.flatMap(({ path, text }) =>
    blocksOf(text)
      .filter(({ language }) => ["ts", "go", "python", "rust"].includes(language))
      .map((block) => ({ ...block, name: `${path}:${block.line}` })),
  )

  it.each(shown)("$name", ({ mark, text }) => {
    const [, path, region] = /^example: ([^#]+?)(?:#(.+))?$/.exec(mark ?? "") ?? []
    expect(path, "a block of code needs a mark that says where it is from").toBeDefined()
    expect(text).toBe(regionOf(readFileSync(join(root, path!), "utf8"), region))
  })
})

const printUrl = "fetch(process.argv.at(-1)).then((r) => r.text()).then((t) => process.stdout.write(t))"

/** `npx millrace` and `curl` as the commands of the documentation call them, whatever the machine has. */
const makeCommands = (directory: string): string => {
  const commands = join(directory, "commands")
  mkdirSync(commands)
  const script = (name: string, line: string) =>
    writeFileSync(join(commands, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  script("npx", `shift\nexec '${process.execPath}' '${join(root, "bin/millrace.js")}' "$@"`)
  script("curl", `exec '${process.execPath}' -e '${printUrl}' -- "$@"`)
  return commands
}

/** `…` in what is shown stands for anything within a line. */
const patternOf = (shown: string): RegExp =>
  new RegExp(
    `^${shown
      .split("…")
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join("[^\\n]*")}$`,
  )

/** A block that does not end by then is ended, and has not printed what it should. */
const blockMillisMax = 60_000

/** Runs a block's commands and gives all that they print; where it is so marked, only until that is what is shown. */
const runBlock = (block: Block, cwd: string, env: NodeJS.ProcessEnv, edit: (text: string) => string) =>
  new Promise<string>((done, failed) => {
    const shell = spawn("bash", ["-c", `exec 2>&1\n${edit(block.text)}`], { cwd, env, detached: true })
    const stopsWhenPrinted = block.mark === "run until printed"
    const overdue = setTimeout(() => process.kill(-shell.pid!, "SIGKILL"), blockMillisMax)
    let printed = ""
    let isStopped = false
    shell.stdin.end()
    shell.on("error", failed)
    shell.stdout.on("data", (piece: Buffer) => {
      printed += piece.toString("utf8")
      if (stopsWhenPrinted && !isStopped && patternOf(block.output ?? "").test(printed)) {
        isStopped = true
        process.kill(-shell.pid!, "SIGINT")
      }
    })
    shell.on("close", () => {
      clearTimeout(overdue)
      done(printed)
    })
  })

describe("commands in the documentation print what it shows", () => {
  const withCommands = ours.filter(({ text }) => blocksOf(text).some(({ mark }) => mark?.startsWith("run")))

  it("in the README and in the guide to nodes at least", () => {
    const paths = withCommands.map(({ path }) => path)
    expect(paths).toEqual(expect.arrayContaining(["README.md", "docs/guides/running-a-node.md"]))
  })

  it.each(withCommands.map(({ path }) => path))(
    "%s",
    async (path) => {
      const { text } = pages.find((page) => page.path === path)!
      const cwd = makeDirectory()
      const node = await startNode(cwd)
      const { grpc, admin } = node.report
      const env = { PATH: `${makeCommands(makeDirectory())}:${process.env["PATH"]}`, HOME: cwd }
      // Commands name the default ports; this node has others.
      const edit = (commands: string) =>
        commands
          .replaceAll("127.0.0.1:50051", grpc!.replace("grpc://", ""))
          .replaceAll("127.0.0.1:9465", admin!.replace("http://", ""))
      for (const block of blocksOf(text)) {
        if (block.mark !== "run" && block.mark !== "run until printed") continue
        const printed = await runBlock(block, cwd, env, edit)
        if (block.output === undefined) expect(printed, `${path}:${block.line}`).toBe("")
        else expect(printed, `${path}:${block.line}`).toMatch(patternOf(block.output))
      }
      expect((await node.command.stop()).code).toBe(0)
    },
    120_000,
  )
})
