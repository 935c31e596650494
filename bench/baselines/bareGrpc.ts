/**
 * The baseline of gRPC: bare `@grpc/grpc-js`, which takes a publish, decodes it, and answers with the message, storing
 * nothing. Same messages, same bytes, same generated code.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import * as grpc from "@grpc/grpc-js"
import {
  type PublishRequest,
  PublishRequestSchema,
  type PublishResponse,
  PublishResponseSchema,
} from "../../src/protocol/grpc/gen/msgbus/v1/msgbus_pb.ts"

export const publishMethod: grpc.MethodDefinition<PublishRequest, PublishResponse> = {
  path: "/msgbus.v1.MsgbusService/Publish",
  requestStream: false,
  responseStream: false,
  requestSerialize: (request) => Buffer.from(toBinary(PublishRequestSchema, request)),
  requestDeserialize: (bytes) => fromBinary(PublishRequestSchema, bytes),
  responseSerialize: (response) => Buffer.from(toBinary(PublishResponseSchema, response)),
  responseDeserialize: (bytes) => fromBinary(PublishResponseSchema, bytes),
}

/** A server that echoes; gives its address and a way to close it. */
export const startEcho = async (): Promise<readonly [address: string, close: () => void]> => {
  const server = new grpc.Server()
  let headId = 0n
  server.addService(
    { publish: publishMethod },
    {
      publish: (
        call: grpc.ServerUnaryCall<PublishRequest, PublishResponse>,
        answer: grpc.sendUnaryData<PublishResponse>,
      ) => {
        const { topic, payload, headers } = call.request
        const id = crypto.randomUUID()
        const message = { id, topic, payload, headers, headId: ++headId, createdAtMs: BigInt(Date.now()) }
        answer(null, create(PublishResponseSchema, { message }))
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    ),
  )
  return [`127.0.0.1:${port}`, () => server.forceShutdown()]
}

/** Publishes one message after another in `window` calls at a time: messages a second. */
export const unaryPublishes = async (address: string, count: number, window: number): Promise<number> => {
  const client = new grpc.Client(address, grpc.credentials.createInsecure())
  const request = create(PublishRequestSchema, { topic: "bench", payload: Buffer.alloc(100, "x") })
  const publish = () =>
    new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(
        publishMethod.path,
        publishMethod.requestSerialize,
        publishMethod.responseDeserialize,
        request,
        (error) => (error === null ? resolve() : reject(error)),
      )
    })
  let left = count
  const start = performance.now()
  await Promise.all(
    Array.from({ length: window }, async () => {
      while (left-- > 0) await publish()
    }),
  )
  const figure = (count / (performance.now() - start)) * 1000
  client.close()
  return figure
}
