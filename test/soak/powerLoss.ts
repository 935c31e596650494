/**
 * `npm run soak -- power-loss [--storage sqlite|lmdb] [--images N] [--seed S] [--durability fsync|os]`: what a disk may
 * hold after a power cut, as often as one likes. With `--durability os` commits are not synced, and losses must be found.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { powerLoss, type PowerLossReport } from "../faults/powerLoss.ts"
import { showProgress } from "./progress.ts"

/** Images of one run of the program. */
const imagesPerTrace = 500

/** Gives whether everything was as it should be. */
export const run = async (args: ReadonlyArray<string>): Promise<boolean> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      storage: { type: "string", default: "sqlite" },
      images: { type: "string", default: "2000" },
      seed: { type: "string" },
      durability: { type: "string", default: "fsync" },
    },
  })
  const images = Number(values.images)
  const seed = values.seed === undefined ? 1 + Math.floor(Math.random() * 1e9) : Number(values.seed)
  const { durability, storage } = values
  if (!Number.isSafeInteger(images) || images < 1) throw new Error("--images takes a whole number from 1 on")
  if (!Number.isSafeInteger(seed)) throw new Error("--seed takes a whole number")
  if (storage !== "sqlite" && storage !== "lmdb") throw new Error("--storage takes sqlite or lmdb")
  if (durability !== "fsync" && durability !== "os") throw new Error("--durability takes fsync or os")
  const reports: Array<PowerLossReport> = []
  for (let done = 0; done < images; done += imagesPerTrace) {
    const report = await Effect.runPromise(
      powerLoss({
        backend: storage,
        images: Math.min(imagesPerTrace, images - done),
        seed: seed + reports.length,
        steps: 400,
        durability,
        onImage: (image) => showProgress(`image ${done + image} of ${images}`),
      }),
    )
    showProgress("")
    for (const finding of report.findings) console.error(`seed ${seed + reports.length}: ${finding}`)
    reports.push(report)
  }
  const sum = (count: (report: PowerLossReport) => number) =>
    reports.reduce((total, report) => total + count(report), 0)
  const lost = sum((report) => report.lost)
  const wrong = sum((report) => report.corrupt + report.halfDone)
  console.log(
    [
      `seed ${seed}: ${images} images of ${sum((report) => report.entries)} writes and syncs`,
      `${sum((report) => report.withAcknowledged)} with something acknowledged`,
      `${lost} lost`,
      `${sum((report) => report.corrupt)} corrupt`,
      `${sum((report) => report.halfDone)} half done`,
    ].join(", "),
  )
  return durability === "fsync" ? lost + wrong === 0 : lost > 0
}
