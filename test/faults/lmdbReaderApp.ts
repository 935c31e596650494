/** A process that reads an LMDB store as it is at one moment, and goes on for ever: `lmdbReaderApp.ts DIRECTORY`. */
import { Environment } from "../../src/storage/lmdb/Environment.ts"

const [path = ""] = process.argv.slice(2)
const environment = Environment.open({ path, durability: "fsync", readonly: true }, "must be there")
environment.stayAtMoment()
process.stdout.write(`reading ${environment.tables.queues.count}\n`)
setInterval(() => {}, 60_000)
