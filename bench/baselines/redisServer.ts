/**
 * A real Redis of this benchmark's own, on a Unix socket, every write synced to its append-only file before it is
 * answered: what an acknowledgement must mean to be compared with ours.
 */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"

export interface RedisServer {
  readonly socket: string
  readonly stop: () => Promise<void>
}

/** Whether there is a redis-server on this machine. Where CI is set there has to be one. */
export const hasRedis = (): boolean => {
  const found = spawnSync("redis-server", ["--version"]).error === undefined
  if (!found && process.env["CI"] !== undefined) throw new Error("redis-server is not installed")
  return found
}

export const startRedis = async (directory: string): Promise<RedisServer> => {
  const socket = join(directory, "redis.sock")
  const options = ["--port", "0", "--unixsocket", socket, "--dir", directory, "--save", ""]
  const durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
  const server = spawn("redis-server", [...options, ...durable], { stdio: "ignore" })
  const ended = once(server, "exit")
  while (!(await answers(socket))) {
    if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`)
  }
  return {
    socket,
    stop: async () => {
      server.kill()
      await ended
    },
  }
}

const answers = async (socket: string): Promise<boolean> => {
  const connection = connect(socket)
  try {
    await once(connection, "connect")
    return true
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return false
  } finally {
    connection.destroy()
  }
}
