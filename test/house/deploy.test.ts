/**
 * What is offered for deployment: the systemd unit is one for systemd, and as closed as it says; settings that the files
 * name are settings.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { settingNames } from "../../src/node/NodeConfig.ts"
import { makeDirectory } from "../cli/program.ts"
import { root } from "./project.ts"

const read = (name: string): string => readFileSync(join(root, "docs/deploy", name), "utf8")

const isThere = spawnSync("systemd-analyze", ["--version"]).error === undefined

// Where all is checked, it must be there.
describe.skipIf(!isThere && process.env["CI"] !== "true")("the systemd unit", () => {
  /** The unit as it would be on a machine where the program is installed. */
  const analyze = (unit: string, ...args: ReadonlyArray<string>) => {
    const directory = makeDirectory()
    const program = join(directory, "millrace")
    writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 })
    const path = join(directory, "millrace.service")
    writeFileSync(path, unit.replaceAll("/usr/bin/millrace", program))
    return spawnSync("systemd-analyze", [...args, path], { encoding: "utf8" })
  }

  it("is accepted by systemd, without a word", () => {
    const { status, stderr, stdout } = analyze(read("millrace.service"), "verify", "--man=no")
    expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "" })
  })

  it("is, with what changes where its storage is PostgreSQL", () => {
    const directory = makeDirectory()
    const program = join(directory, "millrace")
    writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 })
    const there = (text: string) => text.replaceAll("/usr/bin/millrace", program)
    const unit = join(directory, "millrace.service")
    writeFileSync(unit, there(read("millrace.service")))
    mkdirSync(`${unit}.d`)
    const verify = (changes: string) => {
      writeFileSync(join(`${unit}.d`, "postgres.conf"), there(changes))
      const { status, stderr, stdout } = spawnSync("systemd-analyze", ["verify", "--man=no", unit], {
        encoding: "utf8",
      })
      return { status, said: stderr + stdout }
    }
    expect(verify(read("postgres.conf"))).toEqual({ status: 0, said: "" })
    expect(verify(read("postgres.conf").replace("LoadCredential=", "LoadSecret=")).said).toContain("LoadSecret")
  })

  it("would not be, with a mistake in it", () => {
    const { stderr } = analyze(read("millrace.service").replace("ProtectHome=", "ProtectHouse="), "verify", "--man=no")
    expect(stderr).toContain("ProtectHouse")
  })

  it("is closed, by systemd's own measure", () => {
    const closed = analyze(read("millrace.service"), "security", "--offline=yes", "--threshold=15")
    expect(closed.stdout.trim().split("\n").at(-1)).toMatch(/exposure level for millrace.service: \d\.\d (SAFE|OK)/)
    expect(closed.status).toBe(0)
    // The measure is one: without the filter of system calls it is not met.
    const open = read("millrace.service").replace(/^SystemCallFilter=.*\n/gm, "")
    expect(analyze(open, "security", "--offline=yes", "--threshold=15").status).not.toBe(0)
  })
})

it("settings that the files for deployment name are settings", () => {
  const known = new Set([
    "MILLRACE_URL",
    ...settingNames.map((name) => `MILLRACE_${name.toUpperCase().replaceAll("-", "_")}`),
  ])
  for (const name of ["millrace.service", "postgres.conf", "Dockerfile", "compose.yaml", "kubernetes.yaml"]) {
    const named = read(name).match(/MILLRACE_[A-Z_]+/g) ?? []
    expect([name, named.filter((variable) => !known.has(variable))]).toEqual([name, []])
  }
  for (const name of ["millrace.service", "postgres.conf"]) {
    const [start = ""] = /^ExecStart=.+$/m.exec(read(name)) ?? []
    const flags = start.match(/ --[a-z-]+/g) ?? []
    expect(flags.length).toBeGreaterThan(0)
    for (const flag of flags) {
      expect([...settingNames, "config"]).toContain(flag.trim().slice(2))
    }
  }
})
