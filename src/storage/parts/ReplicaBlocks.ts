/**
 * Messages of another node as encoded blocks: a run of its log, which a store keeps as it came where the log here ends just
 * before it and nothing of it was deleted beforehand. Otherwise each message has to be looked at (`AcceptPlan`).
 */
import { type AcceptedRun, type AcceptResult, type EncodedBlock, type ReplicatedMessage } from "../LogStore.ts"
import { Block } from "./Block.ts"

/** How many messages there are in some blocks. */
export const messagesIn = (blocks: ReadonlyArray<EncodedBlock>): number =>
  blocks.reduce((sum, { messages }) => sum + messages, 0)

/** The messages, given the offset of each. */
export const replicasIn = (
  blocks: ReadonlyArray<EncodedBlock>,
  offsetOf: (index: number) => number,
): ReadonlyArray<ReplicatedMessage> => {
  const replicas: Array<ReplicatedMessage> = []
  for (const { content, messages } of blocks) {
    const block = new Block(content, messages)
    for (let i = 0; i < messages; i++) {
      replicas.push({
        offset: offsetOf(replicas.length),
        id: block.id(i),
        createdAt: block.createdAt(i),
        headers: block.headers(i),
        payload: block.payload(i),
        deleted: block.isDeleted(i),
      })
    }
  }
  return replicas
}

/** What became of messages, without them: what is accepted in one commit lies together. */
export const runOf = ({ accepted, head }: AcceptResult): AcceptedRun => ({
  head,
  count: accepted.length,
  position: accepted[0]?.position ?? 0,
  deleted: accepted.filter(({ deleted }) => deleted).map(({ offset }) => offset),
})
