/** Random and mutated bytes for decoders. A failing input is printed, with its seed. */

/** Numbers below a bound, the same for the same seed (mulberry32). */
const numbers = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

export type Numbers = ReturnType<typeof numbers>

const interesting = [0x00, 0x01, 0x06, 0x12, 0x13, 0x42, 0x7f, 0x80, 0xeb, 0xfe, 0xff]

const random = (below: Numbers): Buffer => {
  const made = Buffer.alloc(below(64))
  for (let i = 0; i < made.length; i++) made[i] = below(2) === 0 ? interesting[below(interesting.length)]! : below(256)
  return made
}

const mutated = (below: Numbers, source: Buffer): Buffer => {
  const made = Buffer.from(source)
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(made.length)
    if (below(2) === 0) made[at] = interesting[below(interesting.length)]!
    else made[at] = made[at]! ^ (1 << below(8))
  }
  const from = below(4) === 0 ? below(made.length) : 0
  return made.subarray(from, below(4) === 0 ? from + below(made.length - from) : made.length)
}

/** Checks as many inputs: some random, most made from a right one by a few changes. */
export const fuzz = (inputs: number, source: Buffer, check: (input: Buffer, below: Numbers) => void): void => {
  const first = Math.floor(Math.random() * 2 ** 31)
  for (let seed = first; seed < first + inputs; seed++) {
    const below = numbers(seed)
    const input = below(3) === 0 ? random(below) : mutated(below, source)
    try {
      check(input, below)
    } catch (cause) {
      throw new Error(`seed ${seed}, input ${input.toString("hex")}`, { cause })
    }
  }
}
