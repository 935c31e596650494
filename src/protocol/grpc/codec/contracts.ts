/**
 * The contracts that are spoken here: their files, and the services in them.
 */
import { file_millrace_v1_cursors } from "../gen/millrace/v1/cursors_pb.ts"
import { file_millrace_v1_maintenance } from "../gen/millrace/v1/maintenance_pb.ts"
import { file_millrace_v1_queues } from "../gen/millrace/v1/queues_pb.ts"
import { file_millrace_v1_replication } from "../gen/millrace/v1/replication_pb.ts"
import { file_millrace_v1_stats } from "../gen/millrace/v1/stats_pb.ts"
import { file_millrace_v1_sync } from "../gen/millrace/v1/sync_pb.ts"
import { file_millrace_v1_topics } from "../gen/millrace/v1/topics_pb.ts"
import { file_msgbus_v1_msgbus } from "../gen/msgbus/v1/msgbus_pb.ts"

export const files = [
  file_msgbus_v1_msgbus,
  file_millrace_v1_topics,
  file_millrace_v1_queues,
  file_millrace_v1_cursors,
  file_millrace_v1_stats,
  file_millrace_v1_maintenance,
  file_millrace_v1_sync,
  file_millrace_v1_replication,
] as const

export const services = files.flatMap((file) => file.services)
