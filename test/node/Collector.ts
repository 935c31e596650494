/**
 * A small OpenTelemetry collector: takes OTLP over HTTP as JSON, and keeps it.
 */
import { createServer } from "node:http"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { afterAll } from "vitest"

interface Attribute {
  readonly key: string
  readonly value: {
    readonly stringValue?: string
    readonly intValue?: string | number
    readonly doubleValue?: number
    readonly boolValue?: boolean
  }
}

interface Link {
  readonly traceId: string
  readonly spanId: string
}

export interface CollectedSpan {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer */
  readonly kind: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: ReadonlyArray<Link>
}

export interface CollectedLog {
  readonly service: string
  readonly text: string
}

const plain = (attributes: ReadonlyArray<Attribute> = []): Record<string, unknown> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue,
    ]),
  )

const serviceOf = (resource: { readonly attributes: ReadonlyArray<Attribute> }): string =>
  String(plain(resource.attributes)["service.name"])

// oxlint-disable-next-line typescript/no-explicit-any
type Json = any

export class Collector {
  readonly spans: Array<CollectedSpan> = []
  readonly metrics = new Set<string>()
  readonly logs: Array<CollectedLog> = []
  readonly #watchers = new Set<() => void>()
  readonly #server = createServer((request, response) => {
    const pieces: Array<Buffer> = []
    request.on("data", (piece: Buffer) => pieces.push(piece))
    request.on("end", () => {
      this.#take(request.url ?? "", JSON.parse(Buffer.concat(pieces).toString("utf8")))
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
      for (const watcher of this.#watchers) watcher()
    })
  })

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1")
    await once(this.#server, "listening")
    afterAll(() => void this.#server.close())
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resolves with what is found, as soon as there is something. */
  until<A>(find: (collector: this) => A | undefined): Promise<A> {
    return new Promise((resolve) => {
      const look = () => {
        const found = find(this)
        if (found === undefined) return
        this.#watchers.delete(look)
        resolve(found)
      }
      this.#watchers.add(look)
      look()
    })
  }

  /** The span of this name that a service sent, when it has come. */
  span(service: string, name: string): Promise<CollectedSpan> {
    return this.until(({ spans }) => spans.find((span) => span.service === service && span.name === name))
  }

  #take(path: string, body: Json): void {
    for (const { resource, scopeSpans } of body.resourceSpans ?? []) {
      for (const span of scopeSpans.flatMap(({ spans }: Json) => spans)) {
        this.spans.push({ ...span, service: serviceOf(resource), attributes: plain(span.attributes) })
      }
    }
    for (const { scopeMetrics } of body.resourceMetrics ?? []) {
      for (const { name } of scopeMetrics.flatMap(({ metrics }: Json) => metrics)) this.metrics.add(name)
    }
    for (const { resource, scopeLogs } of body.resourceLogs ?? []) {
      for (const { body } of scopeLogs.flatMap(({ logRecords }: Json) => logRecords)) {
        this.logs.push({ service: serviceOf(resource), text: JSON.stringify(body) })
      }
    }
    if (!/^\/v1\/(traces|metrics|logs)$/.test(path)) throw new Error(`no such path: ${path}`)
  }
}
