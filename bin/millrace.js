#!/usr/bin/env node
// The `millrace` command. Plain JavaScript for any Node: it makes sure that the Node which runs the rest is new enough,
// and starts the sources in a checkout or what was built from them in an installed package.
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

/** Runs this very command with another Node: same streams, its signals, its exit code. */
const runWith = (node) => {
  const env = { ...process.env, MILLRACE_REEXECUTED: "1" }
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env,
  })
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

if (!isNewEnough(process.versions.node)) {
  const node = process.env.MILLRACE_REEXECUTED === undefined ? bundledNode() : undefined
  if (node === undefined) {
    process.stderr.write(`millrace: Node ${oldest.join(".")} or newer is needed, this is ${process.versions.node}\n`)
    process.exitCode = 1
  } else {
    runWith(node)
  }
} else {
  const sources = path.join(root, "src", "cli", "start.ts")
  const entry = existsSync(sources) ? sources : path.join(root, "dist", "cli", "start.js")
  await import(pathToFileURL(entry).href)
}
