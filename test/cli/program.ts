/**
 * The real program as child processes: commands that run to their end, and nodes that are started, asked and stopped.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, vi } from "vitest"
import { millrace } from "../support/program.ts"

// Programs take their time to start where many start at once.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly bytes: Buffer
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd: string
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
}

/** No setting of the machine that the tests run on gets in. */
const environment = (extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(MILLRACE|OTEL)_/.test(name))),
  ...extra,
})

/** A running command: what it has printed so far, and how it ended. */
export class Running {
  readonly process: ChildProcess
  readonly ended: Promise<Outcome>
  readonly #stdout: Array<Buffer> = []
  readonly #stderr: Array<Buffer> = []
  readonly #watchers = new Set<() => void>()
  #hasEnded = false

  constructor(args: ReadonlyArray<string>, options: RunOptions) {
    const child = spawn(process.execPath, [millrace, ...args], {
      cwd: options.cwd,
      env: environment(options.env),
      stdio: "pipe",
    })
    this.process = child
    for (const [stream, pieces] of [
      [child.stdout, this.#stdout],
      [child.stderr, this.#stderr],
    ] as const) {
      stream.on("data", (piece: Buffer) => {
        pieces.push(piece)
        for (const watcher of this.#watchers) watcher()
      })
    }
    this.ended = once(child, "close").then(() => {
      this.#hasEnded = true
      for (const watcher of this.#watchers) watcher()
      return {
        code: child.exitCode,
        signal: child.signalCode,
        bytes: Buffer.concat(this.#stdout),
        stdout: this.stdout,
        stderr: this.stderr,
      }
    })
    // A command that ends without reading its input closes it.
    child.stdin.on("error", () => {})
    if (options.input !== undefined) child.stdin.end(options.input)
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString("utf8")
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString("utf8")
  }

  write(input: string | Uint8Array): void {
    this.process.stdin!.write(input)
  }

  closeInput(): void {
    this.process.stdin!.end()
  }

  /** Resolves when what was printed satisfies the condition; fails where the command ends before. */
  until(condition: (running: this) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (condition(this)) resolve()
        else if (this.#hasEnded) reject(new Error(`ended too early: ${this.stdout}${this.stderr}`))
        else return
        this.#watchers.delete(look)
      }
      this.#watchers.add(look)
      look()
    })
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Outcome> {
    this.process.kill(signal)
    return this.ended
  }
}

const running = new Set<Running>()
const directories: Array<string> = []

afterAll(async () => {
  for (const command of running) command.process.kill("SIGKILL")
  await Promise.all([...running].map((command) => command.ended))
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** A directory of its own, gone after the tests. */
export const makeDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-cli-"))
  directories.push(directory)
  return directory
}

export const start = (args: ReadonlyArray<string>, options: RunOptions): Running => {
  const command = new Running(args, options)
  running.add(command)
  void command.ended.finally(() => running.delete(command))
  return command
}

/** Runs a command to its end; its standard input is empty unless told otherwise. */
export const run = (args: ReadonlyArray<string>, options: RunOptions): Promise<Outcome> =>
  start(args, { input: "", ...options }).ended

export interface NodeProcess {
  readonly command: Running
  readonly cwd: string
  /** What the ready line says. */
  readonly report: Readonly<Record<string, string>>
}

/** Ports that nobody else has. */
export const anyPorts = ["--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0"]

/** Starts a node in a directory and waits until it is ready. */
export const startNode = async (
  cwd: string,
  args: ReadonlyArray<string> = [],
  options: Omit<RunOptions, "cwd"> = {},
): Promise<NodeProcess> => {
  const command = start(["serve", ...anyPorts, "--json", ...args], { cwd, ...options })
  await command.until(({ stdout }) => stdout.includes("\n"))
  return { command, cwd, report: JSON.parse(command.stdout) as Record<string, string> }
}
