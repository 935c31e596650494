/** What RPC promises, to be held wherever its clients are connected: each exchange is a layer. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import * as Exchange from "../../src/exchange/index.ts"
import * as Payload from "../../src/rpc/codec/payload.ts"
import * as Rpc from "../../src/rpc/index.ts"
import { bytes, joined, text, until, within } from "./clients.ts"

const calling = (rpc: Rpc.Rpc, count: number) => until(Effect.map(rpc.figures, (figures) => figures.calling === count))

const echo: Rpc.RpcHandler = ({ params }) => Effect.succeed(params)

export const rpcSuite = <E>(
  name: string,
  layer: () => Layer.Layer<Exchange.Exchange, E>,
  { runs }: { readonly runs: number },
): void => {
  const inExchange = within(layer)

  describe(`calls ${name}`, () => {
    it.live("get what the handler answers, or the error that it fails with", () =>
      inExchange(
        Effect.gen(function* () {
          yield* joined("worker", {
            handlers: {
              who: ({ sender, method, params }) => Effect.succeed(bytes(`${sender} ${method} ${text(params)}`)),
              fail: ({ params }) => Effect.fail(Rpc.rpcError(42, params)),
              die: () => Effect.die(new Error("a secret")),
              throw: () => {
                throw new Error("a secret")
              },
              tooFar: () => Effect.fail(Rpc.rpcError(99_999)),
            },
          })
          const { rpc } = yield* joined("app.caller")
          expect(text(yield* rpc.call("worker", "who", bytes("x")))).toBe("app.caller who x")
          const failure = (method: string) => Effect.flip(rpc.call("worker", method, bytes("é")))
          expect(yield* failure("fail")).toMatchObject({ _tag: "RpcError", code: 42, message: "error 42: é" })
          for (const method of ["die", "throw", "tooFar"]) {
            expect(yield* failure(method)).toMatchObject({ code: -32603, message: "internal error" })
          }
          for (const method of ["unknown", "constructor", "__proto__", ""]) {
            expect(yield* failure(method)).toMatchObject({ _tag: "RpcError", code: -32601 })
          }
          expect(yield* Effect.flip(rpc.call("nobody", "who"))).toMatchObject({ _tag: "NotRegistered", name: "nobody" })
          expect(yield* Effect.flip(rpc.call("worker", "a\0b"))).toMatchObject({ _tag: "InvalidArgument" })
          expect(yield* rpc.figures).toMatchObject({ calling: 0 })
        }),
      ),
    )

    it.live("each get their own answer, however many there are and in whatever order they are answered", () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fc.tuple(fc.nat(2), fc.nat(1), fc.nat(9), fc.boolean()), { maxLength: 60 }),
            (steps) =>
              Effect.runPromise(
                inExchange(
                  Effect.gen(function* () {
                    // Answers at once, or after a while, or fails.
                    const handler: Rpc.RpcHandler = ({ params }) => {
                      const [wait, fails] = text(params).split(" ")
                      const answer = fails === "true" ? Effect.fail(Rpc.rpcError(7, params)) : Effect.succeed(params)
                      return wait === "0" ? answer : Effect.delay(answer, Number(wait))
                    }
                    const workers = ["w0", "w1", "w0%%s"]
                    for (const worker of workers) yield* joined(worker, { handlers: { work: handler } })
                    const callers = [yield* joined("a"), yield* joined("b")]
                    const answers = yield* Effect.forEach(
                      steps,
                      ([worker, caller, wait, fails], i) =>
                        callers[caller]!.rpc.call(workers[worker]!, "work", bytes(`${wait} ${fails} ${i}`)).pipe(
                          Effect.map(text),
                          Effect.catchTag("RpcError", ({ code, data }) => Effect.succeed(`${code} ${text(data)}`)),
                        ),
                      { concurrency: "unbounded" },
                    )
                    expect(answers).toEqual(
                      steps.map(([, , wait, fails], i) => `${fails ? "7 " : ""}${wait} ${fails} ${i}`),
                    )
                    for (const { rpc } of callers) expect(yield* rpc.figures).toMatchObject({ calling: 0 })
                  }),
                ),
              ),
          ),
          { numRuns: runs },
        ),
      ),
    )

    it.live("fail at once when the callee leaves, primary or secondary, and leave others alone", () =>
      inExchange(
        Effect.gen(function* () {
          const handlers = { never: () => Effect.never, echo }
          const names = ["worker", "worker%%2", "odd/#/name", "b/c", "n".repeat(1020)]
          const { rpc } = yield* joined("caller")
          yield* joined("other", { handlers })
          for (const name of names) {
            const primary = name.includes("%%") ? yield* joined("worker") : undefined
            const worker = yield* joined(name, { handlers })
            const others = yield* Effect.forkChild(rpc.call("other", "never"))
            const calls = yield* Effect.forkChild(
              Effect.forEach(["never", "never"], (method) => Effect.flip(rpc.call(name, method)), {
                concurrency: "unbounded",
              }),
            )
            yield* until(Effect.map(worker.rpc.figures, ({ handling }) => handling === 2))
            // What was answered before it left is an answer.
            expect(text(yield* rpc.call(name, "echo", bytes("x")))).toBe("x")
            yield* name === "worker" ? worker.leave : worker.vanish
            const gone = { _tag: "CalleeGone", target: name }
            expect(yield* Fiber.join(calls)).toEqual([expect.objectContaining(gone), expect.objectContaining(gone)])
            expect(yield* rpc.figures).toMatchObject({ calling: 1 })
            yield* Fiber.interrupt(others)
            expect(yield* Effect.flip(rpc.call(name, "never"))).toMatchObject({ _tag: "NotRegistered" })
            if (primary !== undefined) yield* primary.leave
          }
          expect(yield* rpc.figures).toMatchObject({ calling: 0 })
        }),
      ),
    )

    it.live("end, whenever the callee leaves and comes again", () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.array(fc.tuple(fc.nat(6), fc.nat(3), fc.boolean()), { minLength: 1, maxLength: 12 }),
            (rounds) =>
              Effect.runPromise(
                inExchange(
                  Effect.gen(function* () {
                    const { rpc } = yield* joined("caller", { timeout: "Infinity" })
                    for (const [steps, calls, vanishes] of rounds) {
                      const worker = yield* joined("worker", {
                        handlers: { now: echo, never: () => Effect.never, soon: (r) => Effect.delay(echo(r), 0) },
                      })
                      const running = yield* Effect.forEach(
                        ["now", "never", "soon", "now", "never"].slice(0, calls + 1),
                        (method) => Effect.forkChild(Effect.exit(rpc.call("worker", method, bytes("x")))),
                      )
                      for (let i = 0; i < steps; i++) yield* Effect.yieldNow
                      yield* vanishes ? worker.vanish : worker.leave
                      for (const fiber of running) {
                        const exit = yield* Fiber.join(fiber)
                        if (Exit.isFailure(exit)) {
                          const [reason] = exit.cause.reasons
                          expect(reason).toMatchObject({
                            error: { _tag: expect.stringMatching(/^(CalleeGone|NotRegistered)$/) },
                          })
                        }
                      }
                      expect(yield* rpc.figures).toMatchObject({ calling: 0 })
                    }
                  }),
                ).pipe(Effect.timeout("20 seconds")),
              ),
          ),
          { numRuns: runs },
        ),
      ),
    )

    it.live("leave nothing behind when their caller is interrupted", () =>
      inExchange(
        Effect.gen(function* () {
          const answered = yield* Deferred.make<void>()
          yield* joined("worker", {
            handlers: { wait: (request) => Effect.andThen(Deferred.await(answered), echo(request)), echo },
          })
          const { rpc } = yield* joined("caller")
          const calls = yield* Effect.forkChild(
            Effect.forEach([1, 2, 3], () => rpc.call("worker", "wait"), { concurrency: "unbounded" }),
          )
          yield* calling(rpc, 3)
          yield* Fiber.interrupt(calls)
          expect(yield* rpc.figures).toMatchObject({ calling: 0 })
          // Late replies are nobody's.
          yield* Deferred.succeed(answered, undefined)
          expect(text(yield* rpc.call("worker", "echo", bytes("mine")))).toBe("mine")
        }),
      ),
    )

    it.live("believe nobody but the client that was asked, and that once", () =>
      inExchange(
        Effect.gen(function* () {
          const { connect } = yield* Exchange.Exchange
          const worker = yield* connect("worker")
          const forger = yield* connect("worker%%2")
          const { rpc } = yield* joined("caller")
          const call = yield* Effect.forkChild(rpc.call("worker", "x"))
          const [request] = yield* Stream.runCollect(Stream.take(worker.inbox, 1))
          const { callId } = Payload.decode(request!.payload) as { callId: number }
          const answers = (answer: string) => Payload.reply(callId, bytes(answer))
          yield* forger.send("caller", answers("forged"))
          yield* forger.send("caller", Payload.errorReply(callId, 1, bytes("forged")))
          yield* forger.publish(`.broker/gone/worker`, "worker")
          yield* worker.send("caller", Payload.reply(callId + 1, bytes("another's")))
          yield* worker.send("caller", Payload.reply(0, bytes("nobody's")))
          yield* worker.sendAll("caller", [answers("first"), answers("second")])
          expect(text(yield* Fiber.join(call))).toBe("first")
          const next = yield* Effect.forkChild(Effect.flip(rpc.call("worker", "y")))
          yield* Stream.runDrain(Stream.take(worker.inbox, 1))
          yield* worker.send("caller", answers("late"))
          yield* worker.send("caller", Payload.errorReply(callId + 1, 5, bytes("right")))
          expect(yield* Fiber.join(next)).toMatchObject({ code: 5 })
        }),
      ),
    )

    it.live("that cannot be understood are answered with what is wrong, where there is whom to answer", () =>
      inExchange(
        Effect.gen(function* () {
          const { connect } = yield* Exchange.Exchange
          const { rpc } = yield* joined("worker")
          const peer = yield* connect("peer")
          for (const payload of [
            [0x01, 1, 2],
            [0x11, 1],
            [0x12, 1, 0, 0, 0, 1],
            [0x01, 9, 0, 0, 0, 0xff, 0],
          ]) {
            yield* peer.send("worker", new Uint8Array(payload))
          }
          yield* peer.send("worker", Payload.request(0, "unknown", bytes("")))
          yield* peer.send("worker", Payload.request(10, "unknown", bytes("")))
          const replies = yield* Stream.runCollect(Stream.take(peer.inbox, 2))
          expect(replies.map(({ payload }) => Payload.decode(payload))).toMatchObject([
            { type: "errorReply", callId: 9, code: -32600 },
            { type: "errorReply", callId: 10, code: -32601 },
          ])
          expect(yield* rpc.figures).toMatchObject({ handling: 0 })
        }),
      ),
    )

    it.live("fail when the caller is disconnected, or closed", () =>
      inExchange(
        Effect.gen(function* () {
          const worker = yield* joined("worker", { handlers: { never: () => Effect.never } })
          const caller = yield* joined("caller")
          const calls = yield* Effect.forkChild(
            Effect.forEach([1, 2], () => Effect.flip(caller.rpc.call("worker", "never")), {
              concurrency: "unbounded",
            }),
          )
          yield* until(Effect.map(worker.rpc.figures, ({ handling }) => handling === 2))
          yield* caller.vanish
          const disconnected = expect.objectContaining({ _tag: "Disconnected" })
          expect(yield* Fiber.join(calls)).toEqual([disconnected, disconnected])
          expect(yield* Effect.flip(caller.rpc.call("worker", "never"))).toEqual(disconnected)
          expect(yield* Stream.runCollect(caller.rpc.inbox)).toEqual([])
        }),
      ),
    )
  })

  describe(`what is handled ${name}`, () => {
    it.live("runs side by side, up to a bound, beyond which callers hear that it is busy", () =>
      inExchange(
        Effect.gen(function* () {
          const open = yield* Deferred.make<void>()
          const worker = yield* joined("worker", {
            handledMax: 3,
            handlers: { wait: (request) => Effect.andThen(Deferred.await(open), echo(request)) },
          })
          const { rpc } = yield* joined("caller")
          const calls = yield* Effect.forkChild(
            Effect.forEach(["1", "2", "3"], (n) => Effect.map(rpc.call("worker", "wait", bytes(n)), text), {
              concurrency: "unbounded",
            }),
          )
          yield* until(Effect.map(worker.rpc.figures, ({ handling }) => handling === 3))
          expect(yield* Effect.flip(rpc.call("worker", "wait"))).toMatchObject({ code: Rpc.ErrorCode.busy })
          expect(yield* worker.rpc.figures).toMatchObject({ handling: 3, refused: 1 })
          yield* Deferred.succeed(open, undefined)
          expect(yield* Fiber.join(calls)).toEqual(["1", "2", "3"])
          yield* until(Effect.map(worker.rpc.figures, ({ handling }) => handling === 0))
          expect(text(yield* rpc.call("worker", "wait", bytes("again")))).toBe("again")
        }),
      ),
    )

    it.live("is interrupted when its scope closes, and its caller is told", () =>
      inExchange(
        Effect.gen(function* () {
          const { connect } = yield* Exchange.Exchange
          const interrupted = yield* Deferred.make<void>()
          const client = yield* connect("worker")
          const scope = yield* Scope.fork(yield* Effect.scope)
          const handlers = {
            wait: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined)),
          }
          const worker = yield* Scope.provide(Rpc.make(client, { handlers }), scope)
          const { rpc } = yield* joined("caller")
          const call = yield* Effect.forkChild(Effect.flip(rpc.call("worker", "wait")))
          yield* until(Effect.map(worker.figures, ({ handling }) => handling === 1))
          yield* Scope.close(scope, Exit.void)
          yield* Deferred.await(interrupted)
          expect(yield* Fiber.join(call)).toMatchObject({ _tag: "CalleeGone" })
          // The client is as it was before.
          yield* rpc.client.send("worker", "hello")
          const [message] = yield* Stream.runCollect(Stream.take(client.inbox, 1))
          expect(text(message!.payload)).toBe("hello")
        }),
      ),
    )

    it.live("may call others, and itself, meanwhile", () =>
      inExchange(
        Effect.gen(function* () {
          const { connect } = yield* Exchange.Exchange
          const client = yield* connect("worker")
          const worker: Rpc.Rpc = yield* Rpc.make(client, {
            handlers: {
              down: ({ params }) => {
                const n = Number(text(params))
                return n === 0
                  ? Effect.succeed(bytes("done"))
                  : Effect.mapError(
                      Effect.suspend(() => worker.call("worker", "down", bytes(`${n - 1}`))),
                      (error) => Rpc.rpcError(1, error.message),
                    )
              },
            },
          })
          const { rpc } = yield* joined("caller")
          expect(text(yield* rpc.call("worker", "down", bytes("20")))).toBe("done")
        }),
      ),
    )

    it.live("may want no reply: requests with call id 0, and notifications, in the order of sending", () =>
      inExchange(
        Effect.gen(function* () {
          const seen: Array<string> = []
          const note = (what: string) => Effect.sync(() => void seen.push(what))
          yield* joined("worker", {
            handlers: { note: ({ params }) => Effect.as(note(text(params)), params), fail: () => Rpc.rpcError(1) },
            fallback: ({ method }) => Effect.succeed(bytes(`any ${method}`)),
            onNotification: ({ sender, payload }) => note(`${sender}: ${text(payload)}`),
          })
          const { rpc } = yield* joined("caller")
          yield* rpc.callNoReply("worker", "note", bytes("1"))
          yield* rpc.notify("worker", "2")
          yield* rpc.callNoReply("worker", "fail")
          yield* rpc.notify("worker", bytes("3"))
          expect(text(yield* rpc.call("worker", "other"))).toBe("any other")
          expect(seen).toEqual(["1", "caller: 2", "caller: 3"])
          expect(yield* Effect.flip(rpc.notify("nobody", ""))).toMatchObject({ _tag: "NotRegistered" })
          expect(yield* Effect.flip(rpc.callNoReply("nobody", "x"))).toMatchObject({ _tag: "NotRegistered" })
        }),
      ),
    )
  })

  describe(`what is no RPC ${name}`, () => {
    it.live("comes out of the inbox, and waits there within its bounds", () =>
      inExchange(
        Effect.gen(function* () {
          const { rpc } = yield* joined("app.one", { inboxFramesMax: 3, handlers: { echo } })
          const { rpc: other } = yield* joined("app.two")
          yield* rpc.client.subscribe("news/#")
          yield* other.client.broadcast("app.one", "1")
          yield* other.call("app.one", "echo")
          yield* other.client.publish("news/a", "2")
          yield* other.client.send("app.one", "3")
          yield* other.client.send("app.one", "4")
          // Who does not read is still answered.
          yield* other.call("app.one", "echo")
          expect(yield* rpc.figures).toMatchObject({ dropped: 1 })
          const waiting = yield* Effect.forkChild(Stream.runCollect(Stream.take(rpc.inbox, 4)))
          yield* Effect.yieldNow
          yield* other.client.send("app.one", "5")
          const all = yield* Fiber.join(waiting)
          expect(all.map(({ kind, payload }) => `${kind} ${text(payload)}`)).toEqual([
            "broadcast 1",
            "publication 2",
            "message 3",
            "message 5",
          ])
        }),
      ),
    )
  })
}
