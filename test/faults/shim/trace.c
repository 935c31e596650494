/*
 * Stands before the C library (LD_PRELOAD) and notes what is done to the files of one directory, TRACE_DIRECTORY, in the
 * order in which it is done, with all data, in the file TRACE_FILE. Each entry:
 *
 *   1 byte    'w' write, 't' truncate, 's' sync, 'c' create, 'u' unlink, 'r' rename
 *   4 bytes   length of the name        8 bytes   offset of a write, length after truncating
 *   4 bytes   length of the data        then the name and the data
 *
 * Names are without the directory; the directory itself has the empty name. Numbers are little-endian.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NAME_MAX_BYTES 4096

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;

/* The name within the directory, or NULL. */
static const char *within(const char *path) {
  static const char *directory = NULL;
  static size_t length = 0;
  if (directory == NULL) {
    directory = getenv("TRACE_DIRECTORY");
    if (directory == NULL) return NULL;
    length = strlen(directory);
  }
  if (strncmp(path, directory, length) != 0) return NULL;
  if (path[length] == '\0') return path + length;
  return path[length] == '/' ? path + length + 1 : NULL;
}

static const char *name_of(int file, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, buffer, NAME_MAX_BYTES - 1);
  if (length <= 0) return NULL;
  buffer[length] = '\0';
  return within(buffer);
}

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t written = syscall(SYS_write, trace, at, length);
    if (written <= 0) abort();
    at += written;
    length -= (size_t)written;
  }
}

static void note(char kind, const char *name, uint64_t offset, const void *data, uint32_t bytes) {
  if (trace == -1) {
    const char *path = getenv("TRACE_FILE");
    trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace == -1) abort();
  }
  uint32_t length = (uint32_t)strlen(name);
  put(&kind, 1);
  put(&length, 4);
  put(&offset, 8);
  put(&bytes, 4);
  put(name, length);
  put(data, bytes);
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

/* Whether each write to the file is brought to the disk before it returns. */
static int is_synced(int file) {
  int flags = fcntl(file, F_GETFL);
  return flags != -1 && (flags & O_DSYNC) != 0;
}

static void note_write(int file, const char *name, uint64_t offset, const void *data, size_t bytes) {
  note('w', name, offset, data, (uint32_t)bytes);
  if (is_synced(file)) note('s', name, 0, "", 0);
}

static ssize_t noted_pwrite(const char *symbol, int file, const void *data, size_t bytes, off_t offset) {
  char buffer[NAME_MAX_BYTES];
  ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, symbol);
  const char *name = name_of(file, buffer);
  if (name == NULL) return real(file, data, bytes, offset);
  pthread_mutex_lock(&mutex);
  ssize_t written = real(file, data, bytes, offset);
  int error = errno;
  if (written > 0) note_write(file, name, (uint64_t)offset, data, (size_t)written);
  pthread_mutex_unlock(&mutex);
  errno = error;
  return written;
}

ssize_t pwrite(int file, const void *data, size_t bytes, off_t offset) {
  return noted_pwrite("pwrite", file, data, bytes, offset);
}

ssize_t pwrite64(int file, const void *data, size_t bytes, off_t offset) {
  return noted_pwrite("pwrite64", file, data, bytes, offset);
}

ssize_t write(int file, const void *data, size_t bytes) {
  char buffer[NAME_MAX_BYTES];
  ssize_t (*real)(int, const void *, size_t) = REAL(ssize_t, write, int, const void *, size_t);
  const char *name = name_of(file, buffer);
  if (name == NULL) return real(file, data, bytes);
  pthread_mutex_lock(&mutex);
  ssize_t written = real(file, data, bytes);
  int error = errno;
  off_t end = lseek(file, 0, SEEK_CUR);
  if (written > 0) note_write(file, name, (uint64_t)(end - written), data, (size_t)written);
  pthread_mutex_unlock(&mutex);
  errno = error;
  return written;
}

/* What is not noted would be missing from every image: better no trace than a wrong one. */
static void refuse(int file, const char *what) {
  char buffer[NAME_MAX_BYTES];
  if (name_of(file, buffer) == NULL) return;
  fprintf(stderr, "the trace knows no %s\n", what);
  abort();
}

