/**
 * `doctor`: examines a store, and says what is wrong with it, where, and what can be done. Nothing is changed.
 *
 * It reads the store's file, whether a node runs on it or not; the store of a node elsewhere is examined by that node.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as NodeId from "../../domain/NodeId.ts"
import type { ExaminationEvent, ExaminationSummary, Finding } from "../../storage/Examination.ts"
import { Maintenance } from "../../storage/Maintenance.ts"
import { findToken } from "../Connection.ts"
import * as Output from "../io/Output.ts"
import * as Progress from "../io/Progress.ts"
import { bytes } from "../io/units.ts"
import * as Source from "./source.ts"
import type { Store } from "./StorePath.ts"
import type { NodeAt } from "../NodeAt.ts"

/** Something is wrong with the store. */
class ProblemsFound extends Schema.TaggedError<ProblemsFound>("millrace/ProblemsFound")("ProblemsFound", {
  message: Schema.String,
}) {}

export interface DoctorInput {
  readonly path: Option.Option<string>
  readonly at: NodeAt
  readonly config: Option.Option<string>
  readonly json: boolean
}

const count = (number: number, what: string): string =>
  `${number.toLocaleString("en")} ${number === 1 ? what : `${what}s`}`

const findingText = ({ kind, message, remedy }: Finding): string => `${kind}: ${message}\n    ${remedy}\n`

const findingJson = ({ log, ...finding }: Finding) => ({
  ...finding,
  ...(log === undefined ? {} : { topic: log.topic, origin: NodeId.format(log.origin) }),
})

const summaryText = (name: string, { findings, items, queues, ...summary }: ExaminationSummary): string => {
  const parts = [
    ...(summary.node === undefined ? [] : [`node ${NodeId.format(summary.node)}`]),
    count(summary.logs, "log"),
    count(summary.messages, "message"),
    ...(queues === 0 ? [] : [`${count(queues, "queue")} with ${count(items, "item")}`]),
    bytes(summary.bytes),
  ]
  return `${name}: ${parts.join(", ")}\n${findings === 0 ? "healthy" : count(findings, "problem")}\n`
}

const summaryJson = (name: string, { node, ...summary }: ExaminationSummary) => ({
  store: name,
  healthy: summary.findings === 0,
  ...(node === undefined ? {} : { node: NodeId.format(node) }),
  ...summary,
})

/** What examines a store here, with as little as it takes. */
const examineHere = async (store: Store): Promise<Stream.Stream<ExaminationEvent, unknown>> => {
  switch (store.backend) {
    case "sqlite":
      return (await import("../../storage/sqlite/examine.ts")).examine(store.path)
    case "lmdb":
      return (await import("../../storage/lmdb/index.ts")).examine(store.path)
    case "postgres":
      return (await import("../../storage/postgres/index.ts")).examine({ url: store.url })
  }
}

/** The events of an examination, which is made here or there. */
const examine = (source: Source.Source): Stream.Stream<ExaminationEvent, unknown> =>
  "store" in source
    ? Stream.unwrap(Effect.promise(() => examineHere(source.store)))
    : Stream.unwrap(
        Effect.map(
          Effect.promise(() => import("../../protocol/grpc/index.ts")),
          (Grpc) =>
            Stream.unwrap(Effect.map(Maintenance, (maintenance) => maintenance.examine)).pipe(
              Stream.provide(Grpc.layerMaintenance({ ...source, token: findToken() })),
            ),
        ),
      )

/** Shows the events, and gives the summary. */
const show = (source: Source.Source, json: boolean) =>
  Effect.gen(function* () {
    let progress: Progress.Progress | undefined
    let done = 0
    let summary: ExaminationSummary | undefined
    yield* Stream.runForEach(
      examine(source),
      Effect.fnUntraced(function* (event: ExaminationEvent) {
        switch (event._tag) {
          case "Progress":
            progress ??= yield* Progress.make("examined", { total: event.total })
            progress.add(event.done - done)
            done = event.done
            return
          case "Found":
            yield* json ? Output.writeJson(findingJson(event.finding)) : Output.write(findingText(event.finding))
            return
          case "Examined":
            summary = event.summary
        }
      }),
    )
    if (summary === undefined)
      return yield* new ProblemsFound({ message: `${Source.nameOf(source)} was not examined to its end` })
    return summary
  }).pipe(Effect.scoped)

export const doctor = Effect.fnUntraced(function* (input: DoctorInput) {
  const source = yield* Source.find("a path", input)
  const name = Source.nameOf(source)
  const summary = yield* show(source, input.json)
  yield* input.json ? Output.writeJson(summaryJson(name, summary)) : Output.write(summaryText(name, summary))
  if (summary.findings > 0) {
    return yield* new ProblemsFound({ message: `${count(summary.findings, "problem")} found in ${name}` })
  }
})
