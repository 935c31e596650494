/** `millrace/browser` as a page gets it: with nothing that only Node has, and not large. */
import { readFileSync } from "node:fs"
import { gzipSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import { bundle, pathOf } from "./bundling.ts"

const gzipKibMax = { all: 80, live: 68 }

/** Of a module's text, what only Node has; comments may speak of it. */
const nodesOwn = (text: string): RegExpMatchArray | null =>
  text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").match(/\bBuffer\.|\bprocess\.|\bsetImmediate\(|\brequire\(/)

/** Looks first whether there is a `Buffer`. */
const careful = "src/protocol/busrt/codec/memory.ts"

const gzipKib = (what: string, code: string): number => {
  const kib = gzipSync(code).length / 1024
  console.info(`${what}: ${Math.round(code.length / 1024)} KiB, ${kib.toFixed(1)} KiB under gzip`)
  return kib
}

describe("the bundle for browsers", () => {
  it("needs nothing else, and is small", async () => {
    const { code, dynamicImports, imports, moduleIds } = await bundle("src/protocol/busrt/browser.ts")
    expect([...imports, ...dynamicImports, ...moduleIds.filter((id) => /^node:|\bws\//.test(id))]).toEqual([])
    expect(/\b(import|from|require)\b\s*\(?\s*["'`]node:/.test(code)).toBe(false)

    const ours = moduleIds.filter((id) => id.startsWith(pathOf("src/")))
    expect(ours.length).toBeGreaterThan(20)
    expect(ours.filter((id) => id !== pathOf(careful) && nodesOwn(readFileSync(id, "utf8")) !== null)).toEqual([])

    expect(gzipKib("millrace/browser", code)).toBeLessThan(gzipKibMax.all)
  })

  it("of a page that uses a part of it has only that", async () => {
    const { code, moduleIds } = await bundle("test/protocol/busrt/browser/page/live.ts")
    expect(moduleIds.filter((id) => /src\/(bridge|storage|topics|queues)\//.test(id))).toEqual([])
    expect(gzipKib("a page of the live plane", code)).toBeLessThan(gzipKibMax.live)
  })

  it("would show what is only for Node", async () => {
    const { code, imports } = await bundle("src/protocol/busrt/index.ts")
    expect(imports).toEqual(expect.arrayContaining(["node:net", "node:tls"]))
    expect(/\bfrom\b\s*["'`]node:/.test(code)).toBe(true)
    expect(nodesOwn(readFileSync(pathOf("src/transport/SocketPath.ts"), "utf8"))).not.toBeNull()
  })
})
