/** Daemons whose disk is lost, or comes back as an old copy: what they had published is with a peer. */
import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, type Scope } from "effect"
import * as NodeId from "../../src/domain/NodeId.ts"
import { layerTopics } from "../../src/protocol/grpc/index.ts"
import { Topics } from "../../src/topics/Topics.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { millrace } from "../support/program.ts"
import { freePort } from "./Daemon.ts"
import * as Program from "./Program.ts"

const idOf = (device: string): NodeId.NodeId => ({ tenant: "t", line: "l", device })

interface Place {
  readonly device: string
  readonly data: string
  readonly url: string
}

const place = (device: string) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    return { device, data: join(directory, "data"), url: `grpc://127.0.0.1:${yield* freePort}` }
  })

/** Starts a daemon that syncs with another one, and succeeds when it is ready. */
const start = (
  { data, device, url }: Place,
  peer: Place,
  flags: ReadonlyArray<string> = [],
): Effect.Effect<Program.Program, Program.EndedTooEarly, Scope.Scope> =>
  Effect.gen(function* () {
    const node = ["--node", NodeId.format(idOf(device)), "--data", data, "--grpc", url.slice("grpc://".length)]
    const others = ["--peer", `${peer.url}=${NodeId.format(idOf(peer.device))}`, "--busrt", "off", "--admin", "off"]
    const program = yield* Program.start([millrace, "serve", ...node, ...others, ...flags], {})
    yield* program.until(({ stdout }) => stdout.toString("utf8").startsWith("millrace ready"))
    return program
  })

const topicsOf = ({ url }: Place) =>
  Effect.map(Layer.build(layerTopics({ url })), (services) => Context.get(services, Topics))

/** Daemons that are each other's peers, and the first run of one of them. */
const twoDaemons = Effect.gen(function* () {
  const [a, b] = [yield* place("a"), yield* place("b")]
  const first = yield* start(a, b, ["--heal-wait", "100ms"])
  yield* start(b, a)
  return { a, b, first, atA: yield* topicsOf(a), atB: yield* topicsOf(b) }
})

type TopicsService = Topics["Service"]

const publish = (topics: TopicsService, from: number, to: number) =>
  topics.publishAll(
    Array.from({ length: to - from + 1 }, (_, i) => ({ topic: "orders", payload: `order ${from + i}` })),
  )

/** Waits until a node has the log of another one up to an offset. */
const reaches = (topics: TopicsService, device: string, offset: number) =>
  topics
    .head("orders", idOf(device))
    .pipe(
      Effect.delay("50 millis"),
      Effect.repeat({ until: (head) => Option.getOrElse(head, () => 0) >= offset }),
      Effect.timeout("20 seconds"),
    )

const logOf = (topics: TopicsService, device: string) =>
  Effect.map(topics.fetch("orders", { origin: idOf(device), limit: 10_000 }), (messages) =>
    messages.map(({ createdAt, deleted, id, offset, payload }) => [
      offset,
      id,
      createdAt,
      deleted,
      new TextDecoder().decode(payload),
    ]),
  )

describe("a daemon that syncs", () => {
  it.live("has its own messages again after its disk was lost, and goes on behind them", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { a, atA, atB, b, first } = yield* twoDaemons
        yield* publish(atA, 1, 300)
        yield* atA.deleteRange("orders", 10, 20)
        yield* reaches(atB, "a", 300)
        const before = yield* logOf(atA, "a")
        yield* first.end("SIGKILL")
        rmSync(a.data, { recursive: true })
        yield* start(a, b)
        // At once: when it says that it is ready, it has all back.
        const [next] = yield* publish(atA, 301, 301)
        expect(next?.offset).toBe(301)
        expect((yield* logOf(atA, "a")).slice(0, 300)).toEqual(before)
        yield* reaches(atB, "a", 301)
        expect(yield* logOf(atB, "a")).toEqual(yield* logOf(atA, "a"))
      }),
    ),
  )

  it.live("takes its own messages from a peer for an old copy of its store only where it is told to", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { a, atA, atB, b, first } = yield* twoDaemons
        yield* publish(atA, 1, 50)
        yield* publish(atB, 1, 1)
        yield* reaches(atB, "a", 50)
        // From here on the store has been in step with its peer.
        yield* reaches(atA, "b", 1)
        yield* first.end("SIGTERM")
        cpSync(a.data, `${a.data}.old`, { recursive: true })
        const second = yield* start(a, b)
        yield* publish(atA, 51, 80)
        yield* reaches(atB, "a", 80)
        yield* second.end("SIGKILL")
        rmSync(a.data, { recursive: true })
        cpSync(`${a.data}.old`, a.data, { recursive: true })
        const third = yield* start(a, b)
        yield* third.until(({ stderr }) =>
          stderr.includes("has this node's own log of orders up to 80, and here it ends at 50"),
        )
        expect(Option.getOrThrow(yield* atA.head("orders"))).toBe(50)
        yield* third.end("SIGTERM")
        yield* start(a, b, ["--heal"])
        const [next] = yield* publish(atA, 81, 81)
        expect(next?.offset).toBe(81)
        yield* reaches(atB, "a", 81)
        expect(yield* logOf(atB, "a")).toEqual(yield* logOf(atA, "a"))
      }),
    ),
  )
})
