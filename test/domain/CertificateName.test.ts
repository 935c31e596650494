import { expect, it } from "vitest"
import * as CertificateName from "../../src/domain/CertificateName.ts"
import { authority } from "../support/certificates.ts"
import { X509Certificate } from "node:crypto"

it.each([
  ["DNS:a.example", [{ kind: "dns", value: "a.example" }]],
  [
    "email:a@b, DNS:a, IP Address:10.0.0.1, URI:spiffe://x/y",
    [
      { kind: "dns", value: "a" },
      { kind: "ip", value: "10.0.0.1" },
      { kind: "uri", value: "spiffe://x/y" },
    ],
  ],
  ['DNS:"a, DNS:b"', [{ kind: "dns", value: "a, DNS:b" }]],
  [undefined, []],
  ["DNS:a,DNS:b", []],
  ['DNS:a, DNS:"b', []],
  ["DNS", []],
])("the names of a certificate are read as a whole, or not at all: %s", (text, names) => {
  expect(CertificateName.parse(text)).toEqual(names)
})

it("a name is read as it was signed, whatever is in it", async () => {
  const values = ["a\0.example", "x, DNS:y", 'q"uote', "back\\slash", "*.example.org"]
  const { cert } = await authority.issue({ names: values.map((value) => ({ type: "dns", value })) })
  const { subjectAltName } = new X509Certificate(cert)
  expect(CertificateName.parse(subjectAltName).map(({ value }) => value)).toEqual(values)
})
