/**
 * Where a listener listens: `HOST:PORT`, or `off`.
 *
 * An IPv6 address stands in brackets, `[::1]:50051`; port 0 lets the system choose one.
 */
import { isExposed } from "../transport/exposure.ts"

export interface Address {
  readonly host: string
  /** 0 to 65,535. */
  readonly port: number
}

/** Reads `HOST:PORT`; `undefined` where the text is something else. */
export const parse = (text: string): Address | undefined => {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^\s:/[\]@]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  return host === undefined || port > 65_535 ? undefined : { host, port }
}

/** `HOST:PORT`, with brackets where the host is an IPv6 address. */
export const format = ({ host, port }: Address): string => `${host.includes(":") ? `[${host}]` : host}:${port}`

/** Whether only this machine can reach the address. A name other than `localhost` may resolve to anything: no. */
export const isLoopback = (address: Address): boolean => !isExposed({ kind: "tcp", ...address })
