/**
 * The live plane over sockets, 100-byte payloads: sender, broker and receivers are processes of their own.
 */
import { type Command, type Frame } from "../exchange/driver.ts"
import { Driver, Middle } from "../exchange/processes.ts"
import type { SuiteOptions } from "../main.ts"
import { comparePair, rate } from "../measure.ts"

const payloadBytes = 100
const toReceiver: Frame = { type: "message", target: "receiver" }

/** A sender and its receivers at one broker, and how many frames a second come through. */
class Line {
  readonly #sender: Driver
  readonly #receivers: ReadonlyArray<Driver>

  private constructor(sender: Driver, receivers: ReadonlyArray<Driver>) {
    this.#sender = sender
    this.#receivers = receivers
  }

  static async connect(middle: Middle, kind: "unix" | "tcp", receivers = 1, filter?: string): Promise<Line> {
    const address = middle[kind]
    const drivers = Array.from({ length: receivers }, () => new Driver())
    const names = drivers.map((_, i) => (i === 0 ? "receiver" : `receiver${i}`))
    for (const [i, driver] of drivers.entries()) {
      await driver.run({ do: "connect", address, name: names[i]!, ...(filter === undefined ? {} : { filter }) })
    }
    const sender = new Driver()
    await sender.run({ do: "connect", address, name: "sender" })
    return new Line(sender, drivers)
  }

  /** Frames received in a second, of all receivers together. */
  async through(frame: Frame, count: number): Promise<number> {
    const receiving = await Promise.all(this.#receivers.map((receiver) => receiver.begin({ do: "receive", count })))
    const send: Command = { do: "send", frame, count, payloadBytes, qos: 0, window: 0 }
    return rate(count * receiving.length, async () => {
      await Promise.all([this.#sender.run(send), ...receiving.map(({ done }) => done)])
    })
  }

  close(): void {
    this.#sender.stop()
    for (const receiver of this.#receivers) receiver.stop()
  }
}

export const run = async ({ full, report }: SuiteOptions): Promise<void> => {
  const times = full ? 9 : 5
  const count = full ? 2_000_000 : 400_000
  const broker = await Middle.start("./broker.ts")
  const relay = await Middle.start("./relay.ts")
  for (const kind of ["unix", "tcp"] as const) {
    const ours = await Line.connect(broker, kind)
    const bare = await Line.connect(relay, kind)
    report(
      await comparePair(
        "exchange",
        {
          name: `direct ${kind}`,
          unit: "messages/s",
          against: "bare relay that only copies frames",
          ours: () => ours.through(toReceiver, count),
          baseline: () => bare.through(toReceiver, count),
        },
        times,
      ),
    )
    ours.close()
    bare.close()
  }
  broker.stop()
  relay.stop()
}
