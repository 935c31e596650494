/**
 * What the processes of a measurement are told to do, whatever they speak.
 */
import type { Qos } from "../../src/protocol/busrt/codec/qos.ts"

export type Address = { readonly path: string } | { readonly host: string; readonly port: number }

export type Frame =
  | { readonly type: "message"; readonly target: string }
  | { readonly type: "publish"; readonly topic: string }
  | { readonly type: "call"; readonly target: string; readonly method: string }

export type Command =
  | { readonly do: "connect"; readonly address: Address; readonly name: string; readonly filter?: string }
  /** Is answered with `ready`, and with `done` when so many have come since the last command. */
  | { readonly do: "receive"; readonly count: number }
  /** Is answered with `done` when all is written, or as many acks or replies have come as were asked for. */
  | {
      readonly do: "send"
      readonly frame: Frame
      readonly count: number
      readonly payloadBytes: number
      readonly qos: Qos
      /** How many wait for their acks or replies, at most. */
      readonly window: number
    }
  /** From now on requests are answered with their parameters. */
  | { readonly do: "answer" }

/** Does what it is told by the process that started it, and says so. */
export const obey = (run: (command: Command, ready: () => void) => Promise<void>): void => {
  process.on("message", (command: Command) => {
    void run(command, () => process.send!("ready")).then(() => process.send!("done"))
  })
  process.on("disconnect", () => process.exit(0))
}

/** Counts what comes, and tells who waits for a number of them. */
export class Count {
  #count = 0
  #until = Number.POSITIVE_INFINITY
  #resolve: () => void = () => {}

  add(count: number): void {
    this.#count += count
    if (this.#count < this.#until) return
    this.#until = Number.POSITIVE_INFINITY
    this.#resolve()
  }

  /** Resolves when so many more have come. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#until = this.#count + count
      this.#resolve = resolve
    })
  }
}

/** Calls something so many times, so many at a time. */
export const inFlight = async (count: number, window: number, call: () => Promise<unknown>): Promise<void> => {
  let left = count
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left--
      await call()
    }
  }
  await Promise.all(Array.from({ length: window }, caller))
}
