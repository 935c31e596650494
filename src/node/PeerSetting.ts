/**
 * What `--peer` says: where another node is, who it has to be, and whose logs are taken from it.
 *
 *     grpcs://10.0.0.2:50051=acme/plant/press;origins=acme/plant/press,acme/plant/oven
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as NodeId from "../domain/NodeId.ts"

export const PeerSetting = Schema.Struct({
  url: Schema.NonEmptyString,
  identity: Schema.UndefinedOr(NodeId.NodeId),
  origins: Schema.UndefinedOr(Schema.NonEmptyArray(NodeId.NodeId)),
})
export type PeerSetting = typeof PeerSetting.Type

/** Whether it is reached under TLS. */
export const isSecure = ({ url }: PeerSetting): boolean => /^(?:grpcs|https):/.test(url)

export const takes =
  "grpc://HOST:PORT or http://HOST:PORT, with TLS grpcs://HOST:PORT or https://HOST:PORT, then, if it has to be a certain node, =tenant/line/device, then, if only some nodes' messages are taken from it, ;origins=tenant/line/device,…"

const nodeOf = (text: string): NodeId.NodeId | undefined => {
  const parsed = Effect.runSync(Effect.result(NodeId.parse(text)))
  return parsed._tag === "Success" ? parsed.success : undefined
}

const written =
  /^((?:grpc|http)s?:\/\/(?:\[[0-9a-fA-F:.]+\]|[^\s/:?#[\]@=;]+):\d{1,5})\/?(?:=([^=;]+)(?:;origins=([^=;]+))?)?$/

export const parse = (text: string): PeerSetting | undefined => {
  const [, url, who, whose] = written.exec(text) ?? []
  if (url === undefined) return undefined
  const identity = who === undefined ? undefined : nodeOf(who)
  if (who !== undefined && identity === undefined) return undefined
  if (whose === undefined) return { url, identity, origins: undefined }
  const [first, ...rest] = whose.split(",").map(nodeOf)
  if (first === undefined || rest.includes(undefined)) return undefined
  return { url, identity, origins: [first, ...rest.filter((origin) => origin !== undefined)] }
}

export const format = ({ url, identity, origins }: PeerSetting): string =>
  [
    url,
    identity === undefined ? "" : `=${NodeId.format(identity)}`,
    origins === undefined ? "" : `;origins=${origins.map(NodeId.format).join(",")}`,
  ].join("")
