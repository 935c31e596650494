/** Calls whose parameters and results are values. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Exchange from "../../src/exchange/index.ts"
import * as Rpc from "../../src/rpc/index.ts"
import { bytes, joined, within } from "./clients.ts"

const layer = () => Layer.provide(Exchange.layer, Exchange.Router.layer())

const Params = Schema.Struct({ name: Schema.String, count: Schema.optionalKey(Schema.Int) })

it.effect("values are decoded at both edges, and told apart from what was not agreed", () =>
  within(layer)(
    Effect.gen(function* () {
      yield* joined("worker", {
        handlers: {
          greet: Rpc.valueHandler(Params, ({ name, count = 1 }, { sender }) =>
            name === "nobody"
              ? Effect.fail(Rpc.rpcError(404, name))
              : Effect.succeed({ text: `${sender} greets ${name}`, count, big: 2n ** 60n }),
          ),
          nothing: Rpc.valueHandler(Schema.Undefined, () => Effect.void),
          garbage: () => Effect.succeed(new Uint8Array([0xc1])),
        },
      })
      const { rpc } = yield* joined("app")
      const Greeting = Schema.Struct({ text: Schema.String, count: Schema.Int, big: Schema.BigInt })
      expect(yield* Rpc.callValue(rpc, "worker", "greet", { name: "Ada", count: 3 }, Greeting)).toEqual({
        text: "app greets Ada",
        count: 3,
        big: 2n ** 60n,
      })
      expect(yield* Rpc.callValue(rpc, "worker", "nothing", undefined, Schema.Undefined)).toBeUndefined()
      const failure = <S extends Schema.Codec<unknown>>(method: string, params: unknown, result: S) =>
        Effect.flip(Rpc.callValue(rpc, "worker", method, params, result))
      expect(yield* failure("greet", { name: "nobody" }, Greeting)).toMatchObject({ _tag: "RpcError", code: 404 })
      expect(yield* failure("greet", { name: 1 }, Greeting)).toMatchObject({ _tag: "RpcError", code: -32602 })
      expect(yield* failure("greet", undefined, Greeting)).toMatchObject({ _tag: "RpcError", code: -32602 })
      expect(yield* failure("nothing", {}, Greeting)).toMatchObject({ _tag: "RpcError", code: -32602 })
      expect(yield* Effect.flip(rpc.call("worker", "greet", bytes("\u{1f600}")))).toMatchObject({ code: -32700 })
      expect(yield* failure("greet", { name: "Ada" }, Schema.String)).toMatchObject({ _tag: "ResultInvalid" })
      expect(yield* failure("garbage", null, Schema.String)).toMatchObject({
        _tag: "ResultInvalid",
        message: "what worker answered to garbage is not as agreed: the byte 0xc1 is never used",
      })
    }),
  ),
)
