/** What is to be transferred of blocks of items: their buffers, which several may share. Everything else is cloned. */
import type { ItemBlock } from "../parts/ItemBlock.ts"

export const buffersOf = (blocks: ReadonlyArray<ItemBlock>): ReadonlyArray<ArrayBuffer> => [
  ...new Set(blocks.map(({ content }) => content.buffer as ArrayBuffer)),
]
