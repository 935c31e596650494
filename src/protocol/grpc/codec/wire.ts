/**
 * How the generated descriptors meet the gRPC library: a method's path, and the functions between messages and bytes.
 */
import {
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf"

export type Method<I extends DescMessage, O extends DescMessage> =
  | DescMethodUnary<I, O>
  | DescMethodServerStreaming<I, O>
  | DescMethodBiDiStreaming<I, O>

/** `/package.Service/Method` */
export const path = <I extends DescMessage, O extends DescMessage>(method: Method<I, O>): string =>
  `/${method.parent.typeName}/${method.name}`

/** An answer that writes itself. */
export interface SelfEncoding {
  /** About how many bytes it takes. */
  readonly bytes: number
  /** Its bytes, which need not last: gRPC copies them at once. */
  readonly encode: () => Buffer
}

const isSelfEncoding = (answer: object): answer is SelfEncoding => !("$typeName" in answer)

/** What a server may answer where a message is due. */
export type Answer<D extends DescMessage> = MessageShape<D> | SelfEncoding

/** A message's bytes, as the Buffer that gRPC wants. */
export const serializer =
  <D extends DescMessage>(schema: D) =>
  (message: Answer<D>): Buffer => {
    if (isSelfEncoding(message)) return message.encode()
    const bytes = toBinary(schema, message)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

/** About how many bytes an answer takes, where `weigh` says it of a message. */
export const weigher =
  <D extends DescMessage>(weigh: (message: MessageShape<D>) => number) =>
  (answer: Answer<D>): number =>
    isSelfEncoding(answer) ? answer.bytes : weigh(answer)

/** A message from its bytes; throws where they are not one. */
export const deserializer =
  <D extends DescMessage>(schema: D) =>
  (bytes: Buffer): MessageShape<D> =>
    fromBinary(schema, bytes)

/** What a request was when its bytes could not be read: servers answer it as an invalid argument. */
export const malformed: unique symbol = Symbol("millrace/protocol/grpc/malformed")

/** Like `deserializer`, for servers: what cannot be read becomes `malformed`, so that the answer can say so. */
export const requestReader =
  <D extends DescMessage>(schema: D) =>
  (bytes: Buffer): MessageShape<D> | typeof malformed => {
    try {
      return fromBinary(schema, bytes)
    } catch {
      return malformed
    }
  }
