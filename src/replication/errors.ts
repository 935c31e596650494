/** How replication with a peer fails. Each says what is wrong in a sentence for whoever looks after the node. */
import * as Schema from "effect/Schema"

/** It is not the node that it should be; nothing was read of it. */
export class PeerRefused extends Schema.TaggedError<PeerRefused>("millrace/PeerRefused")("PeerRefused", {
  reason: Schema.Literals([
    /** It has this node's own identity: two nodes with one identity destroy each other's logs. */
    "own identity",
    /** It has another identity than the one that it is configured with. */
    "other identity",
  ]),
  message: Schema.String,
}) {}

/** What it gave for a log is not what was asked for, or cannot be right. Nothing of it was stored. */
export class PeerMisbehaved extends Schema.TaggedError<PeerMisbehaved>("millrace/PeerMisbehaved")("PeerMisbehaved", {
  reason: Schema.Literals([
    /** A message of another topic or origin than was asked for. */
    "foreign message",
    /** Not the offsets that were asked for, in order, without a gap. */
    "wrong offsets",
    /** More messages, or more bytes, than were asked for. */
    "too much",
    /** What is no message at all, or one whose id, time or headers no node could have made. */
    "malformed message",
    /** It lists a head and does not give the messages up to there. */
    "missing messages",
    /** It has more of this node's own log than this node has. */
    "own log ahead",
    /** It lists a log that no node could have. */
    "malformed log",
  ]),
  message: Schema.String,
}) {}

/** There is nothing to decide, or it is not clear about what. Nothing has changed. */
export class NotResolvable extends Schema.TaggedError<NotResolvable>("millrace/NotResolvable")("NotResolvable", {
  reason: Schema.Literals([
    /** The copies of this log do not differ, as far as anybody knows. */
    "not quarantined",
    /** It differs from the copies of several peers, and none is named. */
    "several peers",
    /** There is no peer of this name. */
    "no such peer",
  ]),
  message: Schema.String,
}) {}
