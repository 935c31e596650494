import { describe, expect, it } from "vitest"
import * as PeerSetting from "../../src/node/PeerSetting.ts"

const b = { tenant: "t", line: "l", device: "b" }

describe("--peer", () => {
  it.each([
    ["grpc://127.0.0.1:50051", { url: "grpc://127.0.0.1:50051", identity: undefined, origins: undefined }],
    ["grpcs://b:1=t/l/b", { url: "grpcs://b:1", identity: b, origins: undefined }],
    ["https://10.0.0.1:1", { url: "https://10.0.0.1:1", identity: undefined, origins: undefined }],
    ["http://[::1]:1=t/l/b", { url: "http://[::1]:1", identity: b, origins: undefined }],
    ["http://b:1=t/l/b;origins=t/l/b,t/l/c", { url: "http://b:1", identity: b, origins: [b, { ...b, device: "c" }] }],
  ])("%s", (text, setting) => {
    expect(PeerSetting.parse(text)).toEqual(setting)
    expect(PeerSetting.format(setting as PeerSetting.PeerSetting)).toBe(text)
  })

  it.each([
    "",
    "b:1",
    "ftp://b:1",
    "grpc://b",
    "grpc://b:1=t/l",
    "grpc://b:1=t/l/b;origins=",
    "grpc://b:1=t/l/b;origins=x",
  ])("is not %j", (text) => expect(PeerSetting.parse(text)).toBeUndefined())
})
