/**
 * `millrace.v1.CursorsService` over the service `Topics`.
 */
import * as Effect from "effect/Effect"
import type { Topics } from "../../../topics/Topics.ts"
import * as ConsumeSession from "./consumeSession.ts"
import * as cursorCodec from "./cursorCodec.ts"
import { CursorsService } from "../gen/millrace/v1/cursors_pb.ts"
import type { ForCaller, Sessions } from "../server/session.ts"

export const register = (sessions: Sessions, topicsOf: ForCaller<Topics["Service"]>): void => {
  const { method } = CursorsService

  sessions.bidirectional(method.consume, (call, permissions) =>
    ConsumeSession.serve(call, { topics: topicsOf(permissions), sessions }),
  )

  sessions.unary(method.listCursors, (_, { permissions }) =>
    Effect.map(topicsOf(permissions).cursors, (cursors) => ({
      $typeName: "millrace.v1.ListCursorsResponse",
      cursors: cursors.map(cursorCodec.stateMessage),
    })),
  )

  sessions.unary(
    method.resetCursor,
    Effect.fnUntraced(function* (request, { permissions }) {
      yield* topicsOf(permissions).resetCursor(request.cursor, yield* cursorCodec.resetTo(request))
      return { $typeName: "millrace.v1.ResetCursorResponse" } as const
    }),
  )

  sessions.unary(method.deleteCursor, ({ cursor }, { permissions }) =>
    Effect.as(topicsOf(permissions).deleteCursor(cursor), { $typeName: "millrace.v1.DeleteCursorResponse" } as const),
  )
}
