/**
 * The live plane over sockets, 100-byte payloads: sender, broker and receivers are processes of their own.
 *
 * Against the bare relay, frames are encoded before the clock starts and counted by their headers, so that it is the
 * broker that is measured. Against NATS both sides use their clients, as apps do.
 */
import { Qos } from "../../src/protocol/busrt/codec/qos.ts"
import type { Address, Frame } from "../exchange/commands.ts"
import { unaryPublishes } from "../baselines/bareGrpc.ts"
import { Driver, type DriverModule, hasNats, Middle, NatsServer, Node } from "../exchange/processes.ts"
import type { SuiteOptions } from "../main.ts"
import { type Alone, comparePair, type Measure, measureAlone, rate } from "../measure.ts"

const suite = "exchange"
const payloadBytes = 100
/** Unary publishes that wait for their answers. */
const unaryWindow = 256

interface Sending {
  readonly frame: Frame
  readonly count: number
  readonly qos?: Qos
  readonly window?: number
}

/** A sender and its receivers at one broker. */
class Line {
  readonly #sender: Driver
  readonly #receivers: ReadonlyArray<Driver>

  private constructor(sender: Driver, receivers: ReadonlyArray<Driver>) {
    this.#sender = sender
    this.#receivers = receivers
  }

  static async connect(module: DriverModule, address: Address, receivers = 1, filter?: string): Promise<Line> {
    const drivers = Array.from({ length: receivers }, () => new Driver(module))
    for (const [i, driver] of drivers.entries()) {
      const name = i === 0 ? "receiver" : `receiver${i}`
      await driver.run({ do: "connect", address, name, ...(filter === undefined ? {} : { filter }) })
    }
    const sender = new Driver(module)
    await sender.run({ do: "connect", address, name: "sender" })
    return new Line(sender, drivers)
  }

  /** Frames received in a second, of all receivers together. */
  async through({ frame, count, qos = Qos.no, window = 0 }: Sending): Promise<number> {
    const receiving = await Promise.all(this.#receivers.map((receiver) => receiver.begin({ do: "receive", count })))
    return rate(count * receiving.length, async () => {
      const sent = this.#sender.run({ do: "send", frame, count, payloadBytes, qos, window })
      await Promise.all([sent, ...receiving.map(({ done }) => done)])
    })
  }

  /** Acknowledged or answered in a second. */
  answered({ frame, count, qos = Qos.no, window = 0 }: Sending): Promise<number> {
    return rate(count, () => this.#sender.run({ do: "send", frame, count, payloadBytes, qos, window }))
  }

  /** From now on the receivers answer requests. */
  async answer(): Promise<void> {
    for (const receiver of this.#receivers) await receiver.run({ do: "answer" })
  }

  close(): void {
    this.#sender.stop()
    for (const receiver of this.#receivers) receiver.stop()
  }
}

const message: Frame = { type: "message", target: "receiver" }
const topic: Frame = { type: "publish", topic: "bench" }
const durable: Frame = { type: "publish", topic: "durable/bench" }
const ask: Frame = { type: "call", target: ".broker", method: "benchmark.test" }
const echo: Frame = { type: "call", target: "receiver", method: "echo" }

export const run = async ({ full, report, times }: SuiteOptions): Promise<void> => {
  const scale = full ? 5 : 1
  const broker = await Middle.start("./broker.ts")
  const relay = await Middle.start("./relay.ts")
  const nats = hasNats() ? await NatsServer.start() : undefined
  /** Ours and that of NATS, or ours alone where there is no NATS. */
  const besideNats = async (one: Alone, against: string, theirs: Measure | undefined): Promise<void> =>
    report(
      theirs === undefined
        ? await measureAlone(suite, one, times)
        : await comparePair(suite, { ...one, against, baseline: theirs }, times),
    )

  for (const kind of ["unix", "tcp"] as const) {
    const ours = await Line.connect("./driver.ts", broker[kind])
    const bare = await Line.connect("./driver.ts", relay[kind])
    const sending = { frame: message, count: 400_000 * scale }
    report(
      await comparePair(
        suite,
        {
          name: `direct ${kind}`,
          unit: "messages/s",
          against: "bare relay that only copies frames",
          ours: () => ours.through(sending),
          baseline: () => bare.through(sending),
        },
        times,
      ),
    )
    if (kind === "unix") {
      const processed = { frame: message, count: 200_000 * scale, qos: Qos.processed, window: 1024 }
      const name = "direct unix, processed"
      report(await measureAlone(suite, { name, unit: "messages/s", ours: () => ours.through(processed) }, times))
    }
    ours.close()
    bare.close()
  }

  for (const subscribers of [1, 10]) {
    const ours = await Line.connect("./millraceClient.ts", broker.tcp, subscribers, "bench")
    const theirs = nats && (await Line.connect("./natsClient.ts", nats.tcp, subscribers, "bench"))
    const sending = { frame: topic, count: Math.round((200_000 * scale) / subscribers / 1000) * 1000 }
    await besideNats(
      { name: `publish to ${subscribers}`, unit: "messages/s", ours: () => ours.through(sending) },
      "NATS core, nats.js",
      theirs && (() => theirs.through(sending)),
    )
    ours.close()
    theirs?.close()
  }

  const caller = await Line.connect("./millraceClient.ts", broker.tcp)
  const requester = nats && (await Line.connect("./natsClient.ts", nats.tcp))
  await caller.answer()
  await requester?.answer()
  const calling = { frame: echo, count: 256 * 80 * scale, window: 256 }
  await besideNats(
    { name: "rpc.call and handle", unit: "calls/s", ours: () => caller.answered(calling) },
    "NATS request and reply, nats.js",
    requester && (() => requester.answered(calling)),
  )
  const asking = { ...calling, frame: ask }
  report(
    await measureAlone(
      suite,
      { name: "rpc.call of .broker", unit: "calls/s", ours: () => caller.answered(asking) },
      times,
    ),
  )
  caller.close()
  requester?.close()
  broker.stop()
  relay.stop()
  nats?.stop()

  const node = await Node.start()
  const publisher = await Line.connect("./millraceClient.ts", node.tcp)
  const storing = { frame: durable, count: 20_000 * scale, qos: Qos.processed }
  report(
    await comparePair(
      suite,
      {
        name: "durable publish with ack",
        unit: "messages/s",
        against: "unary publish over gRPC, same node",
        ours: () => publisher.answered(storing),
        baseline: () => unaryPublishes(node.grpc, 5000 * scale, unaryWindow),
      },
      times,
    ),
  )
  publisher.close()
  await node.stop()
}
