/** The floors hold in `src`, and each rule is seen to be broken where it is. */
import { describe, expect, it } from "vitest"
import { brokenFloors, circles } from "./floors.ts"
import { type Import, importsOf } from "./imports.ts"
import { projectFiles } from "./project.ts"

const sources = projectFiles().filter(({ path }) => /^src\/.*\.ts$/.test(path))
const imports = sources.flatMap(({ path, text }) => importsOf(path, text))

/** `a.ts > b.ts` with a path from `src` each, `~>` for an import of types, `:>` for a file that is named. */
const graph = (...edges: ReadonlyArray<string>): ReadonlyArray<Import> =>
  edges.map((edge) => {
    const [, from, arrow, to] = /^(\S+) ([~:]?>) (\S+)$/.exec(edge)!
    return {
      from: `src/${from}`,
      to: to!.endsWith(".ts") ? `src/${to}` : to!,
      kind: arrow === "~>" ? "type" : arrow === ":>" ? "name" : "run",
    }
  })

describe("the sources", () => {
  it("import only what is below them", () => {
    expect(brokenFloors(imports)).toEqual([])
  })

  it("import nothing in a circle", () => {
    expect(circles(imports)).toEqual([])
  })

  it("import only files that are there", () => {
    const paths = new Set(sources.map(({ path }) => path))
    expect(imports.filter(({ to }) => to.startsWith("src/") && !paths.has(to))).toEqual([])
    expect(imports.length).toBeGreaterThan(sources.length)
  })
})

describe("an import is broken", () => {
  it.each([
    ["up", "topics/layer.ts > protocol/grpc/index.ts"],
    ["up, from the lowest floor", "domain/Topic.ts > storage/LogStore.ts"],
    ["up, for its types alone", "storage/LogStore.ts ~> topics/Topics.ts"],
    ["up, for a file that is only named", "storage/worker/spawn.ts :> node/Node.ts"],
    ["across: two protocols", "protocol/grpc/server.ts > protocol/busrt/codec.ts"],
    ["across: the two planes", "topics/layer.ts > exchange/Exchange.ts"],
    ["from a backend to another", "storage/sqlite/index.ts > storage/memory/index.ts"],
    ["from a contract to a backend", "storage/LogStore.ts > storage/sqlite/index.ts"],
    ["from a contract to what backends share", "storage/LogStore.ts > storage/sql/Session.ts"],
    ["between what backends share", "storage/sql/index.ts > storage/worker/index.ts"],
    ["into what is internal elsewhere", "protocol/grpc/server.ts > topics/internal/commit.ts"],
    ["into what is internal, from testing", "testing/layerMemory.ts > topics/internal/commit.ts"],
    ["to the cli, from testing", "testing/run.ts > cli/main.ts"],
    ["to testing, from anything else", "cli/main.ts > testing/index.ts"],
    ["to the front door", "node/Node.ts > index.ts"],
    ["from the front door to an optional library", "index.ts > protocol/grpc/index.ts"],
    ["out of the floors", "extras/index.ts > domain/Topic.ts"],
    ["to a place on no floor", "cli/main.ts > extras/index.ts"],
    ["from transport to storage", "transport/dial.ts > storage/LogStore.ts"],
    ["from transport to a package of its own", "transport/dial.ts > lmdb"],
    ["from access to the file system", "access/Access.ts > node:fs"],
    ["from the domain to the file system", "domain/Topic.ts > node:fs"],
    ["out of src", "domain/Topic.ts > test/domain/names"],
  ])("%s", (_, edge) => {
    expect(brokenFloors(graph(edge))).toHaveLength(1)
  })

  it("never where it goes down, or stays in its folder", () => {
    const allowed = graph(
      "cli/start.ts > storage/sqlite/preload.ts",
      "node/Node.ts > protocol/grpc/index.ts",
      "protocol/grpc/server.ts > topics/Topics.ts",
      "protocol/grpc/server.ts > @grpc/grpc-js",
      "topics/layer.ts > topics/internal/commit.ts",
      "topics/internal/commit.ts ~> topics/Topics.ts",
      "storage/sqlite/index.ts > storage/sql/index.ts",
      "storage/sqlite/index.ts > storage/worker/index.ts",
      "storage/sqlite/index.ts > node:sqlite",
      "storage/memory/index.ts > storage/LogStore.ts",
      "testing/run.ts > node/Node.ts",
      "transport/dial.ts > node:net",
      "access/Networks.ts > node:net",
      "domain/Topic.ts > effect/Schema",
      "index.ts > topics/index.ts",
    )
    expect(brokenFloors(allowed)).toEqual([])
  })
})

describe("a circle", () => {
  it("of two files is one", () => {
    expect(circles(graph("topics/a.ts > topics/b.ts", "topics/b.ts > topics/a.ts"))).toHaveLength(1)
  })

  it("of a file with itself is one", () => {
    expect(circles(graph("topics/a.ts > topics/a.ts"))).toHaveLength(1)
  })

  it("is found behind files that are not part of it", () => {
    const edges = graph("cli/a.ts > cli/b.ts", "cli/b.ts > cli/c.ts", "cli/c.ts > cli/d.ts", "cli/d.ts > cli/b.ts")
    expect(circles(edges)).toEqual([expect.not.stringContaining("a.ts")])
  })

  it("of types is excused within a folder, and nowhere else", () => {
    expect(circles(graph("topics/a.ts ~> topics/b.ts", "topics/b.ts > topics/a.ts"))).toEqual([])
    expect(circles(graph("topics/internal/a.ts ~> topics/b.ts", "topics/b.ts > topics/internal/a.ts"))).toHaveLength(1)
  })

  it("of types across folders is found beside an excused one", () => {
    const edges = graph(
      "topics/a.ts ~> topics/b.ts",
      "topics/b.ts ~> topics/a.ts",
      "topics/b.ts ~> topics/internal/c.ts",
      "topics/internal/c.ts ~> topics/b.ts",
    )
    expect(circles(edges)).toEqual([expect.stringContaining("internal/c.ts")])
  })

  it("is not closed by a file that is only named", () => {
    expect(circles(graph("storage/a.ts > storage/b.ts", "storage/b.ts :> storage/a.ts"))).toEqual([])
  })
})

describe("imports are read off", () => {
  it.each([
    ["a statement", `import { a } from "./b.ts"`, "run"],
    ["a statement of several lines", `import {\n  type A,\n  b,\n} from "./b.ts"`, "run"],
    ["a namespace", `import * as b from "./b.ts"`, "run"],
    ["an import for its effects", `import "./b.ts"`, "run"],
    ["a re-export", `export * as b from "./b.ts"`, "run"],
    ["a call", `const b = await import("./b.ts")`, "run"],
    ["types", `import type { A } from "./b.ts"`, "type"],
    ["types passed on", `export type { A } from "./b.ts"`, "type"],
    ["the type of a module", `type B = typeof import("./b.ts")`, "type"],
    ["a name", `new Worker(new URL("./b.ts", import.meta.url))`, "name"],
  ] as const)("%s", (_, text, kind) => {
    expect(importsOf("src/topics/a.ts", text)).toEqual([{ from: "src/topics/a.ts", to: "src/topics/b.ts", kind }])
  })

  it("nowhere in comments", () => {
    expect(importsOf("src/a.ts", `/**\n * import "./b.ts"\n */\n// import "./c.ts"\n`)).toEqual([])
  })
})
