/** The side of the model. */
import {
  ExchangeModel,
  type ModelClient,
  type ModelClientOptions,
} from "../../../src/testing/exchange/ExchangeModel.ts"
import type { Program, Reaction, Request } from "./commands.ts"
import { isDurable, Side } from "./Side.ts"

export class ModelSide extends Side<ModelClient> {
  readonly model: ExchangeModel
  readonly #onClose: Map<ModelClient, Reaction | undefined> = new Map()
  /** Publications that wait for their commit. */
  readonly #durable: Array<(isStored: boolean) => void> = []

  /** Where it is not promised who leaves first, the model does as `actual` did. */
  constructor({ isAnnounced, settings }: Program, actual: ReadonlyArray<number>) {
    super(isAnnounced)
    this.model = new ExchangeModel({
      filtersMax: settings.subscriptionsMax,
      forceRegister: settings.forceRegister,
      order: (clients) => {
        const place = ({ id }: ModelClient) => actual.indexOf(id)
        return clients.toSorted((a, b) => place(a) - place(b))
      },
      onChange: (client, left) => {
        if (left !== undefined) this.closed(client.name, left, this.#onClose.get(client))
        this.changed(client.name, client.isSecondary, left)
      },
    })
  }

  register(name: string, options: ModelClientOptions, onClose: Reaction | undefined): string {
    const client = this.model.register(name, options)
    if (typeof client === "string") return client
    this.all.push(client)
    this.#onClose.set(client, onClose)
    return "ok"
  }

  settle(isStored: boolean): void {
    this.#durable.shift()?.(isStored)
  }

  flush(): void {}

  forceDisconnect(name: string): boolean {
    const client = this.model.find(name)
    if (client !== undefined) this.model.leave(client, "revoked")
    return client !== undefined
  }

  deliver(sender: string, topic: string, payload: string, isRealtime: boolean): void {
    this.model.deliver(sender, topic, payload, isRealtime)
  }

  hasSubscribers(topic: string): boolean {
    return this.model.subscribers(topic).length > 0
  }

  leave(client: ModelClient): void {
    this.model.leave(client, "left")
  }

  read(client: ModelClient): void {
    for (const delivery of this.model.read(client)) this.note(client.name, JSON.stringify(delivery))
  }

  subscribe = (client: ModelClient, filter: string): string => this.model.subscribe(client, filter)
  unsubscribe = (client: ModelClient, filter: string): void => this.model.unsubscribe(client, filter)
  exclude = (client: ModelClient, filter: string): string => this.model.exclude(client, filter)
  include = (client: ModelClient, filter: string): void => this.model.include(client, filter)

  send(client: ModelClient, request: Request, payload: string): string {
    const { isRealtime } = request
    if (request.type === "send") return this.model.send(client, request.target, payload, isRealtime)
    if (request.type === "broadcast") return this.model.broadcast(client, request.mask, payload, isRealtime)
    const { receiver, topic } = request
    if (receiver !== undefined || !isDurable(topic)) {
      return this.model.publish(client, topic, payload, isRealtime, receiver)
    }
    if (!this.model.accepts(client, topic, payload)) return "denied"
    this.#durable.push((isStored) => {
      if (isStored) this.model.deliver(client.name, topic, payload, isRealtime)
      this.note("settled", isStored ? "ok" : "notStored")
    })
    return "undefined"
  }

  state(): ReadonlyArray<unknown> {
    const { model } = this
    return [
      model.clients.map(({ name }) => name),
      [model.framesIn, model.framesOut, model.dropped, model.overflows, model.crowded.length > 0],
      ...this.all.map((client) => ({
        name: client.name,
        isOpen: client.isOpen,
        counters: [client.framesIn, client.bytesIn, client.framesOut, client.bytesOut, client.dropped],
        filters: [client.filters.toSorted(), client.exclusions.toSorted()],
        waiting: client.waiting,
      })),
    ]
  }
}
