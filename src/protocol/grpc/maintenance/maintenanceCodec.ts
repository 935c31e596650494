/**
 * What an examination tells, in millrace.v1, there and back.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type ExaminationEvent, type ExaminationSummary, Finding } from "../../../storage/Examination.ts"
import * as codec from "../codec/codec.ts"
import type {
  ExamineResponse,
  ExamineSummary as SummaryMessage,
  Finding as FindingMessage,
} from "../gen/millrace/v1/maintenance_pb.ts"

const findingMessage = ({ kind, log, message, offsets, position, queue, remedy, row }: Finding): FindingMessage => ({
  $typeName: "millrace.v1.Finding",
  kind,
  message: message.toWellFormed(),
  remedy,
  ...(log === undefined
    ? {}
    : { log: { $typeName: "millrace.v1.Log", topic: log.topic, origin: codec.nodeMessage(log.origin) } }),
  ...(offsets === undefined ? {} : { firstOffset: unsigned(offsets.first), lastOffset: unsigned(offsets.last) }),
  ...(position === undefined ? {} : { position: unsigned(position) }),
  ...(queue === undefined ? {} : { queue }),
  ...(row === undefined ? {} : { row: row.toWellFormed() }),
})

/** What is damaged may be negative, and the wire knows no such numbers here; the sentence says it. */
const unsigned = (value: number): bigint => BigInt(Math.max(0, value))

const summaryMessage = ({ format, incarnation, node, ...summary }: ExaminationSummary): SummaryMessage => ({
  $typeName: "millrace.v1.ExamineSummary",
  ...(node === undefined ? {} : { node: codec.nodeMessage(node) }),
  ...(incarnation === undefined ? {} : { incarnation }),
  ...(format === undefined ? {} : { format }),
  logs: BigInt(summary.logs),
  messages: BigInt(summary.messages),
  queues: BigInt(summary.queues),
  items: BigInt(summary.items),
  bytes: BigInt(summary.bytes),
  findings: BigInt(summary.findings),
})

const eventMessage = (event: ExaminationEvent): ExamineResponse["event"] => {
  switch (event._tag) {
    case "Progress":
      return {
        case: "progress",
        value: {
          $typeName: "millrace.v1.ExamineProgress",
          done: unsigned(event.done),
          total: unsigned(event.total),
        },
      }
    case "Found":
      return { case: "finding", value: findingMessage(event.finding) }
    case "Examined":
      return { case: "summary", value: summaryMessage(event.summary) }
  }
}

export const examineResponse = (event: ExaminationEvent): ExamineResponse => ({
  $typeName: "millrace.v1.ExamineResponse",
  event: eventMessage(event),
})

const decodeFinding = Schema.decodeUnknownOption(Finding)

/** A finding from a message; none where it is of a kind that a newer node knows and we do not. */
const finding = (message: FindingMessage): Option.Option<Finding> =>
  decodeFinding({
    kind: message.kind,
    message: message.message,
    remedy: message.remedy,
    ...(message.log === undefined
      ? {}
      : { log: { topic: message.log.topic, origin: codec.plainNode(message.log.origin) } }),
    ...(message.firstOffset === undefined || message.lastOffset === undefined
      ? {}
      : { offsets: { first: Number(message.firstOffset), last: Number(message.lastOffset) } }),
    ...(message.position === undefined ? {} : { position: Number(message.position) }),
    ...(message.queue === undefined ? {} : { queue: message.queue }),
    ...(message.row === undefined ? {} : { row: message.row }),
  })

const summary = (message: SummaryMessage): ExaminationSummary => ({
  ...(message.node === undefined ? {} : { node: codec.plainNode(message.node) }),
  ...(message.incarnation === undefined ? {} : { incarnation: message.incarnation }),
  ...(message.format === undefined ? {} : { format: message.format }),
  logs: Number(message.logs),
  messages: Number(message.messages),
  queues: Number(message.queues),
  items: Number(message.items),
  bytes: Number(message.bytes),
  findings: Number(message.findings),
})

/** An event of a node that we trust; none where it says what we do not know. */
export const examinationEvent = ({ event }: ExamineResponse): Option.Option<ExaminationEvent> => {
  switch (event.case) {
    case "progress":
      return Option.some({ _tag: "Progress", done: Number(event.value.done), total: Number(event.value.total) })
    case "finding":
      return Option.map(finding(event.value), (finding) => ({ _tag: "Found", finding }))
    case "summary":
      return Option.some({ _tag: "Examined", summary: summary(event.value) })
    default:
      return Option.none()
  }
}
