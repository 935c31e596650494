/**
 * A peer under TLS that is another node than it should be: whatever its certificate, it is asked who it is, and nothing
 * else.
 */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as NodeId from "../../src/domain/NodeId.ts"
import * as Grpc from "../../src/protocol/grpc/index.ts"
import { defaultPeerSettings, type PeerLink } from "../../src/replication/index.ts"
import * as Memory from "../../src/storage/memory/index.ts"
import * as Topics from "../../src/topics/index.ts"
import { idOf, makeNode, replicating } from "../replication/nodes.ts"
import { authority, certificate, makeAuthority } from "../support/certificates.ts"
import { secret } from "./Service.ts"
