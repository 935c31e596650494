/** `docs/protocols.md` shows what `.bus` can be asked as it is. `UPDATE_DOCS=1` writes its tables anew. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Method } from "../../src/bridge/contract/Method.ts"
import { Exchange } from "../../src/exchange/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import { layerBusNode } from "./BusNode.ts"
import { errorCodes } from "../../src/bridge/contract/errors.ts"
import { groups, tables } from "./contractTables.ts"

const path = fileURLToPath(new URL("../../docs/protocols.md", import.meta.url))

const between = (name: string): RegExp => new RegExp(`(<!-- \\.bus ${name} -->\\n)([\\s\\S]*?)(\\n<!-- end -->)`)

describe("the documentation of .bus", () => {
  it.each(Object.entries(tables))("has the table of its %s", (name, table) => {
    const text = readFileSync(path, "utf8")
    if (process.env["UPDATE_DOCS"] === "1") {
      writeFileSync(
        path,
        text.replace(between(name), (_, start: string, __, end: string) => start + table + end),
      )
    }
    expect(between(name).exec(readFileSync(path, "utf8"))?.[2]).toBe(table)
  })

  it("names each method and each code once", () => {
    const methods = Object.values(groups).flatMap((group) => group.methods.map(({ name }) => name))
    expect(new Set(methods).size).toBe(methods.length)
    expect(new Set(Object.values(errorCodes)).size).toBe(Object.keys(errorCodes).length)
  })

  it.live("names what is there", () =>
    Effect.gen(function* () {
      const { connect } = yield* Exchange
      const rpc = yield* Rpc.make(yield* connect("app"))
      for (const { name } of Object.values(groups).flatMap(({ methods }) => methods as ReadonlyArray<Method>)) {
        // What is no MessagePack is refused by the method, if there is one.
        const error = yield* Effect.flip(rpc.call(".bus", name, new Uint8Array([0xc1])))
        expect(error).toMatchObject({ _tag: "RpcError", code: Rpc.ErrorCode.parse })
      }
    }).pipe(Effect.scoped, Effect.provide(layerBusNode())),
  )
})
