/**
 * A TCP proxy that lets a request through and loses its answer: the server has done what it was asked for, and nobody is
 * told.
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"

export interface CuttingProxy {
  readonly port: number
  /** Cuts the connection of the next request that has this text in it, when its answer comes. */
  readonly cutAnswerTo: (text: string) => void
  /** How many were cut. */
  readonly cuts: () => number
}

export const makeCuttingProxy = (targetPort: number) =>
  Effect.gen(function* () {
    const sockets = new Set<net.Socket>()
    let wanted: string | undefined
    let cuts = 0
    const server = net.createServer((client) => {
      const target = net.connect(targetPort, "127.0.0.1")
      let isDoomed = false
      for (const [socket, other] of [
        [client, target],
        [target, client],
      ] as const) {
        sockets.add(socket)
        socket.on("error", () => undefined)
        socket.on("close", () => {
          sockets.delete(socket)
          other.destroy()
        })
      }
      client.on("data", (bytes) => {
        if (wanted !== undefined && bytes.includes(wanted)) {
          wanted = undefined
          isDoomed = true
        }
        target.write(bytes)
      })
      target.on("data", (bytes) => {
        if (!isDoomed) return void client.write(bytes)
        cuts += 1
        client.destroy()
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.callback<void>((resume) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => resume(Effect.void))
        }),
    )
    const { port } = server.address() as net.AddressInfo
    const proxy: CuttingProxy = {
      port,
      cutAnswerTo: (text) => {
        wanted = text
      },
      cuts: () => cuts,
    }
    return proxy
  })
