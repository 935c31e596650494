/**
 * What clients have published on durable topics and waits for its commit, and what they have asked `.bus` for and waits
 * for its answer: bounded, for each client and for all together.
 *
 * A client with more than that is *held*: whoever reads its socket stops until enough has been committed. So no more
 * waits than the bound, and one chunk of each client on top.
 */
import type { Member } from "./Member.ts"

export interface UnsettledSettings {
  /** Bytes of one client's publications that wait before it is held. */
  readonly unsettledBytesMax: number
  /** Bytes of all clients' publications that wait before any that publishes more is held. */
  readonly unsettledBytesTotalMax: number
}

export const defaultUnsettledSettings: UnsettledSettings = {
  unsettledBytesMax: 8 * 1024 * 1024,
  unsettledBytesTotalMax: 64 * 1024 * 1024,
}

export class Unsettled {
  readonly #settings: UnsettledSettings
  /** Of all clients. */
  bytes = 0
  /** Clients that are held. */
  held = 0

  constructor(settings: UnsettledSettings) {
    this.#settings = settings
  }

  /** Notes that so many bytes of a client wait. */
  add(member: Member, bytes: number): void {
    member.unsettledBytes += bytes
    this.bytes += bytes
    if (member.isHeld) return
    const { unsettledBytesMax, unsettledBytesTotalMax } = this.#settings
    if (member.unsettledBytes <= unsettledBytesMax && this.bytes <= unsettledBytesTotalMax) return
    this.held++
    member.hold(true)
  }

  /** Notes that they wait no more. */
  remove(member: Member, bytes: number): void {
    member.unsettledBytes -= bytes
    this.bytes -= bytes
    if (!member.isHeld || 2 * member.unsettledBytes > this.#settings.unsettledBytesMax) return
    // Who has nothing left that waits goes on in any case: nothing would look at it again.
    if (this.bytes > this.#settings.unsettledBytesTotalMax && member.unsettledBytes > 0) return
    this.held--
    member.hold(false)
  }
}
