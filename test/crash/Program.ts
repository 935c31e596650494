/**
 * A program of this repository as a child process that lives no longer than the scope it was started in: whatever
 * becomes of a test, nothing that it started outlives it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { Effect, Schema, type Scope } from "effect"
import { millrace, quickly } from "../support/program.ts"

/** A program ended while something was still expected of it. The message has what it said. */
export class EndedTooEarly extends Schema.TaggedError<EndedTooEarly>("millrace/test/EndedTooEarly")("EndedTooEarly", {
  message: Schema.String,
}) {}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ProgramOptions {
  readonly cwd?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** A command that runs it, and is it then: `ip netns exec NAME`. */
  readonly within?: ReadonlyArray<string> | undefined
  /** Flags for Node itself. */
  readonly nodeFlags?: ReadonlyArray<string> | undefined
  /** Told of each message that the program sends by `process.send`. */
  readonly onMessage?: ((message: unknown) => void) | undefined
}

/** The path of a file beside the module that names it: `pathTo(import.meta.url, "./app.ts")`. */
export const pathTo = (moduleUrl: string, relative: string): string => fileURLToPath(new URL(relative, moduleUrl))

/** No setting of the machine that the tests run on gets in. */
const environment = (extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MILLRACE_"))),
  ...extra,
})

export class Program {
  readonly #process: ChildProcess
  readonly #stdout: Array<Buffer> = []
  #stdoutBytes = 0
  #stderr = ""
  #wasSignalled = false
  #ended: Ended | undefined
  #error: string | undefined
  readonly #watchers = new Set<() => void>()

  constructor(args: ReadonlyArray<string>, options: ProgramOptions) {
    const { cwd, env = {}, nodeFlags = [], onMessage, within = [] } = options
    const node = [process.execPath, ...nodeFlags, ...(args[0] === millrace ? [] : quickly), ...args]
    const [command = "", ...rest] = [...within, ...node]
    const child = spawn(command, rest, {
      ...(cwd === undefined ? {} : { cwd }),
      env: environment(env),
      stdio: onMessage === undefined ? ["pipe", "pipe", "pipe"] : ["pipe", "pipe", "pipe", "ipc"],
    })
    this.#process = child
    if (onMessage !== undefined) child.on("message", onMessage)
    child.stdout!.on("data", (piece: Buffer) => {
      this.#stdout.push(piece)
      this.#stdoutBytes += piece.length
      this.#changed()
    })
    child.stderr!.on("data", (piece: Buffer) => {
      this.#stderr += piece.toString("utf8")
      this.#changed()
    })
    // A program that ends before it has read its input closes it.
    child.stdin!.on("error", () => {})
    child.on("error", (error) => {
      this.#error = error.message
    })
    child.on("close", (code, signal) => {
      this.#ended = { code, signal }
      this.#changed()
    })
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  get stdoutBytes(): number {
    return this.#stdoutBytes
  }

  /** What it has printed so far. */
  get stdout(): Buffer {
    return Buffer.concat(this.#stdout)
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Whether somebody here has sent it a signal. */
  get wasSignalled(): boolean {
    return this.#wasSignalled
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined
  }

  /** Succeeds when the program has ended and all that it printed is here. */
  readonly ended: Effect.Effect<Ended> = Effect.map(
    this.#wait(() => this.#ended !== undefined),
    () => this.#ended!,
  )

  /** Succeeds when the condition holds; it is looked at whenever something was printed. */
  until(condition: (program: this) => boolean): Effect.Effect<void, EndedTooEarly> {
    return Effect.flatMap(
      this.#wait(() => condition(this) || this.#ended !== undefined),
      () =>
        condition(this)
          ? Effect.void
          : Effect.fail(
              new EndedTooEarly({
                message: `ended too early (${JSON.stringify(this.#ended)}): ${this.#error ?? ""}${this.stdout.toString("utf8").slice(-2000)}${this.#stderr}`,
              }),
            ),
    )
  }

  #wait(condition: () => boolean): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const look = () => {
        if (!condition()) return
        this.#watchers.delete(look)
        resume(Effect.void)
      }
      this.#watchers.add(look)
      look()
      return Effect.sync(() => this.#watchers.delete(look))
    })
  }

  /** Sends a message to the program's `process.on("message")`. */
  send(message: Readonly<Record<string, unknown>>): void {
    this.#process.send(message)
  }

  write(input: Uint8Array | string): void {
    this.#process.stdin!.write(input)
  }

  closeInput(): void {
    this.#process.stdin!.end()
  }

  signal(signal: NodeJS.Signals): void {
    if (this.hasEnded) return
    this.#wasSignalled = true
    this.#process.kill(signal)
  }

  /** Signals, and succeeds when the program is gone. */
  end(signal: NodeJS.Signals): Effect.Effect<Ended> {
    return Effect.suspend(() => {
      this.signal(signal)
      return this.ended
    })
  }
}

// For a test runner that ends at once, and closes no scopes.
const running = new Set<Program>()
process.once("exit", () => {
  for (const program of running) program.signal("SIGKILL")
})

/** Starts Node on a script with arguments. When the scope closes the program is killed, if it has not ended yet. */
export const start = (
  args: ReadonlyArray<string>,
  options: ProgramOptions = {},
): Effect.Effect<Program, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const program = new Program(args, options)
      running.add(program)
      return program
    }),
    (program) =>
      Effect.andThen(
        program.end("SIGKILL"),
        Effect.sync(() => running.delete(program)),
      ),
  )

/** Runs a program to its end, without input. */
export const run = (args: ReadonlyArray<string>, options?: ProgramOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const program = yield* start(args, options)
      program.closeInput()
      const ended = yield* program.ended
      return { ...ended, stdout: program.stdout, stderr: program.stderr }
    }),
  )
