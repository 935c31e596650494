/**
 * Certificates and keys in files of PEM, looked at before they are used: what is wrong with them is said in one sentence
 * that names the file.
 */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { reasonOf } from "./StartFailed.ts"

/** Why a file cannot be used. */
export interface PemProblem {
  /** Which of the files, by the name of the setting that names it. */
  readonly setting: string
  /** A sentence without a full stop. */
  readonly sentence: string
}

/** A file, and the setting that names it. */
export interface PemFile {
  readonly setting: string
  readonly path: string
}

export interface PemPair {
  readonly cert: string
  readonly key: string
  /** Until when it holds, in milliseconds since 1970. */
  readonly untilMillis: number
}

type Read<A> = Result.Result<A, PemProblem>

const refuse = ({ setting }: PemFile, sentence: string) => Result.fail<PemProblem>({ setting, sentence })

const readText = (file: PemFile): Read<string> => {
  try {
    return Result.succeed(readFileSync(file.path, "utf8"))
  } catch (cause) {
    return refuse(file, `${file.path} cannot be read: ${reasonOf(cause)}`)
  }
}

const blocks = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

const readCertificates = (file: PemFile): Read<readonly [first: X509Certificate, text: string]> =>
  Result.flatMap(readText(file), (text) => {
    try {
      const [first] = (text.match(blocks) ?? []).map((block) => new X509Certificate(block))
      if (first !== undefined) return Result.succeed([first, text] as const)
    } catch (cause) {
      return refuse(file, `${file.path} holds a certificate that cannot be read: ${wordOf(cause)}`)
    }
    return refuse(file, `${file.path} holds no certificate in PEM`)
  })

const wordOf = (cause: unknown): string =>
  Predicate.hasProperty(cause, "reason") ? String(cause.reason) : reasonOf(cause)

/** Those who may have signed what others show. */
export const readAuthorities = (file: PemFile): Read<string> => Result.map(readCertificates(file), ([, text]) => text)

const isProtected = /BEGIN ENCRYPTED PRIVATE KEY|^Proc-Type: 4,ENCRYPTED/m

const secondOf = (date: Date): string => `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`

/** A certificate to be shown, those that lead to its authority behind it, and its key. */
export const readPair = (cert: PemFile, key: PemFile, nowMillis: number): Read<PemPair> =>
  Result.flatMap(readCertificates(cert), ([certificate, certText]) => {
    const { validFromDate: from, validToDate: until } = certificate
    if (until.getTime() < nowMillis) {
      return refuse(cert, `the certificate in ${cert.path} has expired: it held until ${secondOf(until)}`)
    }
    if (from.getTime() > nowMillis) {
      return refuse(cert, `the certificate in ${cert.path} does not hold yet: it does from ${secondOf(from)} on`)
    }
    return Result.flatMap(readText(key), (keyText) => {
      try {
        if (certificate.checkPrivateKey(createPrivateKey(keyText)))
          return Result.succeed({ cert: certText, key: keyText, untilMillis: until.getTime() })
        return refuse(key, `the key in ${key.path} does not belong to the certificate in ${cert.path}`)
      } catch {
        return refuse(
          key,
          isProtected.test(keyText)
            ? `the key in ${key.path} is protected by a passphrase, and there is nobody to ask for it`
            : `${key.path} holds no private key in PEM`,
        )
      }
    })
  })
