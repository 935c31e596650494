/** `effect/rpc` between clients of one process. */
import * as Layer from "effect/Layer"
import * as Exchange from "../../../src/exchange/index.ts"
import { effectRpcSuite } from "./suite.ts"

effectRpcSuite("in one process", () => Layer.provideMerge(Exchange.layer, Exchange.Router.layer()))
