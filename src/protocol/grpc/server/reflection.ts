/**
 * `grpc.reflection`: tells a client what is served here, so that tools such as grpcurl need no definitions of their own.
 */
import type { Server } from "@grpc/grpc-js"
import * as LibraryService from "./LibraryService.ts"

const methods = {
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "bidi",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "bidi",
} as const

const load = async (): Promise<LibraryService.Registrations> => (await import("./reflectionLibrary.ts")).load()

/** Registers it; gives what ends the streams that are open. */
export const register = (server: Server, onDefect: (defect: unknown) => void): (() => void) =>
  LibraryService.register(server, { methods, load, onDefect })
