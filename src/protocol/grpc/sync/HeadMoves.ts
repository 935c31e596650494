/**
 * Which logs have moved, for whoever wants to be told at once: the journal is followed, and nothing of it kept but the
 * last offset of each log. A watcher that takes its time finds several moves as one; what it has still to be told is
 * bounded by the number of logs, however many messages there are.
 *
 * All watchers share one follower, which wants nothing while there is none of them.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { key, type LogHead } from "../../../domain/LogId.ts"
import type { Message } from "../../../domain/Message.ts"
import { deleteMarkers } from "../../../domain/Topic.ts"
import type { Journal } from "../../../topics/Journal.ts"

/** All that there is: wildcards leave out the topics of the bus itself. */
const everything: ReadonlyArray<string> = ["#", deleteMarkers]

export interface HeadWatcher {
  /** Waits until there is something to take. */
  readonly moved: Effect.Effect<void>
  /** The logs that have moved since they were taken last, with their heads. */
  readonly take: () => ReadonlyArray<LogHead>
}

interface Watching {
  readonly isMeant: (topic: string) => boolean
  readonly moved: Map<string, LogHead>
  readonly bell: Latch.Latch
}

export interface HeadMoves {
  /**
   * Every move from now on, until the scope closes.
   *
   * @param isMeant which topics are told of
   */
  readonly watch: (isMeant: (topic: string) => boolean) => Effect.Effect<HeadWatcher, never, Scope.Scope>
}

export const make = Effect.fnUntraced(function* (
  journal: Pick<Journal["Service"], "follow">,
): Effect.fn.Return<HeadMoves, never, Scope.Scope> {
  const watchers = new Set<Watching>()

  const note = ({ offset, origin, topic }: Message): void => {
    let head: LogHead | undefined
    let log = ""
    for (const { bell, isMeant, moved } of watchers) {
      if (!isMeant(topic)) continue
      if (head === undefined) {
        head = { topic, origin, offset }
        log = key(head)
      }
      moved.set(log, head)
      bell.openUnsafe()
    }
  }

  const { changed } = yield* journal.follow({
    wants: () => watchers.size > 0,
    isContentWithLast: true,
    filters: () => (watchers.size > 0 ? everything : []),
    take: (messages) => {
      for (let i = 0; i < messages.length; i++) {
        const message = messages[i]!
        const next = messages[i + 1]
        // Of a run of one log the last message says it all.
        if (next !== undefined && next.topic === message.topic && next.origin === message.origin) continue
        note(message)
      }
      return messages.length
    },
    // All is taken at once.
    whenReady: (resume) => resume(),
    reached: () => undefined,
  })

  return {
    watch: (isMeant) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const watching: Watching = { isMeant, moved: new Map(), bell: Latch.makeUnsafe(false) }
          watchers.add(watching)
          if (watchers.size === 1) changed()
          return watching
        }),
        (watching) =>
          Effect.sync(() => {
            watchers.delete(watching)
            if (watchers.size === 0) changed()
          }),
      ).pipe(
        Effect.map(({ bell, moved }) => ({
          moved: bell.await,
          take: () => {
            bell.closeUnsafe()
            const heads = [...moved.values()]
            moved.clear()
            return heads
          },
        })),
      ),
  }
})
