/** A certificate for this machine, signed by itself, made by OpenSSL for one run of the tests. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** `undefined` where there is no OpenSSL; where the project is built (`CI`), that is a failure. */
const make = (): Certificate | undefined => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-tls-"))
  try {
    const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")]
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    execFileSync("openssl", ["req", "-x509", ...kind, ...names, "-keyout", key, "-out", cert], { stdio: "pipe" })
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || process.env["CI"] !== undefined) throw error
    return undefined
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const certificate = make()
