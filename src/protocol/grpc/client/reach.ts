/**
 * Whether anything listens at an address, found out by a bare TCP connection before the gRPC library is asked to make one:
 * that gives an attempt all the time that the kernel takes, which is minutes where packets just vanish, and cannot be
 * told to stop. So whoever tries again each second is there a second after the network is back.
 *
 * Where the way is long, an attempt may come to its end after its time is over. Then the next one succeeds at once.
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** How long an attempt is waited for; with it, who tries again after a second more is there within two. */
const waitMillis = 600
/** How long it may go on afterwards. */
const lateMillis = 5000

/**
 * Gives what tries it, and tells how long the connection took, in milliseconds. Fails with the reason where there is
 * nothing, or no answer.
 */
export const make = (address: string): Effect.Effect<Effect.Effect<number, string>, never, Scope.Scope> => {
  const [, host = "", port = ""] = /^\[?(.+?)\]?:(\d+)$/.exec(address) ?? []
  const sockets = new Set<net.Socket>()
  /** How long an attempt took that came to its end too late. */
  let late: number | undefined

  const attempt = Effect.callback<number, string>((resume) => {
    if (late !== undefined) {
      resume(Effect.succeed(late))
      late = undefined
      return
    }
    const began = performance.now()
    const socket = net.connect({ host, port: Number(port) })
    sockets.add(socket)
    let isOver = false
    const finish = (result: Effect.Effect<number, string>): void => {
      isOver = true
      clearTimeout(wait)
      resume(result)
    }
    const wait = setTimeout(() => finish(Effect.fail(`no connection within ${waitMillis} ms`)), waitMillis)
    const end = setTimeout(() => socket.destroy(), waitMillis + lateMillis)
    socket.on("connect", () => {
      const millis = performance.now() - began
      if (isOver) late = millis
      finish(Effect.succeed(millis))
      socket.destroy()
    })
    socket.on("error", (error: NodeJS.ErrnoException) => finish(Effect.fail(error.message || String(error.code))))
    socket.on("close", () => {
      clearTimeout(wait)
      clearTimeout(end)
      sockets.delete(socket)
    })
    return Effect.sync(() => socket.destroy())
  })

  return Effect.acquireRelease(Effect.succeed(attempt), () =>
    Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    }),
  )
}
