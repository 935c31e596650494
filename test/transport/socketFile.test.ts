/** The file of a Unix socket: whose it is, who may use it, and that nobody else's is touched. */
import { execFile } from "node:child_process"
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import * as net from "node:net"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as Transport from "../../src/transport/index.ts"
import { SocketPath } from "../../src/transport/index.ts"
import { temporaryDirectory } from "../storage/temporaryDirectory.ts"
import { pair, witness } from "./places.ts"

const unix = (path: string) => ({ kind: "unix", path }) as const

const closable = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
    const value = yield* Scope.provide(effect, scope)
    return { value, close: Scope.close(scope, Exit.void) }
  })

/** A socket file that nobody listens at, left by a process that was killed. */
const leaveSocket = (path: string) =>
  Effect.callback<void>((resume) => {
    const code = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`
    execFile(process.execPath, ["-e", code, path], () => resume(Effect.void))
  })

const canConnect = (path: string) =>
  Effect.callback<boolean>((resume) => {
    const socket = net.connect(path)
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.on("error", () => resume(Effect.succeed(false)))
  })

const modeOf = (path: string) => (lstatSync(path).mode & 0o777).toString(8)

describe("a socket file", () => {
  it.live(
    "is its owner's alone, whatever the process allows, and is gone with everything around it when it is closed",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const path = join(directory, "a.sock")
        // Anybody may go into the directory, and the process would let anybody use its files.
        chmodSync(directory, 0o755)
        const before = process.umask(0)
        const listener = yield* closable(Transport.listen(unix(path))).pipe(
          Effect.ensuring(Effect.sync(() => process.umask(before))),
        )
        expect(modeOf(path)).toBe("600")
        expect(readdirSync(directory)).toEqual(["a.sock"])
        expect(yield* canConnect(path)).toBe(true)
        yield* listener.close
        expect(readdirSync(directory)).toEqual([])
      }),
  )

  it.live("has other permissions where they are asked for", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "a.sock")
      yield* Transport.listen(unix(path), { mode: 0o660 })
      expect(modeOf(path)).toBe("660")
    }),
  )

  it.live("that nobody answers at is replaced", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "a.sock")
      yield* leaveSocket(path)
      expect(lstatSync(path).isSocket()).toBe(true)
      const listener = yield* Transport.listen(unix(path))
      const { far, near } = yield* pair(listener)
      const reader = witness(far)
      near.write(Buffer.from("hello"))
      expect(String(yield* reader.has(5))).toBe("hello")
    }),
  )

  it.live("that somebody answers at is in use, and goes on working", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const path = join(directory, "a.sock")
      yield* Transport.listen(unix(path))
      const error = yield* Effect.flip(Effect.scoped(Transport.listen(unix(path))))
      expect(error).toMatchObject({ _tag: "ListenFailed", reason: "in use", endpoint: `unix:${path}` })
      expect(error.message).toBe(`cannot listen on unix:${path}: somebody listens there already`)
      expect(yield* canConnect(path)).toBe(true)
      expect(readdirSync(directory)).toEqual(["a.sock"])
    }),
  )

  it.live("is one listener's where many want it at once, also over one that was left", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      for (let round = 0; round < 5; round++) {
        const path = join(directory, `${round}.sock`)
        if (round > 0) yield* leaveSocket(path)
        const exits = yield* Effect.forEach(
          Array.from({ length: 8 }),
          () => Effect.exit(Effect.result(Transport.listen(unix(path)))),
          { concurrency: "unbounded" },
        )
        const results = exits.map((exit) => (Exit.isSuccess(exit) ? exit.value : undefined))
        expect(results.filter((result) => result?._tag === "Success")).toHaveLength(1)
        expect(results.flatMap((result) => (result?._tag === "Failure" ? [result.failure.reason] : []))).toEqual(
          Array(7).fill("in use"),
        )
        expect(yield* canConnect(path)).toBe(true)
      }
      expect(readdirSync(directory).toSorted()).toEqual(["0.sock", "1.sock", "2.sock", "3.sock", "4.sock"])
    }),
  )

  it.live("is not put where something else is, which stays as it was", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "file")
      writeFileSync(file, "precious")
      const folder = join(directory, "folder")
      mkdirSync(folder)
      const link = join(directory, "link")
      yield* leaveSocket(join(directory, "target"))
      symlinkSync(join(directory, "target"), link)
      for (const path of [file, folder, link]) {
        const error = yield* Effect.flip(Effect.scoped(Transport.listen(unix(path))))
        expect(error).toMatchObject({ _tag: "ListenFailed", reason: "not a socket" })
      }
      expect(readFileSync(file, "utf8")).toBe("precious")
      expect(lstatSync(link).isSymbolicLink()).toBe(true)
      expect(readdirSync(directory).toSorted()).toEqual(["file", "folder", "link", "target"])
    }),
  )

  it.live("is left alone at the end where it is another one's by then", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const path = join(directory, "a.sock")
      const first = yield* closable(Transport.listen(unix(path)))
      renameSync(path, join(directory, "moved"))
      yield* Transport.listen(unix(path))
      const { ino } = statSync(path)
      yield* first.close
      expect(statSync(path).ino).toBe(ino)
      expect(yield* canConnect(path)).toBe(true)
    }),
  )

  it.live("needs its directory", () =>
    Effect.gen(function* () {
      const path = join(yield* temporaryDirectory, "nowhere", "a.sock")
      const error = yield* Effect.flip(Effect.scoped(Transport.listen(unix(path))))
      expect(error).toMatchObject({ reason: "no such place" })
      expect(error.message).toBe(`cannot listen on unix:${path}: there is no such file or directory`)
    }),
  )
})

describe("a socket's path", () => {
  const pathOf = (directory: string, bytes: number) =>
    `${directory}/${"d".repeat(bytes - directory.length - 12)}/${"s".repeat(10)}`

  it.live("is as long as the kernel takes it, and no longer", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const path = pathOf(directory, SocketPath.pathBytesMax)
      expect(Buffer.byteLength(path)).toBe(SocketPath.pathBytesMax)
      mkdirSync(join(path, ".."))
      const listener = yield* Transport.listen(unix(path))
      yield* pair(listener)

      const longer = unix(`${path}s`)
      const failed = yield* Effect.flip(Effect.scoped(Transport.listen(longer)))
      const sentence = `a socket's path is at most ${SocketPath.pathBytesMax} bytes long, this one has ${SocketPath.pathBytesMax + 1}`
      expect(failed).toMatchObject({ _tag: "ListenFailed", reason: "path too long" })
      expect(failed.message).toBe(`cannot listen on unix:${longer.path}: ${sentence}`)
      const unreachable = yield* Effect.flip(Effect.scoped(Transport.dial(longer)))
      expect(unreachable).toMatchObject({ _tag: "DialFailed", reason: "path too long" })
    }),
  )

  it.live("that is too long has a short one, always the same, that can be listened on", () =>
    Effect.gen(function* () {
      const runtimeDirectory = join(yield* temporaryDirectory, "run")
      mkdirSync(runtimeDirectory)
      const surroundings = { runtimeDirectory, temporaryDirectory: "/tmp", user: 1000 }
      const long = `/data/${"x".repeat(120)}/millrace.sock`
      const short = SocketPath.shortened(long, surroundings)
      expect(short).toMatch(/\/run\/millrace\/[0-9a-f]{16}\.sock$/)
      expect(SocketPath.shortened(long, surroundings)).toBe(short)
      expect(SocketPath.shortened(`${long}2`, surroundings)).not.toBe(short)
      expect(SocketPath.shortened("/run/a.sock", surroundings)).toBe("/run/a.sock")
      yield* SocketPath.makeDirectory(short)
      expect(modeOf(join(short, ".."))).toBe("700")
      yield* pair(yield* Transport.listen(unix(short)))
    }),
  )

  it("goes among the temporary directories where there is no runtime directory, or none that helps", () => {
    const long = `/data/${"x".repeat(120)}/millrace.sock`
    const short = (runtimeDirectory: string | undefined) =>
      SocketPath.shortened(long, { runtimeDirectory, temporaryDirectory: "/tmp", user: 7 })
    for (const runtime of [undefined, "", "relative", `/run/${"r".repeat(90)}`]) {
      expect(short(runtime)).toMatch(/^\/tmp\/millrace-7\/[0-9a-f]{16}\.sock$/)
    }
  })

  it.live("goes into no directory that is a link, or a file", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      mkdirSync(join(directory, "elsewhere"))
      symlinkSync(join(directory, "elsewhere"), join(directory, "link"))
      writeFileSync(join(directory, "file"), "")
      for (const name of ["link", "file"]) {
        const error = yield* Effect.flip(SocketPath.makeDirectory(join(directory, name, "a.sock")))
        expect(error).toMatchObject({ _tag: "ListenFailed", reason: "not permitted" })
      }
    }),
  )
})
