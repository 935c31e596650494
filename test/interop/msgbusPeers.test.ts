/**
 * What the peers of msgbus.v1 rely on, which copy a node's logs and stop at the first that is not as it should be.
 */
import { expect, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { open, other, own } from "./MsgbusNode.ts"

// Real sockets on a machine that may be busy with other things.
vi.setConfig({ testTimeout: 30_000 })

const range = (to: number) => Array.from({ length: to }, (_, i) => `${i + 1}`)

it.live("every log that is listed can be fetched from 1 to its head, whatever was deleted", () =>
  Effect.gen(function* () {
    const { client, node } = yield* open()
    for (const topic of ["a", "b", "c"]) {
      yield* Effect.forEach(range(20), () => client.call("Publish", { topic }), { discard: true })
      yield* client.call("DeleteRange", { topic, from_head_id: 5, to_head_id: topic === "c" ? 20 : 9 })
    }
    yield* node.stop
    yield* node.start
    const { heads } = (yield* client.call("ListHeads")) as {
      readonly heads: ReadonlyArray<{ readonly topic: string; readonly origin: object; readonly head_id: string }>
    }
    expect(heads.map(({ topic }) => topic).toSorted()).toEqual(["$msgbus.delete", "a", "b", "c"])
    for (const { topic, origin, head_id } of heads) {
      expect(origin).toEqual(own)
      const messages = yield* client.all("Fetch", { topic, origin, limit: 10_000 })
      expect(messages.map(({ message }) => message!.head_id)).toEqual(range(Number(head_id)))
      for (const { message } of messages) expect(message).toMatchObject({ topic, origin })
    }
  }),
)

it.live("no id is given twice, whatever it is given to", () =>
  Effect.gen(function* () {
    const { client } = yield* open()
    const ids = yield* Effect.forEach(
      range(200),
      (n) =>
        Effect.map(
          Number(n) % 2 === 0
            ? client.call("Publish", { topic: `t/${Number(n) % 5}` })
            : client.call("EnqueueFifo", { queue: `q${Number(n) % 5}`, topic: "t", target: other }),
          ({ message }) => message!.id,
        ),
      { concurrency: 20 },
    )
    expect(new Set(ids).size).toBe(200)
  }),
)
