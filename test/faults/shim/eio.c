/*
 * Stands before the C library's calls that write and sync (LD_PRELOAD), and lets chosen ones fail with EIO, as on a disk
 * that is going. It looks at files only whose path contains EIO_FILES and none of "-lock", "-reserve" and "-shm".
 *
 * The file EIO_CONTROL holds five 32-bit numbers, shared with whoever runs the test:
 *
 *   0  what fails: 0 nothing, 1 fsync and fdatasync, 2 write and pwrite
 *   1  how many such calls succeed before
 *   2  whether all that follow fail, too (1), or only that one (0)
 *   3  such calls so far
 *   4  failures so far
 *
 * A sync that fails has synced nothing; a write that fails has written half of its bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum kind { SYNC = 1, WRITE = 2 };

static _Atomic int *control;

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("EIO_CONTROL");
  int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (file == -1) return;
  void *mapped = mmap(NULL, 5 * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) control = mapped;
}

static int concerns(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  const char *files = getenv("EIO_FILES");
  return files != NULL && strstr(path, files) != NULL && strstr(path, "-lock") == NULL &&
         strstr(path, "-reserve") == NULL && strstr(path, "-shm") == NULL;
}

static int fails(enum kind kind, int file) {
  if (control == NULL || control[0] != (int)kind || !concerns(file)) return 0;
  int before = atomic_fetch_add(&control[3], 1);
  if (before < control[1] || (before > control[1] && control[2] == 0)) return 0;
  atomic_fetch_add(&control[4], 1);
  errno = EIO;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int file) { return fails(SYNC, file) ? -1 : REAL(fsync)(file); }

int fdatasync(int file) { return fails(SYNC, file) ? -1 : REAL(fdatasync)(file); }

ssize_t write(int file, const void *bytes, size_t count) {
  if (!fails(WRITE, file)) return REAL(write)(file, bytes, count);
  (void)!REAL(write)(file, bytes, count / 2);
  errno = EIO;
  return -1;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
  if (!fails(WRITE, file)) return REAL(pwrite)(file, bytes, count, at);
  (void)!REAL(pwrite)(file, bytes, count / 2, at);
  errno = EIO;
  return -1;
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  if (!fails(WRITE, file)) return REAL(pwrite64)(file, bytes, count, at);
  (void)!REAL(pwrite64)(file, bytes, count / 2, at);
  errno = EIO;
  return -1;
}
