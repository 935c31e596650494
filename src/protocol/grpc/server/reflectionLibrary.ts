/**
 * Reflection as its library serves it, with the descriptors that the generated code carries. Loaded when somebody asks.
 */
import { type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf"
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt"
import type { Server, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js"
import type { PackageDefinition } from "@grpc/proto-loader"
import { ReflectionService } from "@grpc/reflection"
import { service as health } from "grpc-health-check"
import { files } from "../codec/contracts.ts"
import { Registrations } from "./LibraryService.ts"

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

export const load = (): Registrations => {
  const own = new Registrations()
  new ReflectionService(packageOf([])).addToServer(own as unknown as Server)
  const registrations = new Registrations()
  const descriptors = [...files.map(descriptor), ...[health, ...own.services].flatMap(definedIn).map(withMapEntries)]
  new ReflectionService(packageOf(descriptors)).addToServer(registrations as unknown as Server)
  return registrations
}
