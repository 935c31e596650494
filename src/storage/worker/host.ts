/**
 * The program of a storage thread: loads a backend, opens its store when told to, and answers calls until it is told to
 * close. It starts calls in the order in which they come; the store sees to it that they take effect in that order.
 */
import { parentPort, workerData } from "node:worker_threads"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { StoreUnusable } from "../../domain/errors.ts"
import type { LogId } from "../../domain/LogId.ts"
import type { Message } from "../../domain/Message.ts"
import { fromContext, type Stores, type StoreServices } from "../Stores.ts"
import {
  encodedBlocks,
  type PackedDrafts,
  type PackedReplicas,
  packMessages,
  type PackedMessages,
  packPlaces,
  unpackBlocks,
  unpackDrafts,
  unpackReplicas,
} from "./Codec.ts"
import { acceptBlocks, readBlocks, runOf } from "../parts/ReplicaBlocks.ts"
import { buffersOf } from "./itemBuffers.ts"
import {
  type Answers,
  type CallError,
  encodeCallError,
  encodeRefusal,
  type OpenRequest,
  type Operation,
  type OperationName,
  type Request,
  type Response,
} from "./Protocol.ts"
import type { ThreadData } from "./spawn.ts"

/** What a backend's module exports to run in a thread. */
interface BackendModule {
  readonly layer: (options: unknown) => Layer.Layer<StoreServices, StoreUnusable>
  /** Opens the same store to read, beside the one that writes. */
  readonly layerReader?: (options: unknown) => Layer.Layer<StoreServices, StoreUnusable>
  /** Whether the payloads of a page that is read belong to who reads it, and to nobody else. */
  readonly pagesAreOwn?: boolean
}

/** Whether payloads that were read are ours, see `BackendModule`. */
let pagesAreOwn = false

/**
 * Packs what was read. Then its payloads are not waited for to be collected: they are outside of the heap, so that V8
 * sees little reason to look for them, and they would add up to many pages.
 */
const packPage = (messages: ReadonlyArray<Message>): PackedMessages => {
  const packed = packMessages(messages)
  if (!pagesAreOwn) return packed
  for (const { payload } of messages) {
    if (payload.byteLength > 0) (payload.buffer as ArrayBuffer).transfer(0)
  }
  return packed
}

const port = parentPort!
const { module } = workerData as ThreadData
const loading = import(module) as Promise<BackendModule>
const scope = Scope.makeUnsafe()
/** Calls that are not answered yet. */
const underWay = new Map<number, Fiber.Fiber<Answer, CallError>>()
/** The call that waits for the store to give up: it does not hold up its closing. */
let watching: Fiber.Fiber<Answer, CallError> | undefined
let stores: Stores | undefined
let opening: Promise<void> = Promise.resolve()

const reply = (response: Response, transfer: ReadonlyArray<ArrayBuffer> = []): void =>
  port.postMessage(response, transfer)

const open = async ({ options, role }: OpenRequest): Promise<void> => {
  const backend = await loading
  pagesAreOwn = backend.pagesAreOwn === true
  const layer = role === "reader" && backend.layerReader !== undefined ? backend.layerReader : backend.layer
  const exit = await Effect.runPromiseExit(Layer.buildWithScope(layer(options), scope))
  if (Exit.isSuccess(exit)) {
    stores = fromContext(exit.value)
    reply({ type: "opened", info: stores.logs.info })
    return
  }
  const error = Exit.findErrorOption(exit)
  if (Option.isSome(error)) reply({ type: "refused", error: encodeRefusal(error.value) })
  else reply({ type: "died", call: undefined, description: Cause.pretty(exit.cause) })
  await end()
}

/** What an operation answers, and the buffers in it. */
interface Answer {
  readonly answer: Answers[OperationName]
  readonly transfer?: ReadonlyArray<ArrayBuffer>
}

/** Sets free what was stored: like the payloads of a page, it would wait for long. A store has kept none of it. */
const letGo = ({ bytes }: { readonly bytes: ArrayBuffer }): void => void bytes.transfer(0)

const appendAll = (logs: Stores["logs"], requests: PackedDrafts): Effect.Effect<Answers["append"], CallError> =>
  requests.keys === undefined && logs.appendBlocks !== undefined
    ? Effect.map(logs.appendBlocks(unpackBlocks(requests)), (places) => ({ places: packPlaces(places) }))
    : Effect.map(logs.append(unpackDrafts(requests)), (result) => ({ result }))

