/** Access rules: their file, what they let a principal do, and the service that knows those in force. */
export * from "./Access.ts"
export * as AccessRules from "./AccessRules.ts"
export * as Permissions from "./Permissions.ts"
export { hashOf as tokenHashOf } from "./tokens.ts"
export { type AdminOperation, adminOperations, type Verb, verbNames, verbs } from "./Verb.ts"
