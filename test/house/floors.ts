/**
 * The floors of `src`, and what an import between them may do: imports only go down, folders of one floor do not import
 * each other, what is internal stays inside, and nothing imports itself in a circle. Plain functions over a list of
 * imports, each giving one sentence for each import that breaks a rule.
 */
import type { Import } from "./imports.ts"

/** From top to bottom; the folders of one row share a floor. `src/protocol` has a folder for each protocol. */
export const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["cli"],
  ["node"],
  ["protocol/busrt", "protocol/grpc", "protocol/ipcbroker"],
  ["bridge", "broker"],
  ["replication", "mesh"],
  ["rpc"],
  ["topics", "queues", "readiness", "stats", "exchange"],
  ["storage"],
  ["transport", "access"],
  ["domain"],
]

const parts = floors.flat()
const floorOf = (part: string): number => floors.findIndex((row) => row.includes(part))

/** Folders of `storage` that any backend may build on; every other folder there is a backend. */
const sharedByBackends = new Set(["parts", "sql", "worker", "examination"])

/** Packages that a part may use; a part that is not named here may use any. */
const packagesOf: Readonly<Record<string, RegExp>> = {
  domain: /^effect(\/|$)/,
  access: /^effect(\/|$)|^node:(crypto|net)$/,
  transport: /^(effect|@effect\/platform-node|ws)(\/|$)|^node:/,
}

/** `topics` of `src/topics/internal/commit.ts`; `index` of `src/index.ts`; undefined where a file has no place. */
const partOf = (file: string): string | undefined => {
  if (file === "src/index.ts") return "index"
  if (file.startsWith("src/testing/")) return "testing"
  return parts.find((part) => file.startsWith(`src/${part}/`))
}

/** `sqlite` of `src/storage/sqlite/index.ts`, undefined of the contracts beside the backends. */
const storageFolder = (file: string): string | undefined => /^src\/storage\/([^/]+)\//.exec(file)?.[1]

/** `src/topics/` of `src/topics/internal/commit.ts`: the only place that may import it. */
const ownerOfInternal = (file: string): string | undefined => /^(.*\/)internal\//.exec(file)?.[1]

const betweenParts = (from: string, to: string): string | undefined => {
  if (from === to) return undefined
  if (to === "index") return "the package's front door is for those outside"
  if (to === "testing") return "testing is imported by tests alone"
  if (from === "testing") return to === "cli" ? "testing stands below cli" : undefined
  // Who embeds topics need not install a protocol's library.
  if (from === "index") {
    return floorOf(to) < floorOf("bridge") ? `${to} is imported under a name of its own` : undefined
  }
  if (floorOf(from) === floorOf(to)) return `${from} and ${to} share a floor`
  return floorOf(from) > floorOf(to) ? `${to} is above ${from}` : undefined
}

const withinStorage = (from: string, to: string): string | undefined => {
  const source = storageFolder(from)
  const target = storageFolder(to)
  // What every store is made of is below all, the contracts too.
  if (target === undefined || target === source || target === "parts") return undefined
  if (source === undefined) return `a contract knows no backend, and ${target} is below it`
  if (!sharedByBackends.has(target)) return `${target} is a backend of its own`
  // The checks of an examination are below all.
  if (target === "examination") return undefined
  return sharedByBackends.has(source) ? `${source} and ${target} share a floor` : undefined
}

const broken = ({ from, to }: Import): string | undefined => {
  const source = partOf(from)
  if (source === undefined) return "it is on no floor"
  if (!to.startsWith("src/")) {
    if (/^\.{0,2}\/|^(test|bench|scripts)\//.test(to)) return "it is outside src"
    const allowed = packagesOf[source]
    return allowed === undefined || allowed.test(to) ? undefined : `${source} does without this package`
  }
  const target = partOf(to)
  if (target === undefined) return `${to} is on no floor`
  const owner = ownerOfInternal(to)
  if (owner !== undefined && !from.startsWith(owner)) return `internal to ${owner}`
  return (
    betweenParts(source, target) ?? (source === "storage" && target === "storage" ? withinStorage(from, to) : undefined)
  )
}

/** One sentence for each import that goes where it may not. */
export const brokenFloors = (imports: ReadonlyArray<Import>): ReadonlyArray<string> =>
  imports.flatMap((edge) => {
    const reason = broken(edge)
    return reason === undefined ? [] : [`${edge.from} imports ${edge.to}: ${reason}`]
  })

const folder = (file: string): string => file.slice(0, file.lastIndexOf("/"))

type Graph = ReadonlyMap<string, ReadonlyArray<string>>

const graphOf = (imports: ReadonlyArray<Import>): Graph => {
  const next = new Map<string, Array<string>>()
  for (const { from, to } of imports) {
    const targets = next.get(from)
    if (targets === undefined) next.set(from, [to])
    else targets.push(to)
  }
  return next
}

/** The shortest way between two files, both included; undefined where there is none. */
const way = (from: string, to: string, graph: Graph): ReadonlyArray<string> | undefined => {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]])
  for (const file of cameFrom.keys()) {
    if (file === to) {
      const files: Array<string> = []
      for (let at: string | undefined = file; at !== undefined; at = cameFrom.get(at)) files.unshift(at)
      return files
    }
    for (const target of graph.get(file) ?? []) if (!cameFrom.has(target)) cameFrom.set(target, file)
  }
  return undefined
}

/**
 * One sentence for each circle of imports. Types of one folder may refer to each other in a circle; across folders they
 * may not, and what runs may nowhere. A file that is only named is loaded elsewhere, and closes no circle.
 */
export const circles = (imports: ReadonlyArray<Import>): ReadonlyArray<string> => {
  const loaded = imports.filter(({ kind }) => kind !== "name")
  const all = graphOf(loaded)
  const running = graphOf(loaded.filter(({ kind }) => kind === "run"))
  const found = new Map<string, string>()
  for (const { from, to, kind } of loaded) {
    const back =
      (kind === "run" ? way(to, from, running) : undefined) ??
      (folder(from) === folder(to) ? undefined : way(to, from, all))
    // Each circle once, whichever of its imports it was found from.
    if (back !== undefined) found.set([...back].toSorted().join(" "), [from, ...back].join(" → "))
  }
  return [...found.values()].map((circle) => `a circle of imports: ${circle}`)
}
