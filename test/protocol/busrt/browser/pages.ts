/** Pages for a browser: served here, opened in a real Chromium without a window, and what they report. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const program = "chromium"

/** Whether there is a browser on this machine. Where CI is true there has to be one. */
export const hasChromium = (): boolean => {
  const found = spawnSync(program, ["--version"]).error === undefined
  if (!found && process.env["CI"] === "true") throw new Error(`${program} is not installed`)
  return found
}

export interface File {
  readonly type: "text/html" | "text/javascript"
  readonly body: string
}

/** What a page has reported, with the place that it is from. */
export type Report = Readonly<Record<string, unknown>> & { readonly from: string }

/** A web server of pages, which may report to it. */
export class Pages {
  readonly port: number
  readonly #server: Server
  readonly #reports: Array<Report> = []
  #notify = (): void => {}

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on("request", (request) => {
      if (request.method !== "POST") return
      let text = ""
      request.setEncoding("utf8")
      request.on("data", (piece: string) => (text += piece))
      request.on("end", () => {
        this.#reports.push(JSON.parse(text) as Report)
        this.#notify()
      })
    })
  }

  /** @param files by the path that is asked for */
  static async serve(files: Readonly<Record<string, File>>): Promise<Pages> {
    const server = createServer(({ method, url }, response) => {
      const file = files[new URL(url!, "http://any").pathname]
      if (method === "POST") response.writeHead(204).end()
      else if (file === undefined) response.writeHead(404).end()
      else response.writeHead(200, { "content-type": `${file.type}; charset=utf-8` }).end(file.body)
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return new Pages(server)
  }

  /** Resolves with the first so many reports. */
  reports(count: number): Promise<ReadonlyArray<Report>> {
    return new Promise((resolve) => {
      this.#notify = () => {
        if (this.#reports.length >= count) resolve(this.#reports)
      }
      this.#notify()
    })
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

/** A browser that shows a page, until it is closed. */
export class Chromium {
  readonly #child: ChildProcess
  readonly #profile = mkdtempSync(join(tmpdir(), "millrace-chromium-"))
  #said = ""

  constructor(url: string) {
    // Containers have neither namespaces for its sandbox nor much of shared memory; updates are nothing for a test.
    const options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    this.#child = spawn(program, [...options, ...quiet, `--user-data-dir=${this.#profile}`, url], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    })
    this.#child.stderr!.on("data", (text: Buffer) => (this.#said += text.toString()))
  }

  /** Fails when it ends by itself. */
  readonly failed = (): Promise<never> =>
    new Promise((_, reject) => {
      const ended = (): void => reject(new Error(`${program} ended: ${this.#said}`))
      this.#child.once("exit", ended)
      this.#child.once("error", ended)
    })

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit")
      // All of its processes.
      process.kill(-this.#child.pid!, "SIGKILL")
      await exited
    }
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20 })
  }
}
