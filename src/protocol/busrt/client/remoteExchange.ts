/** The exchange of a node elsewhere, however that is reached. */
import { Exchange } from "../../../exchange/index.ts"
import { clientsBy } from "./clientList.ts"
import type { Dial } from "./keepConnected.ts"
import { make } from "./remoteClient.ts"
import { type ClientSettings, defaultClientSettings } from "./settings.ts"

/**
 * Each client that connects has a connection of its own, made by `dial`. Nothing is connected before. Who is connected is
 * asked under the name `askAs`, for which access rules may have a place, or else under one that is made up.
 */
export const remoteExchange = (
  dial: Dial,
  settings: Partial<ClientSettings> = {},
  askAs?: string,
): Exchange["Service"] => {
  const connect: Exchange["Service"]["connect"] = (name, options) =>
    make(dial, name, { ...defaultClientSettings, ...settings }, options)
  return Exchange.of({ connect, clients: clientsBy(connect, askAs) })
}
