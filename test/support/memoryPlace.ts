/**
 * Before the tests run: temporary directories go to a file system in memory, where there is one with room. Most tests are
 * about what is in files, not about what a disk does, and a commit there need not wait for one. Tests of kills and of
 * disks ask for a directory on a disk (`diskDirectory`).
 */
import { chmodSync, mkdtempSync, rmSync, statfsSync } from "node:fs"
import { tmpdir } from "node:os"

const memory = "/dev/shm"
/** Several times what the tests have there at a time. */
const freeBytesMin = 2 * 1024 ** 3

const hasRoom = (): boolean => {
  try {
    const { bavail, bsize } = statfsSync(memory)
    return bavail * bsize >= freeBytesMin
  } catch {
    // There is none.
    return false
  }
}

export default (): (() => void) | undefined => {
  if (!hasRoom()) return undefined
  // Short, for paths of sockets have little room.
  const directory = mkdtempSync(`${memory}/millrace-`)
  // PostgreSQL's servers run as a user of their own.
  chmodSync(directory, 0o711)
  process.env["TESTS_DISK"] = tmpdir()
  process.env["TMPDIR"] = directory
  return () => rmSync(directory, { recursive: true, force: true })
}
