import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option, Scope } from "effect"
import * as EndpointsFile from "../../src/node/EndpointsFile.ts"

const makeDirectory = () => mkdtempSync(join(tmpdir(), "millrace-endpoints-"))
const endpoints = { node: "a/b/c", grpc: "grpc://127.0.0.1:1" }

describe("EndpointsFile", () => {
  it.effect("is there while the scope is open, and nothing else is", () =>
    Effect.gen(function* () {
      const directory = makeDirectory()
      const scope = yield* Scope.make()
      yield* EndpointsFile.publish(directory, endpoints).pipe(Scope.provide(scope))
      expect(Option.getOrThrow(EndpointsFile.read(directory))).toMatchObject({ ...endpoints, pid: process.pid })
      expect(readdirSync(directory)).toEqual(["endpoints.json"])
      yield* Scope.close(scope, Exit.void)
      expect(readdirSync(directory)).toEqual([])
    }),
  )

  it.effect("is left alone by a node whose file it no longer is", () =>
    Effect.gen(function* () {
      const directory = makeDirectory()
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      yield* EndpointsFile.publish(directory, endpoints).pipe(Scope.provide(first))
      yield* EndpointsFile.publish(directory, { node: "x/y/z" }).pipe(Scope.provide(second))
      yield* Scope.close(first, Exit.void)
      expect(Option.getOrThrow(EndpointsFile.read(directory)).node).toBe("x/y/z")
      yield* Scope.close(second, Exit.void)
      expect(existsSync(join(directory, "endpoints.json"))).toBe(false)
    }),
  )

  it("is as good as absent where it cannot be read", () => {
    const directory = makeDirectory()
    expect(Option.isNone(EndpointsFile.read(directory))).toBe(true)
    for (const content of ["", "{", "[]", '{"grpc": 7}']) {
      writeFileSync(join(directory, "endpoints.json"), content)
      expect(Option.isNone(EndpointsFile.read(directory))).toBe(true)
    }
  })
})
