/**
 * How logs, queues, cursors and records are kept in PostgreSQL, and what several nodes on one database know of each other.
 *
 * Positions come from the one row of `millrace_journal`, which whoever writes locks until his commit: so they are in the
 * order of commits, which those of a sequence are not. So do the numbers of logs. Blocks are kept as they are: they do
 * not get smaller by compressing them again and again in small portions. Rows that are changed all the time leave room
 * in their pages, so that their indexes need not change with them.
 */

/** Names are compared as bytes: quickest, and the same whatever the database's locale. */
const name = `TEXT COLLATE "C"`
const roomy = "WITH (fillfactor = 50)"

export const postgresTables: ReadonlyArray<ReadonlyArray<string>> = [
  [
    `CREATE TABLE millrace_journal (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      last_position BIGINT NOT NULL,
      last_discarded BIGINT NOT NULL,
      last_log BIGINT NOT NULL,
      foreign_changes BIGINT NOT NULL
    ) ${roomy}`,
    `INSERT INTO millrace_journal (one, last_position, last_discarded, last_log, foreign_changes)
     VALUES (1, 0, 0, 0, 0)`,
    `CREATE TABLE millrace_nodes (
      node INTEGER PRIMARY KEY,
      tenant ${name} NOT NULL,
      line ${name} NOT NULL,
      device ${name} NOT NULL,
      epoch BIGINT NOT NULL,
      started_at TIMESTAMPTZ NOT NULL,
      UNIQUE (tenant, line, device)
    ) ${roomy}`,
    `CREATE TABLE millrace_logs (
      log BIGINT PRIMARY KEY,
      topic ${name} NOT NULL,
      tenant ${name} NOT NULL,
      line ${name} NOT NULL,
      device ${name} NOT NULL,
      head BIGINT NOT NULL,
      UNIQUE (topic, tenant, line, device)
    ) ${roomy}`,
    `CREATE TABLE millrace_blocks (
      last_position BIGINT PRIMARY KEY,
      log BIGINT NOT NULL,
      last_offset BIGINT NOT NULL,
      messages INTEGER NOT NULL,
      content BYTEA NOT NULL
    )`,
    `ALTER TABLE millrace_blocks ALTER COLUMN content SET STORAGE EXTERNAL`,
    `CREATE UNIQUE INDEX millrace_blocks_by_offset ON millrace_blocks (log, last_offset)`,
    `CREATE TABLE millrace_tombstones (
      log BIGINT NOT NULL,
      first_offset BIGINT NOT NULL,
      last_offset BIGINT NOT NULL,
      PRIMARY KEY (log, first_offset)
    )`,
    `CREATE TABLE millrace_keys (
      position BIGINT PRIMARY KEY,
      node INTEGER NOT NULL,
      log BIGINT NOT NULL,
      name ${name} NOT NULL,
      digest BYTEA,
      keyed_at BIGINT NOT NULL
    )`,
    `CREATE UNIQUE INDEX millrace_keys_by_name ON millrace_keys (log, name)`,
    `CREATE INDEX millrace_keys_by_node ON millrace_keys (node, position)`,
    `CREATE TABLE millrace_queues (
      queue BIGINT PRIMARY KEY,
      name ${name} NOT NULL UNIQUE,
      first_sequence BIGINT NOT NULL,
      last_sequence BIGINT NOT NULL,
      attempts BIGINT NOT NULL
    ) ${roomy}`,
    `CREATE TABLE millrace_queue_blocks (
      queue BIGINT NOT NULL,
      last_sequence BIGINT NOT NULL,
      items INTEGER NOT NULL,
      about TEXT NOT NULL,
      content BYTEA NOT NULL,
      PRIMARY KEY (queue, last_sequence)
    )`,
    `ALTER TABLE millrace_queue_blocks ALTER COLUMN content SET STORAGE EXTERNAL`,
    `CREATE TABLE millrace_cursors (
      name ${name} PRIMARY KEY,
      topics TEXT NOT NULL,
      tenant TEXT,
      line TEXT,
      device TEXT,
      position BIGINT NOT NULL,
      epoch BIGINT NOT NULL,
      moved_at BIGINT NOT NULL
    ) ${roomy}`,
    `CREATE TABLE millrace_cursor_epochs (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      last_epoch BIGINT NOT NULL
    ) ${roomy}`,
    `INSERT INTO millrace_cursor_epochs (one, last_epoch) VALUES (1, 0)`,
    `CREATE TABLE millrace_holds (
      kind TEXT NOT NULL,
      name ${name} NOT NULL,
      node INTEGER NOT NULL,
      epoch BIGINT NOT NULL,
      since TIMESTAMPTZ NOT NULL,
      PRIMARY KEY (kind, name)
    )`,
  ],
  [
    `CREATE TABLE millrace_records (
      node INTEGER NOT NULL,
      name BYTEA NOT NULL,
      value BYTEA NOT NULL,
      PRIMARY KEY (node, name)
    ) ${roomy}`,
  ],
]