const acceptAll = (
  logs: Stores["logs"],
  log: LogId,
  messages: PackedReplicas,
): Effect.Effect<Answers["accept"], CallError> =>
  messages.first !== undefined
    ? acceptBlocks(logs, log, messages.first, encodedBlocks(messages))
    : Effect.map(logs.accept(log, unpackReplicas(messages)), runOf)

const perform = ({ cursors, logs, queues, records }: Stores, call: Operation): Effect.Effect<Answer, CallError> => {
  switch (call.operation) {
    case "append":
      return Effect.map(appendAll(logs, call.requests), (answer) => {
        letGo(call.requests)
        return { answer }
      })
    case "accept":
      return Effect.map(acceptAll(logs, call.log, call.messages), (answer) => {
        letGo(call.messages)
        return { answer }
      })
    case "tombstone":
      return Effect.map(logs.tombstone(call.request), ({ deleted, marker }) => ({
        answer: { deleted, marker: marker === undefined ? undefined : packMessages([marker]) },
      }))
    case "discard":
      return Effect.map(logs.discard(call.log, call.from), (answer) => ({ answer }))
    case "readLog":
      return Effect.map(logs.readLog(call.log, call.from, call.limit), (messages) => {
        const answer = packPage(messages)
        return { answer, transfer: [answer.payloads.bytes] }
      })
    case "readBlocks":
      return Effect.map(readBlocks(logs, call.log, call.from, call.limit), (answer) => ({
        answer,
        transfer: answer.map(({ content }) => content.buffer as ArrayBuffer),
      }))
    case "readJournal":
      return Effect.map(logs.readJournal(call.after, call.filter, call.limit), (page) => {
        const messages = packPage(page.messages)
        return { answer: { messages, scannedTo: page.scannedTo, end: page.end }, transfer: [messages.payloads.bytes] }
      })
    case "head":
      return Effect.map(logs.head(call.log), (head) => ({ answer: Option.getOrElse(head, () => 0) }))
    case "heads":
      return Effect.map(logs.heads, (answer) => ({ answer }))
    case "end":
      return Effect.map(logs.end, (answer) => ({ answer }))
    case "check":
      return Effect.as(logs.check, { answer: undefined })
    case "stopped":
      return Effect.map(logs.stopped ?? Effect.never, (answer) => ({ answer }))
    case "apply":
      return Effect.map(queues.apply(call.operations), (answer) => ({ answer }))
    case "page":
      return Effect.map(queues.page(call.queue, call.after, call.limit), (answer) => ({
        answer,
        transfer: buffersOf(answer.blocks),
      }))
    case "queues":
      return Effect.map(queues.queues, (answer) => ({ answer }))
    case "claim":
      return Effect.map(cursors.claim(call.claim), (answer) => ({ answer }))
    case "move":
      return Effect.map(cursors.move(call.moves), (answer) => ({ answer }))
    case "reset":
      return Effect.map(cursors.reset(call.reset), (answer) => ({ answer }))
    case "delete":
      return Effect.map(cursors.delete(call.name), (answer) => ({ answer }))
    case "cursors":
      return Effect.map(cursors.cursors, (answer) => ({ answer }))
    case "write":
      return Effect.as(records.write(call.change), { answer: undefined })
    case "records":
      return Effect.map(records.records(call.prefix), (answer) => ({ answer }))
  }
}

const answer = (stores: Stores, call: number, operation: Operation): void => {
  const fiber = Effect.runFork(Effect.suspend(() => perform(stores, operation)))
  underWay.set(call, fiber)
  if (operation.operation === "stopped") watching = fiber
  fiber.addObserver((exit) => {
    underWay.delete(call)
    if (Exit.isSuccess(exit)) return reply({ type: "answer", call, answer: exit.value.answer }, exit.value.transfer)
    const error = Exit.findErrorOption(exit)
    if (Option.isSome(error)) reply({ type: "failed", call, error: encodeCallError(error.value) })
    else if (!Exit.hasInterrupts(exit)) reply({ type: "died", call, description: Cause.pretty(exit.cause) })
  })
}

const close = async (): Promise<void> => {
  await opening
  await end()
}

const end = async (): Promise<void> => {
  watching?.interruptUnsafe()
  await Effect.runPromise(Effect.andThen(Fiber.awaitAll(underWay.values()), Scope.close(scope, Exit.void)))
  // Nothing is left to listen to: the thread ends.
  port.close()
}

port.on("message", (request: Request) => {
  switch (request.type) {
    case "open":
      opening = open(request.open)
      return
    case "call":
      return answer(stores!, request.call, request.operation)
    case "interrupt":
      return underWay.get(request.call)?.interruptUnsafe()
    case "close":
      return void close()
  }
})
