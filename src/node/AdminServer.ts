/**
 * HTTP for those who run a node: `/healthz` (the process answers), `/readyz` (it can do its work now, or why not; then what
 * somebody should look at all the same) and `/metrics` (Prometheus text).
 *
 * It is there before the other listeners and goes after them, so that a node which starts or drains says so.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Readiness, sentence } from "../readiness/index.ts"
import { Stats } from "../stats/Stats.ts"
import * as Address from "./Address.ts"
import { reasonOf, StartFailed } from "./StartFailed.ts"

interface Reply {
  readonly status: number
  readonly body: string
  readonly contentType?: string
}

export class AdminServer extends Context.Service<
  AdminServer,
  {
    /** `http://HOST:PORT`; absent where the endpoint is off. */
    readonly url: string | undefined
  }
>()("millrace/node/AdminServer") {
  static readonly layer = (
    address: Address.Address | "off",
  ): Layer.Layer<AdminServer, StartFailed, Readiness | Stats> => Layer.effect(AdminServer, make(address))
}

const make = Effect.fnUntraced(function* (
  address: Address.Address | "off",
): Effect.fn.Return<AdminServer["Service"], StartFailed, Readiness | Stats | Scope.Scope> {
  if (address === "off") return AdminServer.of({ url: undefined })

  const { current, remarks } = yield* Readiness
  const stats = yield* Stats
  const services = yield* Effect.context()
  const runFork = Effect.runForkWith(services)

  // Probes look at the status, people at the first line, and at what else there is to say.
  const readiness: Effect.Effect<Reply> = Effect.zipWith(current, remarks, (state, remarked) => ({
    status: state.ready ? 200 : 503,
    body: [sentence(state), ...remarked].map((line) => `${line}\n`).join(""),
  }))

  const exposition: Effect.Effect<Reply> = Effect.gen(function* () {
    // It brings effect's HTTP router along, which takes longer to load than many a node to start.
    const { formatUnsafe } = yield* Effect.promise(() => import("effect/observability/PrometheusMetrics"))
    // What has to be looked up is looked up by this.
    yield* Effect.ignore(stats.current)
    return { status: 200, body: formatUnsafe(services), contentType: "text/plain; version=0.0.4; charset=utf-8" }
  })

  const pages: Readonly<Record<string, Effect.Effect<Reply>>> = {
    "/healthz": Effect.succeed({ status: 200, body: "SERVING\n" }),
    "/readyz": readiness,
    "/metrics": exposition,
  }

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? "").split("?", 1)[0]!
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined
    const reply: Effect.Effect<Reply> =
      page === undefined
        ? Effect.succeed({ status: 404, body: "There are /healthz, /readyz and /metrics.\n" })
        : request.method === "GET" || request.method === "HEAD"
          ? page
          : Effect.succeed({ status: 405, body: "Only GET is answered.\n" })
    runFork(reply).addObserver((exit) => {
      const { status, body, contentType } = Exit.isSuccess(exit)
        ? exit.value
        : { status: 500, body: `${Cause.pretty(exit.cause)}\n`, contentType: undefined }
      response.writeHead(status, { "content-type": contentType ?? "text/plain; charset=utf-8" })
      response.end(request.method === "HEAD" ? undefined : body)
    })
  }

  const server = yield* Effect.acquireRelease(listen(handle, address), close)
  return AdminServer.of({ url: `http://${Address.format(boundTo(server, address))}` })
})

const boundTo = (server: Server, asked: Address.Address): Address.Address => {
  const bound = server.address() as AddressInfo
  return { host: asked.host, port: bound.port }
}

const listen = (
  handle: (request: IncomingMessage, response: ServerResponse) => void,
  address: Address.Address,
): Effect.Effect<Server, StartFailed> =>
  Effect.callback((resume) => {
    const server = createServer({ requestTimeout: 10_000, headersTimeout: 5000, maxHeaderSize: 8192 }, handle)
    server.maxConnections = 128
    server.once("error", (cause) => {
      resume(
        new StartFailed({
          message: `the admin endpoint cannot listen on ${Address.format(address)}: ${reasonOf(cause)}`,
        }),
      )
    })
    server.listen(address.port, address.host, () => resume(Effect.succeed(server)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })
