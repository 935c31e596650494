/**
 * One pass over all that a peer has: who it is, what it has, and what is missing here, log by log. A log that something
 * is wrong with holds up no other. Whatever is interrupted is begun again at the next pass, from what is stored.
 *
 * A deletion that comes with a log's messages is applied before its marker is stored: after a crash between the two the
 * marker comes again, and a range that is deleted twice is deleted.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { DeleteMarker } from "../../domain/DeleteMarker.ts"
import type { OffsetConflict, OffsetGap, Unavailable, WriteFailure } from "../../domain/errors.ts"
import * as NodeId from "../../domain/NodeId.ts"
import { deleteMarkers } from "../../domain/Topic.ts"
import type { ReadError, Replica } from "../../topics/index.ts"
import { PeerMisbehaved, PeerRefused } from "../errors.ts"
import type { Peer, PeerMessage, PeerUnreachable } from "../Peer.ts"
import type { PeerSettings } from "../PeerSettings.ts"
import { plan, type Wanted } from "./plan.ts"
import type { SyncStates } from "./SyncStates.ts"
import { vet } from "./vetting.ts"

type LogFailure = PeerUnreachable | PeerMisbehaved | OffsetConflict | OffsetGap | WriteFailure | Unavailable

export type PassFailure = PeerUnreachable | PeerRefused | ReadError

/** How a pass went. */
export interface PassResult {
  /** Messages that were new. */
  readonly accepted: number
  /** Logs that could not be got. */
  readonly failed: number
}

const readMarker = Schema.decodeUnknownOption(DeleteMarker)
const decoder = new TextDecoder()

/** The range that a marker deletes, where it is one of its own node's. */
const deletionOf = ({ payload, origin, deleted }: PeerMessage) => {
  if (deleted) return undefined
  const marker = readMarker(decoder.decode(payload))
  if (marker._tag === "None") return undefined
  const { topic, origin: named, from_head_id: from, to_head_id: to } = marker.value
  const owner = { tenant: named.tenant_id, line: named.bl_name, device: named.device_id }
  return NodeId.equals(owner, origin) && from <= to ? { log: { topic, origin }, from, to } : undefined
}

export class PeerSync {
  readonly #peer: Peer
  readonly #replica: Replica["Service"]
  readonly #settings: PeerSettings
  readonly #states: SyncStates

  constructor(peer: Peer, replica: Replica["Service"], settings: PeerSettings, states: SyncStates) {
    this.#peer = peer
    this.#replica = replica
    this.#settings = settings
    this.#states = states
  }

  /** Gets all that is missing here. */
  readonly pass: Effect.Effect<PassResult, PassFailure> = Effect.gen({ self: this }, function* () {
    yield* this.#identified
    const remote = yield* this.#peer.heads
    const local = yield* this.#replica.heads
    const { wanted, alarms, equal } = plan({
      self: this.#replica.node,
      local,
      remote,
      origins: this.#settings.origins,
    })
    const now = yield* Clock.currentTimeMillis
    this.#states.keep(this.#peer.name, [...wanted, ...alarms, ...equal])
    for (const one of equal) this.#states.succeeded(this.#peer.name, one, one.localHead, now)
    for (const { error, ...one } of alarms) this.#states.failed(this.#peer.name, one, error.message, now)
    let accepted = 0
    let failed = alarms.length
    for (const one of wanted) {
      const got = yield* Effect.result(this.#get(one))
      const at = yield* Clock.currentTimeMillis
      if (got._tag === "Success") {
        accepted += got.success
        this.#states.succeeded(this.#peer.name, one, one.remoteHead, at)
      } else {
        failed++
        this.#states.failed(this.#peer.name, one, got.failure.message, at)
        // Nothing else will go better.
        if (got.failure._tag === "PeerUnreachable") return yield* got.failure
      }
    }
    return { accepted, failed }
  })

  get #identified(): Effect.Effect<void, PeerUnreachable | PeerRefused> {
    return Effect.flatMap(this.#peer.identity, (identity): Effect.Effect<void, PeerRefused> => {
      const who = NodeId.format(identity)
      if (NodeId.equals(identity, this.#replica.node)) {
        const message = `the peer is ${who}, as this node is: two nodes with one identity destroy each other's logs`
        return new PeerRefused({ reason: "own identity", message })
      }
      const { identity: pinned } = this.#settings
      if (pinned === undefined || NodeId.equals(identity, pinned)) return Effect.void
      const message = `the peer is ${who}, and should be ${NodeId.format(pinned)}`
      return new PeerRefused({ reason: "other identity", message })
    })
  }

  /** Gets a log up to the head that the peer has listed, and gives how many messages were new. */
  #get({ log, localHead, remoteHead }: Wanted): Effect.Effect<number, LogFailure> {
    return Effect.gen({ self: this }, function* () {
      let accepted = 0
      let head = localHead
      while (head < remoteHead) {
        // The last one that is here comes again, and is compared.
        const from = Math.max(head, 1)
        const limit = Math.min(this.#settings.batch + (head > 0 ? 1 : 0), remoteHead - from + 1)
        const messages = yield* this.#peer.fetch(log, from, limit)
        const asked = { log, from, limit, messageBytesMax: this.#settings.messageBytesMax }
        const problem = vet(asked, messages)
        if (problem !== undefined) return yield* problem
        const last = messages[messages.length - 1]?.offset ?? 0
        if (last <= head) {
          const message = `the peer lists ${log.topic} up to ${remoteHead}, and gives nothing behind ${head}`
          return yield* new PeerMisbehaved({ reason: "missing messages", message })
        }
        if (log.topic === deleteMarkers) {
          // What is here already is compared first: a log that was changed deletes nothing.
          const known = messages.filter(({ offset }) => offset <= head)
          if (known.length > 0) yield* this.#replica.accept(log, known)
          yield* this.#applyDeletions(messages.slice(known.length))
        }
        const result = yield* this.#replica.accept(log, messages)
        accepted += result.accepted.length
        head = last
      }
      return accepted
    })
  }

  #applyDeletions(messages: ReadonlyArray<PeerMessage>): Effect.Effect<void, WriteFailure | Unavailable> {
    return Effect.forEach(
      messages.map(deletionOf).filter((deletion) => deletion !== undefined),
      ({ log, from, to }) => this.#replica.deleteRange(log, from, to),
      { discard: true },
    )
  }
}
