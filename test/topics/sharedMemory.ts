/**
 * Several nodes on one store in memory, whose hints come late, in another order, or not at all; how, is decided by a seed.
 */
import * as Memory from "../../src/storage/memory/index.ts"
import { makeRandom } from "../support/random.ts"
import { jittered } from "./jitter.ts"

/** How often nodes look for themselves, in milliseconds: what a hint does not tell is seen soon. */
const pollMillis = 4

export const nodeNamed = (device: string) => ({ tenant: "acme", line: "press", device })
const nodes = ["one", "two", "three"].map(nodeNamed)

/** A third of the hints is lost, the others take their time. */
const faulty = (seed: number): Memory.SharingOptions => {
  const random = makeRandom(seed)
  return {
    pollMillis,
    pass: (deliver) => {
      const chance = random()
      if (chance < 0.33) return
      if (chance < 0.66) setImmediate(deliver)
      else setTimeout(deliver, 3 * random())
    },
  }
}

/** Hints as above, and nobody who looks for himself. */
export const unreliable: Memory.SharingOptions = { ...faulty(1), pollMillis: 0 }

/** The stores of three nodes, which take their time too. */
export const threeNodes = (seed: number, sharing: Memory.SharingOptions = faulty(seed)) => {
  const disk = Memory.makeDisk({ shared: sharing })
  const store = (i: number) => jittered(Memory.layer({ disk, node: nodes[i]! }), seed + i)
  return [store(0), store(1), store(2)] as const
}
