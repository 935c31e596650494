/**
 * What it costs the routing core to route a frame, without any socket: payloads of 100 bytes, to clients that take them
 * and keep nothing.
 *
 *     node bench/micro/exchange.ts [--json] [--times N] [--frames N]
 */
import { parseArgs } from "node:util"
import type { LiveFrame } from "../../src/exchange/LiveFrame.ts"
import type { Member } from "../../src/exchange/Member.ts"
import type { Outlet } from "../../src/exchange/Outlet.ts"
import { isRefusal } from "../../src/exchange/registration.ts"
import { RoutingCore } from "../../src/exchange/RoutingCore.ts"
import { measureAlone, rate } from "../measure.ts"

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    times: { type: "string", default: "9" },
    frames: { type: "string", default: "1000000" },
  },
})
const times = Number(values.times)
const count = Number(values.frames)

/** Frames of one chunk: who drives the core flushes after each. */
const chunk = 500
const payload = Buffer.alloc(100, "x")

/** Takes whatever comes. */
class Sink implements Outlet {
  taken = 0
  offer = (_frame: LiveFrame): boolean => {
    this.taken++
    return true
  }
  flush = (): void => {}
  close = (): void => {}
  queued = (): number => 0
  isCrowded = (): boolean => false
  whenEased = (resume: () => void): void => resume()
}

const join = (core: RoutingCore, name: string, outlet = new Sink()): Member => {
  const member = core.register(name, { outlet, kind: "internal" })
  if (isRefusal(member)) throw new Error(member.message)
  return member
}

/** A core with so many clients, each of which wants a topic of its own, and the first of them one that all want. */
const exchange = (clients: number, subscribers: number) => {
  const core = new RoutingCore()
  const sink = new Sink()
  const members = Array.from({ length: clients }, (_, i) => join(core, `bench.receiver.${i}`, sink))
  for (const [i, member] of members.entries()) {
    core.subscribe(member, `own/${i}/#`)
    if (i < subscribers) core.subscribe(member, "sensors/+/temperature")
  }
  return { core, sink, sender: join(core, "bench.sender") }
}

const settle = (): void => {}

interface Way {
  readonly name: string
  readonly subscribers: number
  readonly send: (core: RoutingCore, from: Member, i: number) => void
}

const targets = Array.from({ length: 100 }, (_, i) => `bench.receiver.${i}`)
const topics = Array.from({ length: 100 }, (_, i) => `sensors/${i}/temperature`)

const publish = (subscribers: number): Way => ({
  name: `publish to ${subscribers}`,
  subscribers,
  send: (core, from, i) => core.publish(from, topics[i % topics.length]!, payload, false, false, settle),
})

const ways: ReadonlyArray<Way> = [
  {
    name: "direct message",
    subscribers: 0,
    send: (core, from, i) => core.send(from, targets[i % targets.length]!, payload, false, false),
  },
  {
    name: "broadcast to 100",
    subscribers: 0,
    send: (core, from) => core.broadcast(from, "bench.receiver.*", payload, false, false),
  },
  publish(1),
  publish(10),
  publish(100),
]

for (const { name, send, subscribers } of ways) {
  const { core, sender, sink } = exchange(100, subscribers)
  const recipients = name.endsWith("100") ? 100 : Math.max(1, subscribers)
  const frames = Math.ceil(count / recipients)
  const row = await measureAlone(
    "micro exchange",
    {
      name,
      unit: "frames/s",
      ours: () =>
        rate(frames, () => {
          sink.taken = 0
          for (let i = 0; i < frames; i++) {
            send(core, sender, i)
            if (i % chunk === 0) core.flush()
          }
          core.flush()
          if (sink.taken !== frames * recipients)
            throw new Error(`${sink.taken} frames came instead of ${frames * recipients}`)
        }),
    },
    times,
  )
  const delivered = row.value * recipients
  if (values.json) console.log(JSON.stringify({ ...row, delivered }))
  else {
    const shown = (value: number): string => Math.round(value).toLocaleString("en").padStart(12)
    console.log(`${name.padEnd(18)} ${shown(row.value)} routed/s ${shown(delivered)} delivered/s`)
  }
}
