#!/usr/bin/env node
// The `millrace` command. Plain JavaScript for any Node: it makes sure that the Node which runs the rest is new enough, and
// set up for a service where it is to be one; then it starts the sources in a checkout, or what was built from them in an
// installed package.
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

/** The oldest Node that runs us, as in `engines`: [major, minor]. */
const oldest = [22, 19]

const isNewEnough = (version) => {
  const [major, minor] = version.split(".").map(Number)
  return major > oldest[0] || (major === oldest[0] && minor >= oldest[1])
}

/** The Node that the package `node` brings along, where it is installed. */
const bundledNode = () => {
  try {
    const manifest = createRequire(import.meta.url).resolve("node/package.json")
    const executable = path.join(path.dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node")
    return existsSync(executable) ? executable : undefined
  } catch {
    // Not installed.
    return undefined
  }
}

const isService = process.argv[2] === "serve"

/**
 * How Node runs a service: it shall not keep much more memory than it needs. By themselves V8 lets new objects fill 128 MiB
 * before it looks which of them are garbage, with the buffers that they hold outside of that, and old ones three times
 * what is needed of them; and the C library keeps what was freed, in an arena for each thread. Whoever has set one of
 * these otherwise gets that. `--expose-gc` is for `spentBuffers.ts`.
 */
const serviceFlags = () => {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ").replaceAll("_", "-")
  const settings = { "--max-semi-space-size": 2, "--heap-growing-percent": 30 }
  const ours = Object.entries(settings).filter(([name]) => !given.includes(name))
  return ["--expose-gc", ...ours.map(([name, value]) => `${name}=${value}`)]
}
const serviceEnvironment = { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "500000" }

/** What this very command is run with once more. */
const again = (node) => [
  node,
  ...process.execArgv,
  ...(isService ? serviceFlags() : []),
  fileURLToPath(import.meta.url),
  ...process.argv.slice(2),
]
const environmentAgain = () => ({
  ...(isService ? serviceEnvironment : {}),
  ...process.env,
  MILLRACE_REEXECUTED: "1",
})

/** Whether this process can become another program; whoever holds a channel to it would lose that. */
const canBecome = typeof process.execve === "function" && process.platform !== "win32" && process.channel === undefined

/** Runs this very command with another Node: same streams, its signals, its exit code. */
const runWith = (node) => {
  const [, ...args] = again(node)
  const child = spawn(node, args, { stdio: "inherit", env: environmentAgain() })
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => child.kill(signal))
  }
  child.on("error", (error) => {
    process.stderr.write(`millrace: ${node} cannot be run: ${error.message}\n`)
    process.exit(1)
  })
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

const wasRunAgain = process.env.MILLRACE_REEXECUTED !== undefined

if (!isNewEnough(process.versions.node)) {
  const node = wasRunAgain ? undefined : bundledNode()
  if (node === undefined) {
    process.stderr.write(`millrace: Node ${oldest.join(".")} or newer is needed, this is ${process.versions.node}\n`)
    process.exitCode = 1
  } else {
    runWith(node)
  }
} else if (isService && !wasRunAgain && canBecome) {
  process.execve(process.execPath, again(process.execPath), environmentAgain())
} else {
  // Not for programs that this one starts.
  delete process.env.MILLRACE_REEXECUTED
  const sources = path.join(root, "src", "cli", "start.ts")
  const entry = existsSync(sources) ? sources : path.join(root, "dist", "cli", "start.js")
  await import(pathToFileURL(entry).href)
}
