/**
 * Services that libraries bring along, served without their libraries: these are loaded by the first call, because they
 * read and compile their definitions when they are loaded, and a node that nobody asks starts quicker without.
 *
 * Requests and answers stay bytes here; what the library registers at a server is caught, and is given the same calls.
 */
import { EventEmitter } from "node:events"
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Server,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js"
import { toStatus } from "../codec/errorCodec.ts"
import { closing, unreadable } from "./session.ts"

type Definition = ServiceDefinition<UntypedServiceImplementation>
type MethodDefinition = Definition[string]

/** A method as its library serves it. */
interface Served {
  readonly definition: MethodDefinition
  readonly handler: UntypedHandleCall
}

/** What a library registers at a server, by path. */
export class Registrations {
  readonly services: Array<Definition> = []
  readonly #methods = new Map<string, Served>()

  /** As a server's: libraries call it. */
  readonly addService = (service: Definition, implementation: UntypedServiceImplementation): void => {
    this.services.push(service)
    for (const [name, definition] of Object.entries(service)) {
      const handler = implementation[name] ?? implementation[definition.originalName ?? name]
      if (handler !== undefined) this.#methods.set(definition.path, { definition, handler })
    }
  }

  get(path: string): Served {
    const served = this.#methods.get(path)
    if (served === undefined) throw new Error(`the library does not serve ${path}`)
    return served
  }
}

export interface LibraryServiceOptions {
  /** `/package.Service/Method` of each method, by its kind. */
  readonly methods: Readonly<Record<string, "unary" | "serverStream" | "bidi">>
  /** Loads the library and has it register. */
  readonly load: () => Promise<Registrations>
  /** Told of a library that cannot be loaded, or that failed. */
  readonly onDefect: (defect: unknown) => void
}

const asIs = (bytes: Buffer): Buffer => bytes

const failed = { code: status.INTERNAL, details: "the node failed in a way that it did not expect" }

/** A call whose messages are the library's. What the library does not use is not there. */
class LibraryCall extends EventEmitter {
  readonly request: unknown
  readonly #write: (message: unknown) => boolean
  readonly end: () => void

  constructor(request: unknown, write: (message: unknown) => boolean, end: () => void) {
    super()
    this.request = request
    this.#write = write
    this.end = end
  }

  write(message: unknown): boolean {
    return this.#write(message)
  }
}

/** Registers the methods; gives what ends the streams that are open. */
export const register = (server: Server, { load, methods, onDefect }: LibraryServiceOptions): (() => void) => {
  let loading: Promise<Registrations> | undefined
  const library = (): Promise<Registrations> => (loading ??= load())
  const open = new Set<() => void>()

  const unary =
    (path: string): handleUnaryCall<Buffer, Buffer> =>
    (call, callback) => {
      const answer = ({ definition, handler }: Served): void => {
        let request: object
        try {
          request = definition.requestDeserialize(call.request)
        } catch {
          return callback(toStatus(unreadable))
        }
        const done = (failure: { code: number; details: string } | null, value?: object): void =>
          failure === null ? callback(null, definition.responseSerialize(value!)) : callback(failure)
        ;(handler as (call: unknown, done: unknown) => void)({ request }, done)
      }
      library()
        .then((registrations) => answer(registrations.get(path)))
        .catch((defect: unknown) => {
          onDefect(defect)
          callback(failed)
        })
    }

  type Stream =
    | Parameters<handleServerStreamingCall<Buffer, Buffer>>[0]
    | Parameters<handleBidiStreamingCall<Buffer, Buffer>>[0]

  const stream =
    (path: string) =>
    (call: Stream): void => {
      const fail = (failure: { code: number; details: string }): void => {
        if (!call.cancelled) call.emit("error", failure)
      }
      const close = (): void => fail(toStatus(closing))
      open.add(close)
      const serve = ({ definition, handler }: Served): void => {
        const read = (bytes: Buffer): object | undefined => {
          try {
            return definition.requestDeserialize(bytes)
          } catch {
            fail(toStatus(unreadable))
            return undefined
          }
        }
        const isSingle = "request" in call
        const request = isSingle ? read(call.request) : undefined
        if (isSingle && request === undefined) return
        const libraryCall = new LibraryCall(
          request,
          (message) => call.write(definition.responseSerialize(message as object)),
          () => call.end(),
        )
        call.on("cancelled", () => libraryCall.emit("cancelled"))
        ;(handler as (call: unknown) => void)(libraryCall)
        if (isSingle) return
        call.on("data", (bytes: Buffer) => {
          const message = read(bytes)
          if (message !== undefined) libraryCall.emit("data", message)
        })
        call.on("end", () => libraryCall.emit("end"))
      }
      call.on("cancelled", () => open.delete(close))
      library()
        .then((registrations) => serve(registrations.get(path)))
        .catch((defect: unknown) => {
          onDefect(defect)
          fail(failed)
        })
    }

  for (const [path, kind] of Object.entries(methods)) {
    const handler = kind === "unary" ? unary(path) : stream(path)
    server.register(path, handler as UntypedHandleCall, asIs, asIs, kind)
  }
  return () => {
    for (const close of open) close()
    open.clear()
  }
}