/* One write for each part: a disk may hold any of them. */
ssize_t writev(int file, const struct iovec *parts, int count) {
  char buffer[NAME_MAX_BYTES];
  ssize_t (*real)(int, const struct iovec *, int) = REAL(ssize_t, writev, int, const struct iovec *, int);
  const char *name = name_of(file, buffer);
  if (name == NULL) return real(file, parts, count);
  pthread_mutex_lock(&mutex);
  ssize_t written = real(file, parts, count);
  int error = errno;
  off_t at = lseek(file, 0, SEEK_CUR) - written;
  for (ssize_t left = written; left > 0; parts++) {
    size_t bytes = (size_t)left < parts->iov_len ? (size_t)left : parts->iov_len;
    note_write(file, name, (uint64_t)at, parts->iov_base, bytes);
    at += (off_t)bytes;
    left -= (ssize_t)bytes;
  }
  pthread_mutex_unlock(&mutex);
  errno = error;
  return written;
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
  refuse(file, "pwritev");
  return REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t)(file, parts, count, offset);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
  refuse(file, "fallocate");
  return REAL(int, fallocate, int, int, off_t, off_t)(file, mode, offset, length);
}

static int noted_truncate(const char *symbol, int file, off_t length) {
  char buffer[NAME_MAX_BYTES];
  int (*real)(int, off_t) = dlsym(RTLD_NEXT, symbol);
  const char *name = name_of(file, buffer);
  if (name == NULL) return real(file, length);
  pthread_mutex_lock(&mutex);
  int result = real(file, length);
  int error = errno;
  if (result == 0) note('t', name, (uint64_t)length, "", 0);
  pthread_mutex_unlock(&mutex);
  errno = error;
  return result;
}

int ftruncate(int file, off_t length) { return noted_truncate("ftruncate", file, length); }

int ftruncate64(int file, off_t length) { return noted_truncate("ftruncate64", file, length); }

/* While something is synced, nothing else is written: what comes before it in the trace is what it synced. */
static int noted_sync(const char *symbol, int file) {
  char buffer[NAME_MAX_BYTES];
  int (*real)(int) = dlsym(RTLD_NEXT, symbol);
  const char *name = name_of(file, buffer);
  if (name == NULL) return real(file);
  pthread_mutex_lock(&mutex);
  int result = real(file);
  int error = errno;
  if (result == 0) note('s', name, 0, "", 0);
  pthread_mutex_unlock(&mutex);
  errno = error;
  return result;
}

int fsync(int file) { return noted_sync("fsync", file); }

int fdatasync(int file) { return noted_sync("fdatasync", file); }

static int noted_open(const char *symbol, const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, symbol);
  const char *name = (flags & O_CREAT) != 0 ? within(path) : NULL;
  if (name == NULL) return real(path, flags, mode);
  pthread_mutex_lock(&mutex);
  int isNew = access(path, F_OK) != 0;
  int file = real(path, flags, mode);
  int error = errno;
  if (file != -1 && isNew) note('c', name, 0, "", 0);
  if (file != -1 && !isNew && (flags & O_TRUNC) != 0) note('t', name, 0, "", 0);
  pthread_mutex_unlock(&mutex);
  errno = error;
  return file;
}

static mode_t mode_of(int flags, va_list list) { return (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0; }

int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = mode_of(flags, list);
  va_end(list);
  return noted_open("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = mode_of(flags, list);
  va_end(list);
  return noted_open("open64", path, flags, mode);
}

int unlink(const char *path) {
  int (*real)(const char *) = REAL(int, unlink, const char *);
  const char *name = within(path);
  if (name == NULL) return real(path);
  pthread_mutex_lock(&mutex);
  int result = real(path);
  int error = errno;
  if (result == 0) note('u', name, 0, "", 0);
  pthread_mutex_unlock(&mutex);
  errno = error;
  return result;
}

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = REAL(int, rename, const char *, const char *);
  const char *name = within(from);
  const char *new_name = within(to);
  if (name == NULL || new_name == NULL) return real(from, to);
  pthread_mutex_lock(&mutex);
  int result = real(from, to);
  int error = errno;
  if (result == 0) note('r', name, 0, new_name, (uint32_t)strlen(new_name));
  pthread_mutex_unlock(&mutex);
  errno = error;
  return result;
}
