/**
 * A node with a SQLite file, in a process of its own and served over gRPC, that publishes when it is told to.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("./servedProgram.ts", import.meta.url))

/** Where it is. */
export interface Ready {
  readonly url: string
}

/** What it is told to publish: in batches, or one message after the other. */
export type Command =
  | { readonly kind: "batches"; readonly topic: string; readonly count: number }
  | { readonly kind: "lone"; readonly topic: string; readonly count: number; readonly pauseMillis: number }

/** When a message was published, in milliseconds of a clock that all processes of the machine share. */
export interface Published {
  readonly began: number
  readonly resolved: number
}

/** The time by that clock. */
export const sharedMillis = (): number => Number(process.hrtime.bigint()) / 1e6

export class ServedNode {
  readonly #process: ChildProcess
  readonly url: string

  private constructor(process: ChildProcess, url: string) {
    this.#process = process
    this.url = url
  }

  static async start(): Promise<ServedNode> {
    const process = fork(program, { execArgv: globalThis.process.execArgv })
    const [{ url }] = (await once(process, "message")) as [Ready]
    return new ServedNode(process, url)
  }

  /** Publishes, and gives when each lone message was. */
  async publish(command: Command): Promise<ReadonlyArray<Published>> {
    const answer = once(this.#process, "message")
    this.#process.send(command)
    const [published] = (await answer) as [ReadonlyArray<Published>]
    return published
  }

  async stop(): Promise<void> {
    this.#process.disconnect()
    await once(this.#process, "exit")
  }
}
