/**
 * The Python clients of BUS/RT as they are published, put in a directory of their own, and programs that use them.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"

/** Both are from the authors of BUS/RT. */
const packages = ["busrt==0.1.2", "busrt-async==0.1.3", "msgpack==1.1.2"]

const python = "python3"
const isThere = spawnSync(python, ["-m", "pip", "--version"]).status === 0

/** Where all is checked, Python must be there. */
export const skipsPython = !isThere && process.env["CI"] !== "true"

const programs = fileURLToPath(new URL("./python/", import.meta.url))

/** Installs the clients before the tests of a file, and runs programs with them. */
export const withPythonClients = () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-python-"))
  const running = new Set<ChildProcess>()
  beforeAll(async () => {
    const install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", directory, ...packages]
    await promisify(execFile)(python, install, { timeout: 240_000 })
  }, 250_000)
  afterAll(() => {
    for (const child of running) child.kill("SIGKILL")
    rmSync(directory, { recursive: true, force: true })
  })

  /** Starts a program of `python/`, or one elsewhere; what it prints comes line by line. */
  const start = (program: string, ...args: ReadonlyArray<string>): PythonProgram => {
    const env = { ...process.env, PYTHONPATH: directory, PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1" }
    const child = spawn(python, [resolve(programs, program), ...args], { env })
    running.add(child)
    const started = new PythonProgram(child)
    void started.ended.finally(() => running.delete(child))
    return started
  }
  return { directory, start }
}

export class PythonProgram {
  #printed = ""
  #told = ""
  readonly #process: ChildProcess
  readonly #watchers = new Set<() => void>()
  /** How it ended, what it printed, and what it complained of. */
  readonly ended: Promise<{
    readonly code: number | null
    readonly lines: ReadonlyArray<string>
    readonly told: string
  }>

  constructor(child: ChildProcess) {
    this.#process = child
    child.stdout!.on("data", (piece: Buffer) => {
      this.#printed += piece.toString()
      for (const watcher of this.#watchers) watcher()
    })
    child.stderr!.on("data", (piece: Buffer) => (this.#told += piece.toString()))
    this.ended = once(child, "close").then(() => ({
      code: child.exitCode,
      lines: this.#printed.trimEnd().split("\n"),
      told: this.#told,
    }))
  }

  /** Resolves when a line has been printed; fails where the program ends before. */
  async until(line: string): Promise<void> {
    const printed = new Promise<boolean>((resolve) => {
      const look = (): void => {
        if (this.#printed.split("\n").includes(line)) resolve(true)
      }
      this.#watchers.add(look)
      look()
    })
    if (await Promise.race([printed, this.ended.then(() => false)])) return
    throw new Error(`the program ended too early: ${this.#printed}${this.#told}`)
  }

  kill(): void {
    this.#process.kill("SIGKILL")
  }
}
