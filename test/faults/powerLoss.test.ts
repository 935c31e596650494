/**
 * Power cuts, rebuilt from what a program really wrote and synced: a share of what `npm run soak -- power-loss` does.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { obstacle } from "./fsyncFault.ts"
import { powerLoss } from "./powerLoss.ts"
import { type Chance, Disk, losses } from "./Trace.ts"

const seed = 1 + Math.floor(Math.random() * 1e9)

describe.skipIf(obstacle !== undefined)("a power cut", () => {
  it.live.each(["sqlite", "lmdb"] as const)(
    "loses nothing that was acknowledged, damages nothing, and leaves nothing half done: %s",
    (backend) =>
      Effect.gen(function* () {
        const { findings, withAcknowledged, ...report } = yield* powerLoss({
          backend,
          images: 150,
          seed,
          steps: 300,
          durability: "fsync",
        })
        expect({ seed, findings }).toEqual({ seed, findings: [] })
        expect(report).toMatchObject({ lost: 0, corrupt: 0, halfDone: 0 })
        expect(withAcknowledged).toBeGreaterThan(120)
      }),
    60_000,
  )

  it.live.each(["sqlite", "lmdb"] as const)(
    "loses commits that were not synced: the planted bug is found: %s",
    (backend) =>
      Effect.gen(function* () {
        const report = yield* powerLoss({ backend, images: 60, seed, steps: 120, durability: "os" })
        expect(report.lost).toBeGreaterThan(0)
        // They are lost from the end, and nothing else happens to the store.
        expect(report).toMatchObject({ corrupt: 0, halfDone: 0 })
      }),
    60_000,
  )
})

describe("a disk that a trace is played on", () => {
  const text = (disk: Disk, loss: (typeof losses)[number], chance: Chance) =>
    Object.fromEntries([...disk.image(loss, chance)].map(([name, content]) => [name, content.toString()]))
  const write = (name: string, offset: number, data: string) =>
    ({ kind: "write", name, offset, data: Buffer.from(data) }) as const
  const always: Chance = () => 0
  const never: Chance = (bound) => bound - 1

  it("holds for certain what was synced, and the names since the directory was", () => {
    const disk = new Disk()
    disk.play({ kind: "create", name: "a" })
    disk.play(write("a", 0, "one"))
    disk.play({ kind: "sync", name: "a" })
    expect(text(disk, "nothing", always)).toEqual({})
    disk.play({ kind: "sync", name: "" })
    disk.play(write("a", 3, "two"))
    expect(text(disk, "nothing", always)).toEqual({ a: "one" })
    expect(text(disk, "all", always)).toEqual({ a: "onetwo" })
    disk.play({ kind: "unlink", name: "a" })
    expect(text(disk, "nothing", always)).toEqual({ a: "one" })
    expect(text(disk, "all", always)).toEqual({})
  })

  it("may hold any of the writes, and any of their sectors", () => {
    const disk = new Disk()
    disk.play({ kind: "create", name: "a" })
    disk.play({ kind: "sync", name: "" })
    disk.play(write("a", 510, "abcd"))
    disk.play({ kind: "truncate", name: "a", length: 512 })
    expect(text(disk, "any", never)).toEqual({ a: `${"\0".repeat(510)}ab` })
    expect(text(disk, "any", always)).toEqual({ a: "" })
    // No name is new; the first sector is there, the second is not, the truncation is.
    const coin = [0, 0, 1, 0]
    expect(text(disk, "sectors of 512", () => coin.shift()!)).toEqual({ a: `${"\0".repeat(510)}ab` })
  })

  it("gives the files of a rename their new names together", () => {
    const disk = new Disk()
    disk.play({ kind: "create", name: "a" })
    disk.play(write("a", 0, "one"))
    disk.play({ kind: "sync", name: "a" })
    disk.play({ kind: "sync", name: "" })
    disk.play({ kind: "rename", name: "a", to: "b" })
    expect(text(disk, "nothing", always)).toEqual({ a: "one" })
    expect(text(disk, "all", always)).toEqual({ b: "one" })
  })
})
