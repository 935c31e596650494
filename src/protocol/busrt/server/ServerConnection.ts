/**
 * A connection from its first byte to its last: the handshake, which has to be done in time, and then a session.
 */
import type { Access } from "../../../access/Access.ts"
import { isRefusal, type Member, type MemberKind, type RoutingCore } from "../../../exchange/index.ts"
import type { Connection, Reader } from "../../../transport/Connection.ts"
import { begin as beginHandshake } from "../../../transport/handshake.ts"
import { greeting, handshakeBytesMax, resultByte, ServerHandshake } from "../codec/handshake.ts"
import { ResultCode } from "../codec/results.ts"
import { codeOfRefusal } from "./outcomes.ts"
import { Session } from "./Session.ts"
import type { ServerSettings } from "./settings.ts"

const kinds: Readonly<Record<Connection["kind"], MemberKind>> = {
  unix: "local_ipc",
  pipe: "local_ipc",
  tcp: "tcp",
  tls: "tcp",
  ws: "websocket",
  wss: "websocket",
}

/** What all connections of a server have in common. */
export interface ServerContext {
  readonly core: RoutingCore
  readonly access: Access["Service"]
  readonly settings: ServerSettings
  readonly sessions: Set<Session>
}

export class ServerConnection implements Reader {
  readonly #context: ServerContext
  readonly #connection: Connection
  readonly #closed: () => void
  readonly #handshake = new ServerHandshake()
  /** What ends the peer's time for the handshake. */
  readonly #accept: () => void
  #session: Session | undefined
  #member: Member | undefined
  /** The handshake has failed: what still comes is not looked at. */
  #isOver = false

  constructor(context: ServerContext, connection: Connection, closed: () => void) {
    this.#context = context
    this.#connection = connection
    this.#closed = closed
    const { handshakeMillis } = context.settings
    this.#accept = beginHandshake(connection, { within: handshakeMillis, bytesMax: handshakeBytesMax })
    connection.write(greeting)
  }

  readonly onChunk = (chunk: Uint8Array): void => {
    if (this.#session !== undefined) this.#session.onChunk(chunk)
    else if (!this.#isOver) this.#shake(chunk)
  }

  readonly onDrain = (): void => this.#session?.onDrain()

  readonly onClose = (): void => {
    this.#accept()
    if (this.#session !== undefined) this.#context.sessions.delete(this.#session)
    if (this.#member !== undefined) this.#context.core.leave(this.#member, "left")
    this.#context.core.flush()
    this.#closed()
  }

  #shake(chunk: Uint8Array): void {
    for (const step of this.#handshake.push(chunk)) {
      if (step.type === "greeted") this.#connection.write(resultByte(ResultCode.ok))
      else if (step.type === "malformed") this.#refuse(step.code)
      else this.#register(step.name, step.rest)
    }
  }

  #register(name: string, rest: Uint8Array): void {
    const { core, access, settings, sessions } = this.#context
    const { kind, source, port, peerNames } = this.#connection
    // A file has no address; a socket that has lost its own is from nowhere, and in no network.
    const isFile = kind === "unix" || kind === "pipe"
    const grants = access.permissionsOf(name, isFile ? undefined : source, peerNames)
    if (grants === undefined) {
      this.#refuse(ResultCode.accessDenied)
      return
    }
    const session = new Session(core, this.#connection, settings)
    const member = core.register(name, {
      outlet: session,
      kind: kinds[kind],
      source,
      port,
      grants,
      onHeldChange: session.onHeldChange,
    })
    if (isRefusal(member)) {
      this.#refuse(codeOfRefusal(member))
      return
    }
    this.#accept()
    this.#connection.write(resultByte(ResultCode.ok))
    this.#member = member
    this.#session = session
    sessions.add(session)
    session.begin(member)
    // Its coming may have been announced to others.
    core.flush()
    if (rest.byteLength > 0) session.onChunk(rest)
  }

  #refuse(code: ResultCode): void {
    this.#isOver = true
    this.#connection.write(resultByte(code))
    this.#connection.end()
  }
}
