/**
 * How a subscription goes from replay to live, and back where it falls behind. Pure: it is told what came, and says
 * what to give out and what to do next.
 *
 *               page, scannedTo < target             batch, seq as expected
 *                     ┌──────┐                             ┌──────┐
 *                     ▼      │                             ▼      │
 *     start ───▶  replaying ─┴── page, scannedTo ≥ target ──▶  live
 *                     ▲                                       │
 *                     └── batch out of turn, or a jump mark ──┘
 *
 * Invariants, which the property tests check from outside:
 * 1. Every matching message up to `position` has been given out, once, in journal order.
 * 2. Every matching commit after the one that `target` or `position` covers is in the feed from batch `nextSeq` on,
 *    or was lost from it and leaves a jump that will be noticed.
 * 3. A batch is given out only from `position` on: what replay gave already is dropped.
 *
 * It is right because the subscriber joins the feed *before* it reads storage, and because a batch is in storage
 * before it is in the feed.
 */
import { after, type Message } from "../../domain/Message.ts"
import type { JournalPage } from "../../storage/LogStore.ts"
import type { FeedBatch } from "./LiveFeed.ts"

export interface Handover {
  /** Given out so far: every matching message up to here. */
  position: number
  /** Replay goes on until here. */
  target: number
  /** The batch that must come next from the feed. */
  nextSeq: number
}

export const isReplaying = (state: Handover): boolean => state.position < state.target

/** A page of replay came: what to give out of it. */
export const onPage = (state: Handover, page: JournalPage): ReadonlyArray<Message> => {
  state.position = Math.max(state.position, page.scannedTo)
  return page.messages
}

/** Batches came from the feed: what to give out of them, and whether the subscription had fallen behind. */
export const onBatches = (
  state: Handover,
  batches: ReadonlyArray<FeedBatch>,
): { readonly messages: ReadonlyArray<Message>; readonly jumped: boolean } => {
  let messages: ReadonlyArray<Message> = []
  for (let i = 0; i < batches.length; i++) {
    const batch = batches[i]!
    if (batch.seq !== state.nextSeq || batch.messages === undefined) {
      // All that was taken with it is in storage too: read it there, once.
      const last = batches[batches.length - 1]!
      state.target = last.end
      state.nextSeq = last.seq + 1
      return { messages, jumped: true }
    }
    state.nextSeq = batch.seq + 1
    if (batch.end <= state.position) continue
    const fresh = after(batch.messages, state.position)
    messages = messages.length === 0 ? fresh : messages.concat(fresh)
    state.position = batch.end
    state.target = batch.end
  }
  return { messages, jumped: false }
}
