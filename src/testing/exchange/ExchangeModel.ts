/**
 * How an exchange should behave, in lists and loops: what laws compare an exchange with. It shares no code with it, not
 * even how patterns match.
 */

/** Something that came for a client. Payloads are text here. */
export interface ModelDelivery {
  readonly kind: "message" | "broadcast" | "publication"
  readonly sender: string
  readonly topic: string
  readonly isRealtime: boolean
  readonly payload: string
}

export interface ModelClientOptions {
  /** Whether it is part of the bus, and may have any name. */
  readonly isOwn?: boolean | undefined
  /** How many frames wait for it at most. */
  readonly framesMax?: number | undefined
  readonly overflow?: "disconnect" | "dropNewest" | undefined
  /** What it may not do, as `verb object`. */
  readonly denied?: ReadonlyArray<string> | undefined
  /** Whether its connection breaks when a realtime frame is handed on to it. */
  readonly breaks?: boolean | undefined
}

export class ModelClient {
  readonly id: number
  readonly name: string
  readonly options: ModelClientOptions
  isOpen = true
  filters: ReadonlyArray<string> = []
  exclusions: ReadonlyArray<string> = []
  /** What has come and is not read. */
  waiting: Array<ModelDelivery> = []
  framesIn = 0
  bytesIn = 0
  framesOut = 0
  bytesOut = 0
  dropped = 0

  constructor(id: number, name: string, options: ModelClientOptions) {
    this.id = id
    this.name = name
    this.options = options
  }

  get primary(): string {
    return cut(this.name)[0]
  }

  get isSecondary(): boolean {
    return cut(this.name).length === 2
  }

  may(verb: string, object: string): boolean {
    return this.options.denied?.includes(`${verb} ${object}`) !== true
  }
}

/** A name's primary, and its suffix where it is a secondary's. */
const cut = (name: string): [primary: string, suffix?: string] => {
  for (let at = 0; at < name.length - 1; at++) {
    if (name[at] === "%" && name[at + 1] === "%") return [name.slice(0, at), name.slice(at + 2)]
  }
  return [name]
}

const fits = (pattern: ReadonlyArray<string>, path: ReadonlyArray<string>, one: string, rest: string): boolean => {
  const [first, ...others] = pattern
  if (first === rest) return path.length > 0
  if (first === undefined || path.length === 0) return first === undefined && path.length === 0
  return (first === one || first === path[0]) && fits(others, path.slice(1), one, rest)
}

export const filterFits = (filter: string, topic: string): boolean =>
  fits(filter.split("/"), topic.split("/"), "+", "#")
export const maskFits = (mask: string, name: string): boolean => fits(mask.split("."), name.split("."), "?", "*")

/** Without what follows a `#`. */
const spelled = (filter: string): string => {
  const kept: Array<string> = []
  for (const part of filter.split("/")) {
    kept.push(part)
    if (part === "#") break
  }
  return kept.join("/")
}

export type ModelOutcome = "ok" | "notRegistered" | "notDelivered" | "denied" | "tooMany"

export interface ModelSettings {
  /** How many filters and exclusions a client has at most. */
  readonly filtersMax?: number | undefined
  readonly forceRegister?: boolean | undefined
  /** Told of each client that has come or, for a reason, gone, one after the other. */
  readonly onChange?: ((client: ModelClient, left: string | undefined) => void) | undefined
  /** Puts clients into the order in which a frame is taken to them, where that is known: nobody promises any. */
  readonly order?: ((clients: ReadonlyArray<ModelClient>) => ReadonlyArray<ModelClient>) | undefined
}

export class ExchangeModel {
  readonly #settings: ModelSettings
  /** Who is connected, in the order of coming. */
  clients: Array<ModelClient> = []
  /** Whose buffers are more than half full, of those that got the last frame. */
  crowded: Array<ModelClient> = []
  framesIn = 0
  framesOut = 0
  dropped = 0
  overflows = 0
  #registered = 0
  #changes: Array<[client: ModelClient, left: string | undefined]> = []
  #isTelling = false

  constructor(settings: ModelSettings = {}) {
    this.#settings = settings
  }

  find(name: string): ModelClient | undefined {
    return this.clients.find((client) => client.name === name)
  }

