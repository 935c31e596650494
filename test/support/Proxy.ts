/**
 * A TCP proxy between a client and a node, for what networks do: connections break, answers do not come.
 */
import { Effect } from "effect"
import * as net from "node:net"

export interface Proxy {
  readonly port: number
  /** For a client of gRPC. */
  readonly url: string
  /** Breaks all connections; new ones are made. */
  readonly cut: () => void
  /** Breaks all connections with a reset, as a host does that has forgotten them. */
  readonly reset: () => void
  /** The connections that there are now lead nowhere any more, and neither side is told. New ones work. */
  readonly vanish: () => void
  /** The same, and for new connections too, which are made and lead nowhere, until it is over. */
  readonly swallow: (yes: boolean) => void
  /** From now on the node's answers are lost. */
  readonly mute: () => void
  /** Back to normal, for new connections. */
  readonly restore: () => void
  /** New connections are refused, or not. */
  readonly refuse: (yes: boolean) => void
  /** When so many bytes have come from the node, all connections break, and new ones are refused. */
  readonly breakAfter: (bytes: number) => void
  /** Whether that has happened. */
  readonly isBroken: () => boolean
  /** Bytes that came from the client. */
  readonly receivedBytes: () => number
  /** Bytes that came from the node. */
  readonly sentBytes: () => number
}

export const make = (targetPort: number) =>
  Effect.gen(function* () {
    const sockets = new Set<net.Socket>()
    let isMuted = false
    let generation = 0
    let isRefusing = false
    let isSwallowing = false
    let isClosing = false
    let receivedBytes = 0
    let sentBytes = 0
    let sentBytesMax = Number.POSITIVE_INFINITY
    const server = net.createServer((client) => {
      if (isRefusing) return void client.destroy()
      const node = net.connect(targetPort, "127.0.0.1")
      const both = [client, node]
      const made = isSwallowing ? -1 : generation
      const isGone = (): boolean => made < generation
      for (const socket of both) {
        sockets.add(socket)
        socket.on("error", () => undefined)
        socket.on("close", () => {
          sockets.delete(socket)
          if (!isGone() || isClosing) for (const other of both) other.destroy()
        })
      }
      client.on("data", (bytes) => {
        receivedBytes += bytes.length
        if (!isGone()) node.write(bytes)
      })
      node.on("data", (bytes) => {
        sentBytes += bytes.length
        if (sentBytes > sentBytesMax) {
          isRefusing = true
          for (const socket of sockets) socket.destroy()
        } else if (!isMuted && !isGone()) client.write(bytes)
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          isClosing = true
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        }),
    )
    const { port } = server.address() as net.AddressInfo
    const proxy: Proxy = {
      port,
      url: `grpc://127.0.0.1:${port}`,
      cut: () => {
        for (const socket of sockets) socket.destroy()
      },
      reset: () => {
        for (const socket of sockets) socket.resetAndDestroy()
      },
      vanish: () => {
        generation++
      },
      swallow: (yes) => {
        isSwallowing = yes
        generation++
      },
      mute: () => {
        isMuted = true
      },
      restore: () => {
        isMuted = false
      },
      refuse: (yes) => {
        isRefusing = yes
        if (!yes) sentBytesMax = Number.POSITIVE_INFINITY
      },
      breakAfter: (bytes) => {
        sentBytesMax = bytes
      },
      isBroken: () => sentBytes > sentBytesMax,
      receivedBytes: () => receivedBytes,
      sentBytes: () => sentBytes,
    }
    return proxy
  })
