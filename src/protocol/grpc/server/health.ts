/**
 * `grpc.health.v1`: whether the node can do its work, for load balancers and probes. All services depend on the same
 * store, so each of them has the same status as the node as a whole, whose name is empty.
 */
import type { Server, UntypedHandleCall } from "@grpc/grpc-js"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { HealthImplementation, ServingStatus } from "grpc-health-check"
import { Readiness, type ReadinessState } from "../../../readiness/Readiness.ts"
import * as LibraryService from "./LibraryService.ts"
import { Registrations } from "./LibraryService.ts"

const path = (method: string): string => `/grpc.health.v1.Health/${method}`
const methods = { [path("Check")]: "unary", [path("List")]: "unary", [path("Watch")]: "serverStream" } as const

const statusOf = ({ ready }: ReadinessState): ServingStatus => (ready ? "SERVING" : "NOT_SERVING")

/** The health of a server, once it is registered. */
export interface Health {
  /** From now on nothing is serving, whatever the readiness. */
  readonly stop: () => void
  /** Ends the streams that are open. */
  readonly close: () => void
}

/**
 * Registers it. The status follows the node's readiness where there is one, for as long as the scope is open; else it
 * is SERVING until `stop`.
 *
 * @param services names of the services that are asked about
 */
export const register = Effect.fnUntraced(function* (
  server: Server,
  services: ReadonlyArray<string>,
  onDefect: (defect: unknown) => void,
) {
  const names = ["", ...services]
  const readiness = yield* Effect.serviceOption(Readiness)
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  let health: HealthImplementation | undefined
  let status: ServingStatus = Option.isSome(readiness) ? statusOf(readiness.value.known()) : "SERVING"
  let isStopped = false

  const set = (now: ServingStatus): void => {
    if (now === status) return
    status = now
    for (const name of names) health?.setStatus(name, now)
  }
  const follow = (state: ReadinessState): void => {
    if (!isStopped) set(statusOf(state))
  }

  /** The node has a look at itself before it answers. */
  const afterLook =
    (handler: UntypedHandleCall): UntypedHandleCall =>
    (...call: Parameters<UntypedHandleCall>) => {
      const answer = (): void => void (handler as (...call: ReadonlyArray<unknown>) => void)(...call)
      if (Option.isNone(readiness)) return answer()
      runFork(Effect.map(readiness.value.current, follow)).addObserver(answer)
    }

  const load = async (): Promise<Registrations> => {
    const { HealthImplementation } = await import("grpc-health-check")
    const implementation = new HealthImplementation(Object.fromEntries(names.map((name) => [name, status])))
    const registrations = new Registrations()
    implementation.addToServer({
      addService: (definition, { check, ...others }) =>
        registrations.addService(definition, { ...others, check: afterLook(check!) }),
    } as Server)
    health = implementation
    return registrations
  }

  if (Option.isSome(readiness)) {
    yield* Effect.forkScoped(Stream.runForEach(readiness.value.changes, (state) => Effect.sync(() => follow(state))))
  }
  return {
    stop: () => {
      isStopped = true
      set("NOT_SERVING")
    },
    close: LibraryService.register(server, { methods, load, onDefect }),
  } satisfies Health
})
