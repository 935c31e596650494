/**
 * What the documentation shows is so: its code is in the examples, its links lead somewhere, and its commands print
 * what it says when they are run, one after another, beside a node of their own.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as net from "node:net"
import { dirname, join, resolve } from "node:path"
import { describe, expect, it } from "vitest"
import { makeDirectory, startNode } from "../cli/program.ts"
import { millrace } from "../support/program.ts"
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

/** A home of its own has no compiled code: programs that start there find the usual one. */
const { NODE_COMPILE_CACHE } = process.env
const keptCode = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }

/** `npx millrace` and `curl` as the commands of the documentation call them, whatever the machine has. */
const makeCommands = (directory: string): string => {
  const commands = join(directory, "commands")
  mkdirSync(commands)
  const script = (name: string, line: string) =>
    writeFileSync(join(commands, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 })
  script("npx", `shift\nexec '${process.execPath}' '${millrace}' "$@"`)
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

/** A block that does not end by then is ended, and has not printed what it should; one beside others has longer. */
const blockMillisMax = 60_000
const besideMillisMax = 110_000

/** A block whose commands run: what they have printed so far. */
class RunningBlock {
  readonly ended: Promise<string>
  printed = ""
  readonly #shell: ChildProcess
  #look: () => void = () => {}

  constructor(text: string, cwd: string, env: NodeJS.ProcessEnv, millisMax: number) {
    const shell = spawn("bash", ["-c", `exec 2>&1\n${text}`], { cwd, env, detached: true })
    this.#shell = shell
    const overdue = setTimeout(() => process.kill(-shell.pid!, "SIGKILL"), millisMax)
    shell.stdin.end()
    shell.stdout.on("data", (piece: Buffer) => {
      this.printed += piece.toString("utf8")
      this.#look()
    })
    this.ended = new Promise((done, failed) => {
      shell.on("error", failed)
      shell.on("close", () => {
        clearTimeout(overdue)
        done(this.printed)
        this.#look = () => {}
      })
    })
  }

  /** Resolves when what was printed matches, or when the commands have ended. */
  until(pattern: RegExp): Promise<unknown> {
    const matched = new Promise<void>((done) => {
      this.#look = () => {
        if (pattern.test(this.printed)) done()
      }
      this.#look()
    })
    return Promise.race([matched, this.ended])
  }

  async stop(): Promise<string> {
    if (this.#shell.exitCode === null && this.#shell.signalCode === null) process.kill(-this.#shell.pid!, "SIGINT")
    return this.ended
  }
}

const firstLineOf = (shown: string): RegExp =>
  new RegExp(patternOf(shown.slice(0, shown.indexOf("\n"))).source.replace(/\$$/, "\n"))

/** A port that nobody has now. */
const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, "close")
  return port
}

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
      const env = { PATH: `${makeCommands(makeDirectory())}:${process.env["PATH"]}`, HOME: cwd, ...keptCode }
      // Commands name the default ports; this node has others.
      const ofNode = [
        ["127.0.0.1:50051", grpc!.replace("grpc://", "")],
        ["127.0.0.1:9465", admin!.replace("http://", "")],
      ] as const
      // So have nodes that the commands start, which say so.
      const started = await Promise.all(
        [...new Set(text.match(/127\.0\.0\.1:5006\d/g))].map(
          async (place) => [place, `127.0.0.1:${await freePort()}`] as const,
        ),
      )
      const replaced = (places: ReadonlyArray<readonly [string, string]>, text: string) =>
        places.reduce((edited, [from, to]) => edited.replaceAll(from, to), text)
      const edit = (commands: string) => replaced([...ofNode, ...started], commands)
      const patternOfShown = (shown: string) => patternOf(replaced(started, shown))
      const beside: Array<{ readonly block: Block; readonly running: RunningBlock }> = []
      const check = (block: Block, printed: string): void => {
        if (block.output === undefined) expect(printed, `${path}:${block.line}`).toBe("")
        else expect(printed, `${path}:${block.line}`).toMatch(patternOfShown(block.output))
      }
      for (const block of blocksOf(text)) {
        const { mark } = block
        const output = replaced(started, block.output ?? "")
        if (mark !== "run" && mark !== "run until printed" && mark !== "run beside") continue
        const running = new RunningBlock(
          edit(block.text),
          cwd,
          env,
          mark === "run beside" ? besideMillisMax : blockMillisMax,
        )
        if (mark === "run beside") {
          // What it shows first says that it is there; the rest comes of what the blocks behind it do.
          await running.until(firstLineOf(output))
          beside.push({ block, running })
          continue
        }
        if (mark === "run until printed") {
          await running.until(patternOf(output))
          await running.stop()
        }
        check(block, await running.ended)
      }
      for (const { block, running } of beside) {
        await running.until(patternOfShown(block.output ?? ""))
        check(block, await running.stop())
      }
      expect((await node.command.stop()).code).toBe(0)
    },
    120_000,
  )
})
