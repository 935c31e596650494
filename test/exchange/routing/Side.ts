/**
 * One of two sides that run the same program, a routing core and the model of one. Each writes down all that can be told
 * of it from outside: what it answers, who came and went and why, what came for whom, and every counter.
 */
import type { ModelClientOptions } from "../../../src/testing/exchange/ExchangeModel.ts"
import type { Command, Reaction, Request } from "./commands.ts"

/** Topics whose publications wait for a commit. */
export const isDurable = (topic: string): boolean => topic.startsWith("d/")

/** What both sides have in common: how commands find their clients, and their payloads. */
export abstract class Side<Client> {
  readonly log: Array<string> = []
  /** All that ever registered. */
  readonly all: Array<Client> = []
  protected readonly isAnnounced: boolean
  #payloads = 0

  constructor(isAnnounced: boolean) {
    this.isAnnounced = isAnnounced
  }

  run(command: Command | Reaction): void {
    switch (command.type) {
      case "register":
        return this.note(
          `register ${command.name}`,
          this.register(command.name, command.options, "onClose" in command ? command.onClose : undefined),
        )
      case "settle":
      case "flush":
        return this[command.type]("isStored" in command && command.isStored)
      case "forceDisconnect":
        return this.note("forceDisconnect", this.forceDisconnect(command.name))
      case "deliver":
        return this.deliver("nobody", command.topic, this.#payload(), command.isRealtime)
      case "hasSubscribers":
        return this.note("hasSubscribers", this.hasSubscribers(command.topic))
      case "leave":
      case "read":
        return this.by(command.who, (client) => this[command.type](client))
      case "subscribe":
      case "unsubscribe":
      case "exclude":
      case "include":
        return this.by(command.who, (client) =>
          this.note(command.type, this[command.type](client, command.filter) ?? "done"),
        )
      default:
        return this.by(command.who, (client) => this.note(command.type, this.send(client, command, this.#payload())))
    }
  }

  protected note(what: string, outcome: unknown): void {
    this.log.push(`${what}: ${String(outcome)}`)
  }

  protected by(who: number, act: (client: Client) => void): void {
    const one = this.all[who]
    if (one !== undefined) act(one)
  }

  /** What follows a change, told of a client's outlet and of a watcher. */
  protected closed(name: string, reason: string, onClose: Reaction | undefined): void {
    this.note(`closed ${name}`, reason)
    if (onClose !== undefined) this.run(onClose)
  }

  protected changed(name: string, isSecondary: boolean, reason: string | undefined): void {
    this.note(name, reason ?? "joined")
    if (!this.isAnnounced || isSecondary) return
    this.deliver(".broker", ".broker/info", `${reason === undefined ? "reg" : "unreg"} ${name}`, false)
  }

  #payload(): string {
    return `payload ${++this.#payloads}`
  }

  abstract register(name: string, options: ModelClientOptions, onClose: Reaction | undefined): string
  abstract settle(isStored: boolean): void
  abstract flush(): void
  abstract forceDisconnect(name: string): boolean
  abstract deliver(sender: string, topic: string, payload: string, isRealtime: boolean): void
  abstract hasSubscribers(topic: string): boolean
  abstract leave(client: Client): void
  abstract read(client: Client): void
  abstract subscribe(client: Client, filter: string): string
  abstract unsubscribe(client: Client, filter: string): void
  abstract exclude(client: Client, filter: string): string
  abstract include(client: Client, filter: string): void
  abstract send(client: Client, request: Request, payload: string): string
  /** All that is known of everybody, and of all together. */
  abstract state(): ReadonlyArray<unknown>
}
