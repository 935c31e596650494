import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { makeDirectory, run } from "./program.ts"

describe("serve --print-config", () => {
  const cwd = makeDirectory()
  const printed = async (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
    JSON.parse((await run(["serve", "--print-config", ...args], { cwd, env })).stdout) as Record<string, unknown>

  it("prints defaults, and its own output is a configuration file that says the same", async () => {
    const defaults = await printed([])
    expect(defaults).toEqual({
      node: "tenant/default/device",
      data: "./millrace-data",
      storage: "sqlite:",
      durability: "fsync",
      "max-message": "3.5MiB",
      grpc: "127.0.0.1:50051",
      busrt: ["unix:"],
      "ws-origin": [],
      durable: [],
      "force-register": "false",
      "queue-size": "8192",
      timeout: "5s",
      "control-fifo": "off",
      peer: [],
      "sync-interval": "1s",
      "sync-batch": "100",
      heal: "false",
      "heal-wait": "2s",
      "max-connections": "1024",
      "max-streams": "1024",
      "keep-alive": "30s",
      admin: "127.0.0.1:9465",
      drain: "5s",
      "stall-after": "5s",
      otlp: "off",
      log: "pretty",
      "log-level": "info",
      "tls-cert": "off",
      "tls-key": "off",
      "tls-client-ca": "off",
      "peer-tls-ca": "off",
      "peer-tls-cert": "off",
      "peer-tls-key": "off",
      "peer-tls-domain": "off",
      access: "off",
      insecure: "false",
      json: "false",
    })
    writeFileSync(join(cwd, "printed.json"), JSON.stringify(defaults))
    expect(await printed(["--config", "printed.json"])).toEqual(defaults)
  })

  it("takes flags before variables before the file before defaults", async () => {
    writeFileSync(
      join(cwd, "settings.json"),
      JSON.stringify({ drain: "3s", log: "json", grpc: "127.0.0.1:3", insecure: true }),
    )
    const env = { MILLRACE_CONFIG: "settings.json", MILLRACE_DRAIN: "2s", MILLRACE_GRPC: "127.0.0.1:2" }
    expect(await printed(["--grpc", "127.0.0.1:1"], env)).toMatchObject({
      grpc: "127.0.0.1:1",
      drain: "2s",
      log: "json",
      insecure: "true",
      admin: "127.0.0.1:9465",
    })
  })

  it("takes what can be given more than once as a list, which replaces the default", async () => {
    expect(await printed(["--busrt", "unix:", "--busrt", "tcp:127.0.0.1:7777"])).toMatchObject({
      busrt: ["unix:", "tcp:127.0.0.1:7777"],
    })
    const env = { MILLRACE_BUSRT: "unix:/run/bus.sock, ws://127.0.0.1:80", MILLRACE_WS_ORIGIN: "" }
    expect(await printed([], env)).toMatchObject({
      busrt: ["unix:/run/bus.sock", "ws://127.0.0.1:80/"],
      "ws-origin": [],
    })
    expect(await printed(["--busrt", "off"], env)).toMatchObject({ busrt: ["off"] })
  })

  it("does not look at a value that something else has replaced", async () => {
    expect(await printed(["--drain", "1s"], { MILLRACE_DRAIN: "soon" })).toMatchObject({ drain: "1s" })
  })
})
