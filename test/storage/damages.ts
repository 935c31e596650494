/**
 * What can go wrong in a store, done by statements to one that has something of everything, and what an examination says
 * of it.
 */
import type { Finding } from "../../src/storage/Examination.ts"

export interface Damage {
  readonly kind: Finding["kind"]
  readonly says: string
  /** How the store refuses to start, where it does. */
  readonly refused?: string
  readonly statements: ReadonlyArray<string>
}

export const damages: Readonly<Record<string, Damage>> = {
  "a head beyond the messages": {
    kind: "head",
    says: "the log orders@acme/press/one ends at offset 12, and 13 is noted as its head",
    refused: "is damaged: the log orders@acme/press/one ends at offset 12, and 13 is noted as its head",
    statements: ["UPDATE millrace_logs SET head = 13 WHERE log = 1"],
  },
  "a head that went back": {
    kind: "head",
    says: "the log orders@acme/press/one ends at offset 12, and 11 is noted as its head",
    refused: "is damaged: the log orders@acme/press/one ends at offset 12, and 11 is noted as its head",
    statements: ["UPDATE millrace_logs SET head = 11 WHERE log = 1"],
  },
  "a missing block": {
    kind: "gap",
    says: "the log orders@acme/press/one lacks offsets 3 to 4",
    statements: ["DELETE FROM millrace_blocks WHERE log = 1 AND last_offset = 4"],
  },
  "offsets that are there twice": {
    kind: "duplicate",
    says: "the log orders@acme/press/one has offset 2 twice",
    statements: ["UPDATE millrace_blocks SET last_offset = 3 WHERE log = 1 AND last_offset = 4"],
  },
  "positions that overlap": {
    kind: "order",
    says: "the block that ends at position 4 begins at 3, and the one before it ends at 3",
    statements: ["UPDATE millrace_blocks SET last_position = 4 WHERE last_position = 5"],
  },
  "a journal that ends too early": {
    kind: "end",
    says: "the journal ends at position 22, and 20 is noted as its end",
    refused: "is damaged: its journal ends at position 22, and 20 is noted as its end",
    statements: ["UPDATE millrace_journal SET last_position = 20"],
  },
  "a block of a log that is not there": {
    kind: "log",
    says: "the block that ends at position 3 belongs to log 77, which is not in the table of logs",
    statements: ["UPDATE millrace_blocks SET log = 77 WHERE last_position = 3"],
  },
  "a log without a name": {
    kind: "log",
    says: "log 1 has a name that none can have",
    statements: ["UPDATE millrace_logs SET topic = ' ' WHERE log = 1"],
  },
  "a block with another number of messages": {
    kind: "block",
    says: "offset 1 of the log parcels@acme/press/one, is damaged: its checksum does not fit",
    statements: ["UPDATE millrace_blocks SET content = zeroblob(20) WHERE last_position = 3"],
  },
  "a deleted range whose content is back": {
    kind: "not deleted",
    says: "offset 7 of the log orders@acme/press/one is in a deleted range and is still there",
    statements: ["UPDATE millrace_tombstones SET last_offset = 7 WHERE log = 1"],
  },
  "a deleted range that is none": {
    kind: "tombstone",
    says: "the deleted range 30 to 20 of the log orders@acme/press/one is none",
    statements: ["INSERT INTO millrace_tombstones VALUES (1, 30, 20)"],
  },
  "deleted ranges that touch": {
    kind: "tombstone",
    says: "the deleted range 6 to 6 of the log orders@acme/press/one touches the one before it",
    statements: ["INSERT INTO millrace_tombstones VALUES (1, 6, 6)"],
  },
  "a deleted range that is forgotten": {
    kind: "marker",
    says: "says that offsets 3 to 5 of the log orders@acme/press/one are deleted, and they are not",
    statements: ["DELETE FROM millrace_tombstones WHERE log = 1"],
  },
  "a key of no message": {
    kind: "key",
    says: 'the key "key 1" points at position 1, where log 2 has no message',
    statements: ["UPDATE millrace_keys SET position = 1 WHERE name = 'key 1'"],
  },
  "another node's name in the store": {
    kind: "identity",
    says: "the store says that it belongs to acme/press/other, and has keys of what acme/press/one published",
    refused: "belongs to node acme/press/other and cannot be used as acme/press/one",
    statements: [
      `UPDATE millrace_meta SET value = '{"tenant":"acme","line":"press","device":"other"}' WHERE name = 'node'`,
    ],
  },
  "a node's name that cannot be read": {
    kind: "identity",
    says: "whose it is cannot be read: {",
    refused: "is damaged: whose it is cannot be read: {",
    statements: ["UPDATE millrace_meta SET value = '{' WHERE name = 'node'"],
  },
  "a lost incarnation": {
    kind: "identity",
    says: "the store has no incarnation",
    statements: ["DELETE FROM millrace_meta WHERE name = 'incarnation'"],
  },
  "a queue whose end is not that of its items": {
    kind: "queue",
    says: 'the queue "mails" lacks its items 7 to 9',
    refused: 'is damaged: the queue "mails" ends at sequence 6, and 9 is noted as its end',
    statements: ["UPDATE millrace_queues SET last_sequence = 9"],
  },
  "a queue whose end went back": {
    kind: "queue",
    says: 'the queue "mails" ends at sequence 6, and 5 is noted as its end',
    refused: 'is damaged: the queue "mails" ends at sequence 6, and 5 is noted as its end',
    statements: ["UPDATE millrace_queues SET last_sequence = 5"],
  },
  "a queue that begins beyond its end": {
    kind: "queue",
    says: 'the queue "mails" begins at sequence 9 and ends at 6',
    statements: ["UPDATE millrace_queues SET first_sequence = 9"],
  },
  "items that are missing in a queue": {
    kind: "queue",
    says: 'the queue "mails" lacks its items 4 to 4',
    statements: ["DELETE FROM millrace_queue_blocks WHERE last_sequence = 4"],
  },
  "items that were done and are still there": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 3 is still there, and its items are gone',
    statements: ["UPDATE millrace_queues SET first_sequence = 4"],
  },
  "items that overlap": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 5 begins at 4, within the one before it',
    statements: ["UPDATE millrace_queue_blocks SET last_sequence = 5 WHERE last_sequence = 6"],
  },
  "a damaged block of items": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 4 is damaged: its checksum does not fit',
    statements: ["UPDATE millrace_queue_blocks SET content = zeroblob(40) WHERE last_sequence = 4"],
  },
  "what items are about, changed": {
    kind: "queue",
    says: 'the block of the queue "mails" that ends at sequence 6 is damaged: its checksum does not fit',
    statements: ["UPDATE millrace_queue_blocks SET about = about || ' ' WHERE last_sequence = 6"],
  },
  "items of a queue that is not there": {
    kind: "queue",
    says: "there are items of queue 77, which is not in the table of queues",
    statements: ["UPDATE millrace_queue_blocks SET queue = 77 WHERE last_sequence = 6"],
  },
  "attempts at no item": {
    kind: "queue",
    says: 'the queue "mails" counts -1 attempts at its front',
    statements: ["UPDATE millrace_queues SET attempts = -1"],
  },
  "a cursor beyond the journal": {
    kind: "cursor",
    says: 'the cursor "worker" is at position 99, and the journal ends at 22',
    statements: ["UPDATE millrace_cursors SET position = 99"],
  },
  "a cursor of an epoch that nobody was given": {
    kind: "cursor",
    says: 'the cursor "worker" has epoch 7, and the last one that was given is 1',
    statements: ["UPDATE millrace_cursors SET epoch = 7"],
  },
  "a cursor of half a node": {
    kind: "cursor",
    says: 'the cursor "worker" is for messages that cannot be: ',
    statements: ["UPDATE millrace_cursors SET line = NULL"],
  },
  "a record that is none": {
    kind: "record",
    says: 'the record "sync/one" cannot be read',
    statements: ["UPDATE millrace_records SET value = name"],
  },
  "a newer format": {
    kind: "newer format",
    says: "the store has format 99",
    refused: "has format 99, and this version of millrace knows formats up to",
    statements: ["UPDATE millrace_meta SET value = '99' WHERE name = 'format'"],
  },
  "a table that is gone": {
    kind: "unreadable",
    says: "the table millrace_keys cannot be read: no such table: millrace_keys",
    refused: "no such table: millrace_keys",
    statements: ["DROP TABLE millrace_keys"],
  },
}
