/**
 * The processes of a measurement: a broker or a relay, and drivers around it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Address, Command } from "./driver.ts"

const start = (module: string): ChildProcess =>
  fork(new URL(module, import.meta.url), { stdio: ["ignore", "inherit", "inherit", "ipc"] })

const answerOf = <A>(child: ChildProcess): Promise<A> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a process of the benchmark ended with ${code}`))
    child.once("exit", onExit)
    child.once("message", (message) => {
      child.off("exit", onExit)
      resolve(message as A)
    })
  })

/** One that sends or receives. */
export class Driver {
  readonly #child = start("./driver.ts")

  /** Resolves when it is done. */
  async run(command: Command): Promise<void> {
    const answer = answerOf(this.#child)
    this.#child.send(command)
    await answer
  }

  /** Resolves when it has begun, with what resolves when it is done. */
  async begin(command: Command): Promise<{ readonly done: Promise<unknown> }> {
    await this.run(command)
    return { done: answerOf(this.#child) }
  }

  stop(): void {
    this.#child.kill()
  }
}

/** One that stands between drivers, listening at a Unix socket and on a port of loopback. */
export class Middle {
  readonly unix: Address
  readonly tcp: Address
  readonly #child: ChildProcess
  readonly #directory: string

  private constructor(child: ChildProcess, directory: string, path: string, port: number) {
    this.#child = child
    this.#directory = directory
    this.unix = { path }
    this.tcp = { host: "127.0.0.1", port }
  }

  static async start(module: "./broker.ts" | "./relay.ts"): Promise<Middle> {
    const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
    const child = start(module)
    const path = join(directory, "bench.sock")
    const answer = answerOf<{ readonly port: number }>(child)
    child.send({ path })
    return new Middle(child, directory, path, (await answer).port)
  }

  stop(): void {
    this.#child.kill()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
