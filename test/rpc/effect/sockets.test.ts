/** `effect/rpc` between clients on sockets. */
import { overSocket } from "../overSocket.ts"
import { effectRpcSuite } from "./suite.ts"

effectRpcSuite("over a socket", overSocket)
