/** The exchange of a node elsewhere, however that is reached. */
import * as Effect from "effect/Effect"
import { Exchange } from "../../../exchange/index.ts"
import type { Dial } from "./keepConnected.ts"
import { make } from "./remoteClient.ts"
import { type ClientSettings, defaultClientSettings } from "./settings.ts"

/** Each client that connects has a connection of its own, made by `dial`. Nothing is connected before. */
export const remoteExchange = (dial: Dial, settings: Partial<ClientSettings> = {}): Exchange["Service"] =>
  Exchange.of({
    connect: (name, options) => make(dial, name, { ...defaultClientSettings, ...settings }, options),
    clients: Effect.succeed([]),
  })
