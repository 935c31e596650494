/**
 * How logs are kept in SQLite.
 *
 * Positions are row ids, given explicitly: the journal is the table of blocks itself. The only other index on it is by
 * log and offset; it holds the position too, as every index of SQLite does, so that a place in a log is found without
 * reading messages.
 */
export const sqliteTables: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `CREATE TABLE millrace_journal (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      last_position INTEGER NOT NULL,
      last_discarded INTEGER NOT NULL
    ) STRICT`,
    `INSERT INTO millrace_journal (one, last_position, last_discarded) VALUES (1, 0, 0)`,
    `CREATE TABLE millrace_logs (
      log INTEGER PRIMARY KEY,
      topic TEXT NOT NULL,
      tenant TEXT NOT NULL,
      line TEXT NOT NULL,
      device TEXT NOT NULL,
      head INTEGER NOT NULL,
      UNIQUE (topic, tenant, line, device)
    ) STRICT`,
    `CREATE TABLE millrace_blocks (
      last_position INTEGER PRIMARY KEY,
      log INTEGER NOT NULL,
      last_offset INTEGER NOT NULL,
      messages INTEGER NOT NULL,
      content BLOB NOT NULL
    ) STRICT`,
    `CREATE UNIQUE INDEX millrace_blocks_by_offset ON millrace_blocks (log, last_offset)`,
    `CREATE TABLE millrace_tombstones (
      log INTEGER NOT NULL,
      first_offset INTEGER NOT NULL,
      last_offset INTEGER NOT NULL,
      PRIMARY KEY (log, first_offset)
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE millrace_keys (
      position INTEGER PRIMARY KEY,
      log INTEGER NOT NULL,
      name TEXT NOT NULL,
      digest BLOB,
      keyed_at INTEGER NOT NULL
    ) STRICT`,
    `CREATE UNIQUE INDEX millrace_keys_by_name ON millrace_keys (log, name)`,
  ],
  [
    `CREATE TABLE millrace_queues (
      queue INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      first_sequence INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      attempts INTEGER NOT NULL
    ) STRICT`,
    `CREATE TABLE millrace_queue_blocks (
      queue INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      items INTEGER NOT NULL,
      about TEXT NOT NULL,
      content BLOB NOT NULL
    ) STRICT`,
    `CREATE UNIQUE INDEX millrace_queue_blocks_by_sequence ON millrace_queue_blocks (queue, last_sequence)`,
  ],
  [
    `CREATE TABLE millrace_cursors (
      name TEXT PRIMARY KEY,
      topics TEXT NOT NULL,
      tenant TEXT,
      line TEXT,
      device TEXT,
      position INTEGER NOT NULL,
      epoch INTEGER NOT NULL,
      moved_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE millrace_cursor_epochs (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      last_epoch INTEGER NOT NULL
    ) STRICT`,
    `INSERT INTO millrace_cursor_epochs (one, last_epoch) VALUES (1, 0)`,
  ],
  [
    `CREATE TABLE millrace_records (
      node INTEGER NOT NULL,
      name BLOB NOT NULL,
      value BLOB NOT NULL,
      PRIMARY KEY (node, name)
    ) STRICT, WITHOUT ROWID`,
  ],
]
