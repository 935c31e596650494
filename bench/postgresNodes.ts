/**
 * Several nodes on one PostgreSQL, each a process of its own, that publish when they are told to.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import * as Redacted from "effect/Redacted"

const program = fileURLToPath(new URL("./postgresNode.ts", import.meta.url))

/** What a node is told. */
export interface Publish {
  readonly count: number
}

export class PostgresNodes {
  readonly #nodes: ReadonlyArray<ChildProcess>

  private constructor(nodes: ReadonlyArray<ChildProcess>) {
    this.#nodes = nodes
  }

  /** Starts them, and waits until each has its store open. */
  static async start(url: Redacted.Redacted, count: number): Promise<PostgresNodes> {
    const nodes: Array<ChildProcess> = []
    for (let i = 0; i < count; i++) {
      const env = {
        ...process.env,
        MILLRACE_BENCH_URL: Redacted.value(url),
        MILLRACE_BENCH_NODE: `bench/nodes/${i + 1}`,
      }
      const node = fork(program, { env, execArgv: process.execArgv })
      nodes.push(node)
      // One after the other: the first makes the tables.
      await said(node)
    }
    return new PostgresNodes(nodes)
  }

  /** Has the first of them publish so many messages together, each to a topic of its own. */
  async publish(nodes: number, count: number): Promise<void> {
    await Promise.all(
      this.#nodes.slice(0, nodes).map((node) => {
        node.send({ count: count / nodes } satisfies Publish)
        return said(node)
      }),
    )
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#nodes.map((node) => {
        node.disconnect()
        return once(node, "exit")
      }),
    )
  }
}

/** Waits for a node's next word; fails where it ends instead. */
const said = async (node: ChildProcess): Promise<void> => {
  const gone = new AbortController()
  const ended = once(node, "exit", { signal: gone.signal }).then(([code]) => {
    throw new Error(`a node ended with ${String(code)}`)
  })
  try {
    await Promise.race([once(node, "message"), ended])
  } finally {
    ended.catch(() => {})
    gone.abort()
  }
}
