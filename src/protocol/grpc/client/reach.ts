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

/** How long an attempt is waited for. */
const waitMillis = 1000
/** How long it may go on afterwards. */
const lateMillis = 5000

/** Gives what tries it: fails with the reason where there is nothing, or no answer. */
export const make = (address: string): Effect.Effect<Effect.Effect<void, string>, never, Scope.Scope> => {
  const [, host = "", port = ""] = /^\[?(.+?)\]?:(\d+)$/.exec(address) ?? []
  const sockets = new Set<net.Socket>()
  let hasComeLate = false

  const attempt = Effect.callback<void, string>((resume) => {
    if (hasComeLate) {
      hasComeLate = false
      return resume(Effect.void)
    }
    const socket = net.connect({ host, port: Number(port) })
    sockets.add(socket)
    let isOver = false
    const finish = (result: Effect.Effect<void, string>): void => {
      isOver = true
      clearTimeout(wait)
      resume(result)
    }
    const wait = setTimeout(() => finish(Effect.fail(`no connection within ${waitMillis} ms`)), waitMillis)
    const late = setTimeout(() => socket.destroy(), waitMillis + lateMillis)
    socket.on("connect", () => {
      if (isOver) hasComeLate = true
      finish(Effect.void)
      socket.destroy()
    })
    socket.on("error", (error: NodeJS.ErrnoException) => finish(Effect.fail(error.message || String(error.code))))
    socket.on("close", () => {
      clearTimeout(wait)
      clearTimeout(late)
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
