/**
 * The package as it would be published: what is in it, and that a project which has it installed can use it by name.
 */
import { execFile, spawn, spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import manifest from "../../package.json" with { type: "json" }
import { env, installPackage } from "../support/installedPackage.ts"
import { root } from "./project.ts"

const run = promisify(execFile)

const directory = mkdtempSync(join(tmpdir(), "millrace-package-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let app = ""
let installed = ""
/** Paths in the package, as npm lists them. */
let packed: ReadonlyArray<string> = []

beforeAll(async () => {
  ;({ app, installed, packed } = await installPackage(directory))
}, 120_000)

/** What `exports` gives those who install it: the conditions of our own are for a checkout. */
const exported = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  Object.entries(typeof target === "string" ? { default: target } : target)
    .filter(([condition]) => !condition.startsWith("millrace-"))
    .map(([condition, file]) => ({ subpath, condition, file: file.replace(/^\.\//, "") })),
)

/** An app that embeds topics in a file, serves them, and reads them back over the network and in memory. */
const program = `
import { Effect, Layer, Stream } from "effect"
import { Topics } from "millrace"
import * as Browser from "millrace/browser"
import * as Grpc from "millrace/grpc"
import * as Memory from "millrace/memory"
import { NodeConfig } from "millrace/node"
import * as Sqlite from "millrace/sqlite"
import { Laws, layerMemory } from "millrace/testing"
import * as Worker from "millrace/worker"

const local = Topics.layer.pipe(Layer.provide(Sqlite.layer({ path: "bus.sqlite" })))
const served = Grpc.layerServer({ host: "127.0.0.1", port: 0 }).pipe(Layer.provideMerge(local))

const main = Effect.gen(function* () {
  const topics = yield* Topics.Topics
  yield* topics.publish("greetings/en", "hello")
  const { url } = yield* Grpc.GrpcServer
  const remote = yield* Layer.build(Grpc.layerTopics({ url }))
  const messages = yield* Topics.Topics.pipe(
    Effect.flatMap((elsewhere) =>
      elsewhere.subscribe("greetings/#", { from: "start" }).pipe(Stream.take(1), Stream.runCollect),
    ),
    Effect.provide(remote),
  )
  const offset: number = messages[0]!.offset
  process.stdout.write(offset + " " + Buffer.from(messages[0]!.payload).toString() + "\\n")
})

const parts = [Memory.layer, Browser.layerExchange, Worker.layer, NodeConfig, Laws.ordering, layerMemory]
const names = parts.filter((name) => name === undefined)
process.stdout.write(names.length + " missing\\n")
Effect.runPromise(main.pipe(Effect.provide(served), Effect.scoped))
`

describe("the package", () => {
  it("holds what its exports name", () => {
    expect(exported.map(({ file }) => file).filter((file) => !packed.includes(file))).toEqual([])
    const withTypes = exported.filter(({ condition }) => condition === "types").map(({ subpath }) => subpath)
    const toImport = exported.map(({ subpath, file }) => (file.endsWith(".js") ? subpath : undefined))
    expect(withTypes).toEqual(toImport.filter((subpath) => subpath !== undefined))
  })

  it("holds only what its users need", () => {
    const needed =
      /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|bin\/millrace\.js|proto\/.+\.proto|schema\/.+\.json|dist\/.+\.(js|d\.ts))$/
    expect(packed.filter((path) => !needed.test(path))).toEqual([])
  })

  it("has its licence and its changes with it", () => {
    expect(packed).toEqual(expect.arrayContaining(["LICENSE", "CHANGELOG.md"]))
  })

  it("has a declaration for each module, and every module that one names", () => {
    const modules = globSync("dist/**/*.js", { cwd: installed })
    expect(modules.filter((path) => !existsSync(join(installed, path.replace(/\.js$/, ".d.ts"))))).toEqual([])
    const named = globSync("dist/**/*.{js,d.ts}", { cwd: installed }).flatMap((path) =>
      [...readFileSync(join(installed, path), "utf8").matchAll(/(?:from |^import |import\()"(\.{1,2}\/[^"]+)"/gm)].map(
        (match) => join(dirname(path), match[1]!),
      ),
    )
    expect(named.length).toBeGreaterThan(modules.length)
    expect(named.filter((path) => !existsSync(join(installed, path)))).toEqual([])
  })

  it("can be imported by name, with types, from an app that has it installed", async () => {
    writeFileSync(join(app, "main.ts"), program)
    const compiler = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--skipLibCheck"]
    const types = ["--types", "node", "--typeRoots", join(root, "node_modules", "@types")]
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
    const checked = await run(process.execPath, [tsc, ...compiler, ...types, "main.ts"], { cwd: app, env }).catch(
      (error: { readonly stdout: string }) => error,
    )
    expect(checked.stdout).toBe("")

    const { stdout, stderr } = await run(process.execPath, ["main.ts"], { cwd: app, env })
    expect({ stdout, stderr }).toEqual({ stdout: "0 missing\n1 hello\n", stderr: "" })
  })

  it("brings a command that says its version", async () => {
    const { stdout } = await run(process.execPath, [join(installed, "bin", "millrace.js"), "--version"], {
      cwd: app,
      env,
    })
    expect(stdout).toBe(`${manifest.version}\n`)
  })

  describe("without the packages that not everybody needs", () => {
    const optional = Object.keys(manifest.peerDependenciesMeta)
    const bare = join(directory, "bare")
    const modules = join(bare, "app", "node_modules")

    /** Everything that is installed here, but for those. */
    beforeAll(() => {
      for (const name of globSync(["*", "@*/*"], { cwd: join(root, "node_modules") })) {
        if (optional.includes(name) || /^(@[^/]+|\..*)$/.test(name)) continue
        mkdirSync(dirname(join(modules, name)), { recursive: true })
        symlinkSync(join(root, "node_modules", name), join(modules, name))
      }
      cpSync(installed, join(modules, "millrace"), { recursive: true })
      // What is found further up is not what is asked for.
      renameSync(join(directory, "node_modules"), join(directory, "node_modules.away"))
    })
    afterAll(() => renameSync(join(directory, "node_modules.away"), join(directory, "node_modules")))

    const millrace = (args: ReadonlyArray<string>, variables: Readonly<Record<string, string>> = {}) =>
      spawnSync(process.execPath, [join(modules, "millrace", "bin", "millrace.js"), ...args], {
        cwd: bare,
        env: { ...env, ...variables },
        encoding: "utf8",
        timeout: 60_000,
      })

    it.each([
      ["lmdb", "lmdb:store"],
      ["@effect/sql-pg", "postgres://bus@127.0.0.1:1/bus"],
    ])("says that %s is needed, and how to get it", (name, storage) => {
      const node = millrace(["serve", "--grpc", "off", "--admin", "off", "--storage", storage])
      const kind = storage.slice(0, storage.indexOf(":") + 1)
      expect(node).toMatchObject({
        status: 1,
        stdout: "",
        stderr: `millrace: --storage ${kind} needs the package ${name}: npm install ${name}\n`,
      })
      const doctor = millrace(["doctor"], { MILLRACE_STORAGE: storage })
      expect(doctor).toMatchObject({ status: name === "lmdb" ? 2 : 1, stdout: "" })
    })

    it("runs a node that does not need them", () => {
      expect(millrace(["serve", "--print-config"]).status).toBe(0)
      expect(millrace(["doctor", "none.sqlite"])).toMatchObject({
        status: 2,
        stderr: "millrace: there is no store at none.sqlite\n",
      })
    })
  })

  // Where all is checked, it must be there.
  const hasGrpcurl = spawnSync("grpcurl", ["-version"]).error === undefined
  it.skipIf(!hasGrpcurl && process.env["CI"] !== "true")("runs a node that tells what it serves", async () => {
    const args = ["serve", "--storage", "memory:", "--grpc", "127.0.0.1:0", "--admin", "off"]
    const node = spawn(process.execPath, [join(installed, "bin", "millrace.js"), ...args], { cwd: app, env })
    try {
      let said = ""
      for await (const text of node.stdout) if ((said += text).includes("\n")) break
      const [, address] = /grpc=grpc:\/\/(\S+)/.exec(said) ?? []
      const { stdout } = await run("grpcurl", ["-plaintext", address!, "describe", "msgbus.v1.MsgbusService"])
      expect(stdout).toContain("rpc Publish ( .msgbus.v1.PublishRequest ) returns ( .msgbus.v1.PublishResponse );")
    } finally {
      node.kill("SIGKILL")
    }
  })

  it("keeps what is internal to itself", async () => {
    const inside = `import("millrace/dist/topics/internal/commit.js").catch((error) => process.stdout.write(error.code))`
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", inside], { cwd: app, env })
    expect(stdout).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED")
  })
})
