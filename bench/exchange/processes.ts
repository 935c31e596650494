/**
 * The processes of a measurement: a broker or a relay, and drivers around it.
 */
import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Address, Command } from "./commands.ts"

const start = (module: string): ChildProcess =>
  fork(new URL(module, import.meta.url), { stdio: ["ignore", "inherit", "inherit", "ipc"] })

const answerOf = <A>(child: ChildProcess): Promise<A> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a process of the benchmark ended with ${code}`))
    child.once("exit", onExit)
    child.once("message", (message) => {
      child.off("exit", onExit)
      resolve(message as A)
    })
  })

/** What a process speaks, and how: bare sockets, our client, or the client of NATS. */
export type DriverModule = "./driver.ts" | "./millraceClient.ts" | "./natsClient.ts"

/** One that sends or receives. */
export class Driver {
  readonly #child: ChildProcess

  constructor(module: DriverModule = "./driver.ts") {
    this.#child = start(module)
  }

  /** Resolves when it is done. */
  async run(command: Command): Promise<void> {
    const answer = answerOf(this.#child)
    this.#child.send(command)
    await answer
  }

  /** Resolves when it has begun, with what resolves when it is done. */
  async begin(command: Command): Promise<{ readonly done: Promise<unknown> }> {
    await this.run(command)
    return { done: answerOf(this.#child) }
  }

  stop(): void {
    this.#child.kill()
  }
}

/** One that stands between drivers, listening at a Unix socket and on a port of loopback. */
export class Middle {
  readonly unix: Address
  readonly tcp: Address
  readonly #child: ChildProcess
  readonly #directory: string

  private constructor(child: ChildProcess, directory: string, path: string, port: number) {
    this.#child = child
    this.#directory = directory
    this.unix = { path }
    this.tcp = { host: "127.0.0.1", port }
  }

  static async start(module: "./broker.ts" | "./relay.ts"): Promise<Middle> {
    const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
    const child = start(module)
    const path = join(directory, "bench.sock")
    const answer = answerOf<{ readonly port: number }>(child)
    child.send({ path })
    return new Middle(child, directory, path, (await answer).port)
  }

  stop(): void {
    this.#child.kill()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** Whether there is a nats-server on this machine. Where CI is set there has to be one. */
export const hasNats = (): boolean => {
  const found = spawnSync("nats-server", ["--version"]).error === undefined
  if (!found && process.env["CI"] !== undefined) throw new Error("nats-server is not installed")
  return found
}

/** Debian's nats-server, with nothing of JetStream. */
export class NatsServer {
  readonly tcp: Address
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.tcp = { host: "127.0.0.1", port }
  }

  static async start(): Promise<NatsServer> {
    const port = await freePort()
    const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", `${port}`], { stdio: ["ignore", "ignore", "pipe"] })
    // It tells what it does on stderr.
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject)
      child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}`)))
      child.stderr!.on("data", (text: Buffer) => {
        if (text.includes("Server is ready")) resolve()
      })
    })
    return new NatsServer(child, port)
  }

  stop(): void {
    this.#child.kill()
  }
}

/** A node as people run it, with a store of its own, where topics under `durable/` are stored before they are delivered. */
export class Node {
  readonly tcp: Address
  /** Of gRPC, as `HOST:PORT`. */
  readonly grpc: string
  readonly #child: ChildProcess
  readonly #directory: string

  private constructor(child: ChildProcess, directory: string, tcp: Address, grpc: string) {
    this.#child = child
    this.#directory = directory
    this.tcp = tcp
    this.grpc = grpc
  }

  static async start(): Promise<Node> {
    const directory = mkdtempSync(join(tmpdir(), "millrace-bench-"))
    const program = fileURLToPath(new URL("../../bin/millrace.js", import.meta.url))
    const listeners = ["--busrt", "tcp:127.0.0.1:0", "--grpc", "127.0.0.1:0", "--admin", "off"]
    const child = spawn(
      process.execPath,
      [program, "serve", "--data", directory, ...listeners, "--durable", "durable/#", "--log-level", "warn", "--json"],
      { stdio: ["ignore", "pipe", "inherit"] },
    )
    const [ready] = (await once(createInterface(child.stdout), "line")) as [string]
    const { busrt, grpc } = JSON.parse(ready) as { readonly busrt: ReadonlyArray<string>; readonly grpc: string }
    const { host, port } = new URL(busrt[0]!.replace("tcp:", "tcp://"))
    return new Node(
      child,
      directory,
      { host: host.replace(`:${port}`, ""), port: Number(port) },
      grpc.replace("grpc://", ""),
    )
  }

  async stop(): Promise<void> {
    this.#child.kill()
    await once(this.#child, "exit")
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
