/** The exchange of a node elsewhere, however that is reached. */
import { Exchange } from "../../../exchange/index.ts"
import { clientsBy } from "./clientList.ts"
import type { Dial, Keeper } from "./keepConnected.ts"
import { make } from "./remoteClient.ts"
import { type ClientSettings, defaultClientSettings } from "./settings.ts"

export interface RemoteOptions {
  readonly settings?: Partial<ClientSettings> | undefined
  /** The name under which it is asked who is connected, for which access rules may have a place; else one is made up. */
  readonly askAs?: string | undefined
  /** Is told what happens to the connections of clients. */
  readonly onEvent?: Keeper["onEvent"] | undefined
}

/** Each client that connects has a connection of its own, made by `dial`. Nothing is connected before. */
export const remoteExchange = (dial: Dial, { askAs, onEvent, settings }: RemoteOptions = {}): Exchange["Service"] => {
  const connect: Exchange["Service"]["connect"] = (name, options) =>
    make(dial, name, { ...defaultClientSettings, ...settings }, options, onEvent)
  return Exchange.of({ connect, clients: clientsBy(connect, askAs) })
}
