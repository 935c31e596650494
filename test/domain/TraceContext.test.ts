import { Option, Tracer } from "effect"
import { describe, expect, it } from "vitest"
import * as TraceContext from "../../src/domain/TraceContext.ts"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanId = "b7ad6b7169203331"
const traceparent = `00-${traceId}-${spanId}-01`

describe("a trace context", () => {
  it("is read where it is one, also of a later version", () => {
    expect(TraceContext.read(traceparent)).toMatchObject({ traceId, spanId, sampled: true })
    expect(TraceContext.read(`00-${traceId}-${spanId}-00`)).toMatchObject({ sampled: false })
    expect(TraceContext.read(`01-${traceId}-${spanId}-01-more`)).toMatchObject({ traceId, spanId })
  })

  it.each([
    undefined,
    "",
    "00",
    `${traceparent}-more`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId}-${spanId}`,
  ])("is nothing where it is none: %s", (text) => {
    expect(TraceContext.read(text)).toBeUndefined()
  })

  it("goes on with its state, through spans of our own", () => {
    const parent = TraceContext.read(traceparent, "vendor=1")!
    const span = new Tracer.NativeSpan({
      name: "ours",
      parent: Option.some(parent),
      annotations: parent.annotations,
      links: [],
      startTime: 0n,
      kind: "internal",
      sampled: true,
    })
    expect(TraceContext.addTo({ a: "b" }, span)).toEqual({
      a: "b",
      traceparent: `00-${traceId}-${span.spanId}-01`,
      tracestate: "vendor=1",
    })
    expect(TraceContext.write(TraceContext.read(traceparent, "x".repeat(513))!).tracestate).toBeUndefined()
  })

  it("is not put over the one that headers have, and comes off", () => {
    const span = Tracer.externalSpan({ traceId, spanId: "00f067aa0ba902b7" })
    const headers = { traceparent, other: "stays" }
    expect(TraceContext.addTo(headers, span)).toBe(headers)
    expect({ ...TraceContext.without(headers) }).toEqual({ other: "stays" })
    const plain = { other: "stays" }
    expect(TraceContext.without(plain)).toBe(plain)
  })
})
