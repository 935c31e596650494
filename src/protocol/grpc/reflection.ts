/**
 * `grpc.reflection`: tells a client what is served here, so that tools such as grpcurl need no definitions of their own.
 * The descriptors are those that the generated code carries.
 */
import { type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf"
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt"
import type { Server, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js"
import type { PackageDefinition } from "@grpc/proto-loader"
import { files } from "./contracts.ts"
import { Registrations } from "./LibraryService.ts"
import * as LibraryService from "./LibraryService.ts"

const methods = {
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": "bidi",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": "bidi",
} as const

const descriptor = ({ proto }: DescFile): Buffer => Buffer.from(toBinary(FileDescriptorProtoSchema, proto))

/** A type of a library's service knows the files that it is defined in. */
const definedIn = (service: ServiceDefinition<UntypedServiceImplementation>): ReadonlyArray<Buffer> =>
  Object.values(service).flatMap((method) =>
    "requestType" in method ? (method.requestType as { fileDescriptorProtos: Array<Buffer> }).fileDescriptorProtos : [],
  )

/**
 * The same file, whose map fields are as the protobuf compiler writes them: their entries' type is named after the
 * field and ends in `Entry`. The libraries' loader leaves that off, and clients refuse the whole file then.
 */
const withMapEntries = (bytes: Buffer): Buffer => {
  const file = fromBinary(FileDescriptorProtoSchema, bytes)
  for (const message of file.messageType) {
    for (const entry of message.nestedType) {
      if (entry.options?.mapEntry !== true || entry.name.endsWith("Entry")) continue
      for (const field of message.field) if (field.typeName === entry.name) field.typeName += "Entry"
      entry.name += "Entry"
    }
  }
  return Buffer.from(toBinary(FileDescriptorProtoSchema, file))
}

/** What the library takes to be a package: only the descriptors in it count. */
const packageOf = (descriptors: ReadonlyArray<Buffer>): PackageDefinition =>
  ({ all: { fileDescriptorProtos: [...descriptors] } }) as unknown as PackageDefinition

const load = async (): Promise<Registrations> => {
  const [{ ReflectionService }, { service: health }] = await Promise.all([
    import("@grpc/reflection"),
    import("grpc-health-check"),
  ])
  const own = new Registrations()
  new ReflectionService(packageOf([])).addToServer(own as unknown as Server)
  const registrations = new Registrations()
  const descriptors = [...files.map(descriptor), ...[health, ...own.services].flatMap(definedIn).map(withMapEntries)]
  new ReflectionService(packageOf(descriptors)).addToServer(registrations as unknown as Server)
  return registrations
}

/** Registers it; gives what ends the streams that are open. */
export const register = (server: Server, onDefect: (defect: unknown) => void): (() => void) =>
  LibraryService.register(server, { methods, load, onDefect })