  register(name: string, options: ModelClientOptions = {}): ModelClient | "invalid" | "primaryMissing" | "taken" {
    const [primary, suffix] = cut(name)
    if (options.isOwn !== true) {
      if (name.trim() === "" || name.includes("\0") || name.startsWith(".")) return "invalid"
      if (primary === "" || suffix === "") return "invalid"
    }
    if (suffix !== undefined && this.find(primary) === undefined) return "primaryMissing"
    const holder = this.find(name)
    if (holder !== undefined) {
      if (this.#settings.forceRegister !== true || holder.isSecondary || name.startsWith(".")) return "taken"
      this.#remove(holder, "replaced")
    }
    const client = new ModelClient(this.#registered++, name, options)
    this.clients.push(client)
    this.#changes.push([client, undefined])
    this.#tell()
    return client
  }

  leave(client: ModelClient, reason: string): void {
    if (!client.isOpen) return
    this.#remove(client, reason)
    this.#tell()
  }

  subscribe(client: ModelClient, filter: string): ModelOutcome {
    if (!client.may("subscribe", filter)) return "denied"
    if (!client.isOpen || client.filters.includes(spelled(filter))) return "ok"
    if (this.#isFull(client)) return "tooMany"
    client.filters = [...client.filters, spelled(filter)]
    return "ok"
  }

  unsubscribe(client: ModelClient, filter: string): void {
    client.filters = client.filters.filter((one) => one !== spelled(filter))
  }

  exclude(client: ModelClient, filter: string): ModelOutcome {
    if (!client.isOpen || client.exclusions.includes(spelled(filter))) return "ok"
    if (this.#isFull(client)) return "tooMany"
    client.exclusions = [...client.exclusions, spelled(filter)]
    return "ok"
  }

  include(client: ModelClient, filter: string): void {
    client.exclusions = client.exclusions.filter((one) => one !== spelled(filter))
  }

  send(from: ModelClient, target: string, payload: string, isRealtime: boolean): ModelOutcome {
    if (!this.#admits(from, "send", target, payload)) return "denied"
    const client = this.find(target)
    if (client === undefined) return "notRegistered"
    const before = client.framesOut
    this.#give([client], { kind: "message", sender: from.name, topic: "", isRealtime, payload })
    return client.framesOut > before ? "ok" : "notDelivered"
  }

  broadcast(from: ModelClient, mask: string, payload: string, isRealtime: boolean): ModelOutcome {
    if (!this.#admits(from, "broadcast", mask, payload)) return "denied"
    const to = this.clients.filter((client) => maskFits(mask, client.name))
    this.#give(to, { kind: "broadcast", sender: from.name, topic: "", isRealtime, payload })
    return "ok"
  }

  /** Whether the client may publish there: what is counted, and asked, before anything else. */
  accepts(from: ModelClient, topic: string, payload: string): boolean {
    return this.#admits(from, "publish", topic, payload)
  }

  publish(from: ModelClient, topic: string, payload: string, isRealtime: boolean, receiver?: string): ModelOutcome {
    if (!this.accepts(from, topic, payload)) return "denied"
    this.deliver(from.name, topic, payload, isRealtime, receiver)
    return "ok"
  }

  deliver(sender: string, topic: string, payload: string, isRealtime: boolean, receiver?: string): void {
    const to = this.subscribers(topic).filter((client) => receiver === undefined || client.primary === receiver)
    this.#give(to, { kind: "publication", sender, topic, isRealtime, payload })
  }

  subscribers(topic: string): ReadonlyArray<ModelClient> {
    const matching = (filters: ReadonlyArray<string>) => filters.some((filter) => filterFits(filter, topic))
    return this.clients.filter((client) => matching(client.filters) && !matching(client.exclusions))
  }

  /** The client reads all that waits for it. */
  read(client: ModelClient): ReadonlyArray<ModelDelivery> {
    const { waiting } = client
    client.waiting = []
    return waiting
  }

  #isFull(client: ModelClient): boolean {
    return client.filters.length + client.exclusions.length >= (this.#settings.filtersMax ?? Infinity)
  }

  #admits(from: ModelClient, verb: string, object: string, payload: string): boolean {
    this.crowded = []
    from.framesIn++
    from.bytesIn += Buffer.byteLength(payload)
    this.framesIn++
    return from.isOpen && from.may(verb, object)
  }

  /** Gives a frame to all who are there now; who cannot take it leaves after that. */
  #give(to: ReadonlyArray<ModelClient>, delivery: ModelDelivery): void {
    const leaving: Array<[client: ModelClient, reason: string]> = []
    for (const client of this.#settings.order?.(to) ?? to) {
      const { breaks, framesMax = Infinity, overflow = "disconnect" } = client.options
      if (client.waiting.length >= framesMax) {
        client.dropped++
        this.dropped++
        if (overflow === "dropNewest") continue
        this.overflows++
        leaving.push([client, "overflow"])
      } else {
        client.waiting.push(delivery)
        client.framesOut++
        client.bytesOut += Buffer.byteLength(delivery.payload)
        this.framesOut++
        if (breaks === true && delivery.isRealtime) leaving.push([client, "left"])
        else if (2 * client.waiting.length > framesMax) this.crowded.push(client)
      }
    }
    // Both a primary and its secondary may leave for reasons of their own.
    for (const [client] of leaving) client.isOpen = false
    for (const [client, reason] of leaving) this.#remove(client, reason)
    this.#tell()
  }

  #remove(client: ModelClient, reason: string): void {
    client.isOpen = false
    client.filters = []
    client.exclusions = []
    this.clients = this.clients.filter((one) => one !== client)
    this.crowded = this.crowded.filter((one) => one !== client)
    const secondaries = this.clients.filter((one) => one.isSecondary && one.primary === client.name)
    for (const secondary of client.isSecondary ? [] : secondaries) {
      if (secondary.isOpen) this.#remove(secondary, "primaryGone")
    }
    this.#changes.push([client, reason])
  }

  #tell(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    for (let change = this.#changes.shift(); change !== undefined; change = this.#changes.shift()) {
      this.#settings.onChange?.(...change)
    }
    this.#isTelling = false
  }
}
