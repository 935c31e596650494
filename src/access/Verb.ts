/**
 * What access rules speak of: each verb, and what its objects are.
 */

/** How the objects of a verb are named, and so how its patterns are written. */
export type ObjectKind = "name" | "mask" | "topic" | "filter" | "queue" | "operation"

export interface VerbMeaning {
  readonly objects: ObjectKind
  /** What it allows, for people. */
  readonly about: string
}

/** Operations on the node itself. */
export const adminOperations = ["stats", "examine", "backup", "peers"] as const
export type AdminOperation = (typeof adminOperations)[number]

export const verbs = {
  send: { objects: "name", about: "direct messages and calls, by masks over the names of their receivers" },
  broadcast: { objects: "mask", about: "broadcasts, by masks: the mask of a broadcast must lie within one of them" },
  publish: { objects: "topic", about: "publishing, by topic filters" },
  subscribe: {
    objects: "filter",
    about:
      "reading, be it live, replayed, fetched or with a named cursor, by topic filters: what is asked for must lie within one of them",
  },
  delete: { objects: "topic", about: "deleting ranges of messages, by topic filters" },
  queue: {
    objects: "queue",
    about: "all that is done with queues, by filters over their names; dead queues are included",
  },
  sync: { objects: "filter", about: "exchanging logs as a peer, by topic filters" },
  admin: { objects: "operation", about: `looking after the node: ${adminOperations.join(", ")}` },
} as const satisfies Readonly<Record<string, VerbMeaning>>

export type Verb = keyof typeof verbs

export const verbNames = Object.keys(verbs) as ReadonlyArray<Verb>
