/** A node under TLS, and commands that talk to it: real processes, certificates in files. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import { authority, certificate } from "../support/certificates.ts"
import { makeDirectory, type NodeProcess, run, startNode } from "./program.ts"

const renewed = await authority.issue()
const device = await authority.issue({ names: [{ type: "dns", value: "device.example.org" }] })

const files = (texts: Readonly<Record<string, string>>): string => {
  const directory = makeDirectory()
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text)
  return directory
}

const pems = {
  "ca.pem": authority.cert,
  "node.pem": certificate.cert,
  "node.key": certificate.key,
  "device.pem": device.cert,
  "device.key": device.key,
}

const own = ["--tls-cert", "node.pem", "--tls-key", "node.key"]
const shown = { MILLRACE_TLS_CERT: "device.pem", MILLRACE_TLS_KEY: "device.key" }

describe("a node under TLS", () => {
  let node: NodeProcess
  const cwd = files(pems)
  const elsewhere = files(pems)

  beforeAll(async () => {
    node = await startNode(cwd, [...own, "--busrt", "tls:127.0.0.1:0"])
  })

  it("is found by commands in its directory, by its very certificate", async () => {
    expect(node.report["grpc"]).toMatch(/^grpcs:/)
    expect(await run(["publish", "a", "hello"], { cwd })).toMatchObject({ code: 0, stderr: "" })
    expect((await run(["fetch", "a"], { cwd })).stdout).toBe("hello\n")
    expect(await run(["clients"], { cwd })).toMatchObject({ code: 0, stderr: "" })
  })

  it("is reached from elsewhere by who trusts its authority, and by nobody who does not", async () => {
    const url = ["--url", node.report["grpc"]!]
    expect((await run(["fetch", "a", ...url, "--tls-ca", "ca.pem"], { cwd: elsewhere })).stdout).toBe("hello\n")
    const [busrt] = node.report["busrt"] as unknown as ReadonlyArray<string>
    const overSocket = await run(["fetch", "a", "--url", busrt!], {
      cwd: elsewhere,
      env: { MILLRACE_TLS_CA: "ca.pem" },
    })
    expect(overSocket.stdout).toBe("hello\n")
    expect(await run(["fetch", "a", ...url], { cwd: elsewhere })).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `millrace: no node answers at ${node.report["grpc"]}: its certificate is not signed by anybody who is trusted here\n`,
    })
    const plain = node.report["grpc"]!.replace("grpcs", "grpc")
    expect((await run(["fetch", "a", "--url", plain], { cwd: elsewhere })).stderr).toMatch(/wants TLS/)
    expect(await run(["fetch", "a", "--url", plain, "--tls-ca", "ca.pem"], { cwd: elsewhere })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^millrace: --tls-ca is for a node with TLS, and grpc:.* is without/) as string,
    })
    expect(await run(["fetch", "a", ...url, "--tls-cert", "device.pem"], { cwd: elsewhere })).toMatchObject({
      code: 2,
      stderr: "millrace: --tls-cert needs --tls-key\n",
    })
  })

  it("goes on with a certificate that is put in place of the old, and stops as always", async () => {
    writeFileSync(join(cwd, "node.key"), renewed.key)
    writeFileSync(join(cwd, "node.pem"), renewed.cert)
    node.command.process.kill("SIGHUP")
    await node.command.until(({ stderr }) => stderr.includes("the certificate of this node: read again"))
    expect((await run(["fetch", "a"], { cwd })).stdout).toBe("hello\n")
    expect((await node.command.stop()).code).toBe(0)
  })
})

describe("a node that asks for certificates", () => {
  it("tells commands in its directory what they lack, and knows who shows one", async () => {
    const rules = { principals: { device: { certificates: ["device.example.org"], subscribe: "any", publish: ["a"] } } }
    const cwd = files({ ...pems, "access.json": JSON.stringify(rules) })
    const node = await startNode(cwd, [...own, "--tls-client-ca", "ca.pem", "--access", "access.json"])
    expect(await run(["publish", "a", "hello"], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /lets in only who shows a certificate: give one with --tls-cert and --tls-key/,
      ) as string,
    })
    expect((await run(["publish", "a", "hello"], { cwd, env: shown })).code).toBe(0)
    expect(await run(["publish", "b", "hello"], { cwd, env: shown })).toMatchObject({
      code: 1,
      stderr: 'millrace: access rules do not let device publish to "b"\n',
    })
    expect((await node.command.stop()).code).toBe(0)
  })
})

describe("serve", () => {
  it("does not start with a certificate that cannot be used", async () => {
    const cwd = files({ ...pems, "node.key": device.key })
    expect(await run(["serve", ...own], { cwd })).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(
        /^millrace: --tls-key: the key in .* does not belong to the certificate in .*\n$/,
      ) as string,
    })
  })
})
