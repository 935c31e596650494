/**
 * Flags that many commands share, and handlers that are loaded when they run.
 */
import * as Effect from "effect/Effect"
import { Flag } from "effect/cli"

export const url = Flag.String("url").pipe(
  Flag.withMetavar("URL"),
  Flag.withDescription(
    "node to talk to, by grpc:// or as a socket by unix:, tcp:, ws:, tls:, wss:; else MILLRACE_URL, ./millrace-data/endpoints.json, grpc://127.0.0.1:50051",
  ),
  Flag.optional,
)
export const liveUrl = Flag.String("url").pipe(
  Flag.withMetavar("URL"),
  Flag.withDescription(
    "node to talk to: unix:PATH, tcp:HOST:PORT, ws://HOST:PORT, tls: or wss:; else MILLRACE_URL, ./millrace-data/endpoints.json",
  ),
  Flag.optional,
)
export const json = Flag.Boolean("json").pipe(Flag.withDescription("one JSON object a line"), Flag.withDefault(false))
/** An optional flag with a value. */
export const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

/** A handler that is loaded when it runs. */
export const lazily =
  <Input, A, E>(load: () => Promise<(input: Input) => Effect.Effect<A, E>>) =>
  (input: Input): Effect.Effect<A, E> =>
    Effect.flatMap(Effect.promise(load), (handler) => handler(input))
