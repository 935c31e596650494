/**
 * A msgbus.v1 client that shares nothing with ours: it reads the definition itself and has its own codec.
 */
import * as grpc from "@grpc/grpc-js"
import * as protoLoader from "@grpc/proto-loader"
import { Effect, Queue } from "effect"
import * as path from "node:path"

const definition = protoLoader.loadSync(path.join(import.meta.dirname, "../../proto/msgbus/v1/msgbus.proto"), {
  longs: String,
  defaults: true,
  keepCase: true,
})
const service = definition["msgbus.v1.MsgbusService"] as grpc.ServiceDefinition

/** The method names of the contract, in its order. */
export const methodNames = Object.keys(service)

export interface Answer {
  readonly message?: {
    readonly id: string
    readonly topic: string
    readonly origin: { readonly tenant_id: string; readonly bl_name: string; readonly device_id: string }
    readonly head_id: string
    readonly payload: Buffer
    readonly headers: Record<string, string>
    readonly created_at_ms: string
    readonly deleted: boolean
  }
  readonly [field: string]: unknown
}

/** How a call failed. */
export interface Failure {
  readonly code: grpc.status
  readonly details: string
}

export interface MsgbusClient {
  readonly call: (method: string, request?: object, deadlineMillis?: number) => Effect.Effect<Answer, Failure>
  /** All answers of a stream that ends. */
  readonly all: (method: string, request: object) => Effect.Effect<ReadonlyArray<Answer>, Failure>
  /** The answers of a stream as they come; fails the queue with what ends it. */
  readonly open: (
    method: string,
    request: object,
  ) => Effect.Effect<{ readonly answers: Queue.Queue<Answer, Failure>; readonly cancel: () => void }>
}

const failureOf = ({ code, details }: grpc.ServiceError): Failure => ({ code, details })

/** @param token shown with every call, if there is one */
export const make = (address: string, token?: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new grpc.Client(address, grpc.credentials.createInsecure())),
      (client) => Effect.sync(() => client.close()),
    ),
    (client): MsgbusClient => {
      const metadata = new grpc.Metadata()
      if (token !== undefined) metadata.set("authorization", `Bearer ${token}`)
      const stream = (method: string, request: object): grpc.ClientReadableStream<Answer> => {
        const { path, requestSerialize, responseDeserialize } = service[method]!
        return client.makeServerStreamRequest<object, Answer>(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
        )
      }
      return {
        call: (method, request = {}, deadlineMillis) =>
          Effect.callback((resume) => {
            const { path, requestSerialize, responseDeserialize } = service[method]!
            client.makeUnaryRequest<object, Answer>(
              path,
              requestSerialize,
              responseDeserialize,
              request,
              metadata,
              deadlineMillis === undefined ? {} : { deadline: Date.now() + deadlineMillis },
              (failure, answer) => resume(failure === null ? Effect.succeed(answer!) : Effect.fail(failureOf(failure))),
            )
          }),
        all: (method, request) =>
          Effect.callback((resume) => {
            const call = stream(method, request)
            const answers: Array<Answer> = []
            call.on("data", (answer: Answer) => void answers.push(answer))
            call.on("error", (failure: grpc.ServiceError) => resume(Effect.fail(failureOf(failure))))
            call.on("end", () => resume(Effect.succeed(answers)))
          }),
        open: (method, request) =>
          Effect.gen(function* () {
            const answers = yield* Queue.unbounded<Answer, Failure>()
            const call = stream(method, request)
            call.on("data", (answer: Answer) => void Queue.offerUnsafe(answers, answer))
            call.on(
              "error",
              (failure: grpc.ServiceError) => void Effect.runFork(Queue.fail(answers, failureOf(failure))),
            )
            return { answers, cancel: () => call.cancel() }
          }),
      }
    },
  )
