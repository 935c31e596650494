/**
 * A client that is nothing but a socket, which can do what no library would.
 */
import * as net from "node:net"
import { ClientFrameWriter } from "../../../src/protocol/busrt/codec/clientFrames.ts"
import { greeting, registration } from "../../../src/protocol/busrt/codec/handshake.ts"
import { decoder, type ServerFrame } from "../../../src/protocol/busrt/codec/serverFrames.ts"
import type { Endpoint } from "../../../src/transport/Endpoint.ts"

export type AckFrame = Extract<ServerFrame, { readonly type: "ack" }>

export class RawClient {
  readonly socket: net.Socket
  /** What came before the client was registered. */
  handshake: Array<number> = []
  readonly frames: Array<ServerFrame> = []
  /** Only as many, where frames are counted but not looked at. */
  keepsFrames = true
  frameCount = 0
  isClosed = false
  readonly #decoder = decoder()
  #isRegistered = false
  #watchers: Array<() => void> = []
  #opId = 0

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on("data", (chunk: Buffer) => {
      let rest: Uint8Array = chunk
      if (!this.#isRegistered) {
        // Greeting, accepted, registered: five bytes, if all is well.
        const missing = 5 - this.handshake.length
        this.handshake.push(...chunk.subarray(0, missing))
        rest = chunk.subarray(missing)
        this.#isRegistered = this.handshake.length === 5
      }
      for (const frame of rest.byteLength > 0 ? this.#decoder.push(rest).frames : []) {
        if (frame.type === "nop") continue
        this.frameCount++
        if (this.keepsFrames) this.frames.push(frame)
      }
      this.#look()
    })
    socket.on("error", () => {})
    socket.on("close", () => {
      this.isClosed = true
      this.#look()
    })
  }

  /** Connects, and says nothing. */
  static open(endpoint: Endpoint): Promise<RawClient> {
    const socket =
      endpoint.kind === "unix"
        ? net.connect(endpoint.path)
        : "host" in endpoint
          ? net.connect(endpoint.port, endpoint.host)
          : undefined
    if (socket === undefined) throw new Error(`a raw client does not connect to ${endpoint.kind}`)
    return new Promise((resolve, reject) => {
      socket.once("error", reject)
      socket.once("connect", () => resolve(new RawClient(socket)))
    })
  }

  /** Connects, and asks for a name. Gives the last byte of the answer; undefined where there was none. */
  static async register(endpoint: Endpoint, name: string | Uint8Array): Promise<[RawClient, number | undefined]> {
    const client = await RawClient.open(endpoint)
    const asked = typeof name === "string" ? registration(name) : name
    client.socket.write(Buffer.concat([greeting, asked]))
    await client.until(() => client.isClosed || client.handshake.length === 5)
    return [client, client.handshake[4]]
  }

  /** Connects under a name that it gets. */
  static async connected(endpoint: Endpoint, name: string): Promise<RawClient> {
    const [client, answer] = await RawClient.register(endpoint, name)
    if (answer !== 1) throw new Error(`the name ${name} was refused with ${answer}`)
    return client
  }

  /** Resolves when something is so; looks whenever something has come, or the connection is closed. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (isSo()) resolve()
        else this.#watchers.push(look)
      }
      look()
    })
  }

  get closed(): Promise<void> {
    return this.until(() => this.isClosed)
  }

  send(write: (writer: ClientFrameWriter) => void): void {
    const writer = new ClientFrameWriter()
    write(writer)
    this.socket.write(writer.finish())
  }

  /** Sends one frame that wants an ack, and gives the codes of all its acks: the last is ok, or the only one. */
  async ask(write: (writer: ClientFrameWriter, opId: number) => void, acks = 1): Promise<ReadonlyArray<number>> {
    const opId = ++this.#opId
    this.send((writer) => write(writer, opId))
    const mine = (): ReadonlyArray<AckFrame> =>
      this.frames.filter((frame): frame is AckFrame => frame.type === "ack" && frame.opId === opId)
    await this.until(() => this.isClosed || mine().length >= acks)
    return mine().map(({ result }) => result)
  }

  #look(): void {
    const watchers = this.#watchers
    this.#watchers = []
    for (const look of watchers) look()
  }
}
