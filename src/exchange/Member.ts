/**
 * A client that is registered: what the routing core knows of it. Its fields are the core's to change.
 */
import * as Permissions from "../access/Permissions.ts"
import * as ClientName from "../domain/ClientName.ts"
import type { Outlet, OverflowPolicy } from "./Outlet.ts"

/** How a client is connected, in the words of BUS/RT. */
export type MemberKind = "internal" | "local_ipc" | "tcp" | "websocket"

export interface MemberOptions {
  readonly outlet: Outlet
  readonly kind: MemberKind
  /** The address it comes from, as text. */
  readonly source?: string | undefined
  readonly port?: number | undefined
  /** What the client may do; by default everything. */
  readonly grants?: Permissions.Permissions | undefined
  readonly overflow?: OverflowPolicy | undefined
  /**
   * Called when `isHeld` changes: whether so much of what the client publishes waits for its commit that nothing more is
   * to be read of it for now. Called while the core works, perhaps after the client has left: must not throw, nor wait.
   */
  readonly onHeldChange?: ((isHeld: boolean) => void) | undefined
}

export class Member {
  readonly name: string
  readonly primaryName: string
  readonly isSecondary: boolean
  readonly kind: MemberKind
  readonly source: string | undefined
  readonly port: number | undefined
  readonly grants: Permissions.Permissions
  readonly overflow: OverflowPolicy
  readonly outlet: Outlet
  /** Of a primary. */
  readonly secondaries: Set<Member> = new Set()
  readonly filters: Set<string> = new Set()
  readonly exclusions: Set<string> = new Set()
  isOpen = true
  /** Frames and bytes of payload that came from it, that went to it, and that were dropped before they did. */
  framesIn = 0
  bytesIn = 0
  framesOut = 0
  bytesOut = 0
  dropped = 0
  /** Whether its outlet has taken something that is not flushed. */
  isTouched = false
  /** Bytes of its publications that wait for their commit, and whether nothing more is to be read of it until they have it. */
  unsettledBytes = 0
  isHeld = false
  readonly #onHeldChange: MemberOptions["onHeldChange"]

  constructor(name: string, options: MemberOptions) {
    this.name = name
    this.primaryName = ClientName.primaryOf(name)
    this.isSecondary = this.primaryName !== name
    this.kind = options.kind
    this.source = options.source
    this.port = options.port
    this.grants = options.grants ?? Permissions.all(this.primaryName)
    this.overflow = options.overflow ?? "disconnect"
    this.outlet = options.outlet
    this.#onHeldChange = options.onHeldChange
  }

  hold(isHeld: boolean): void {
    this.isHeld = isHeld
    this.#onHeldChange?.(isHeld)
  }
}
