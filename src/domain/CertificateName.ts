/**
 * The names that a certificate is for: its *subject alternative names* that are a DNS name, an address or a URI. Its
 * common name is none of them.
 */

export interface CertificateName {
  readonly kind: "dns" | "ip" | "uri"
  readonly value: string
}

const kinds: Readonly<Record<string, CertificateName["kind"]>> = { DNS: "dns", "IP Address": "ip", URI: "uri" }

/** `KIND:VALUE` up to the next one; a value that would be mistaken for several stands in quotes, as JSON. */
const entry = /([^:",]+):(?:("(?:[^"\\]|\\.)*")|([^",]*))(?:, |$)/y

/**
 * The names in what Node gives of a certificate, `DNS:a.example.org, IP Address:10.0.0.1`. What is not understood as a
 * whole has none: half of it might be somebody else's.
 */
export const parse = (subjectAltName: string | undefined): ReadonlyArray<CertificateName> => {
  const names: Array<CertificateName> = []
  const text = subjectAltName ?? ""
  entry.lastIndex = 0
  while (entry.lastIndex < text.length) {
    const [found, label = "", quoted, plain = ""] = entry.exec(text) ?? []
    if (found === undefined) return []
    const kind = kinds[label]
    const value = quoted === undefined ? plain : (JSON.parse(quoted) as string)
    if (kind !== undefined) names.push({ kind, value })
  }
  return names
}
