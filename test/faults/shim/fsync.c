/*
 * Stands before the C library's fsync and fdatasync (LD_PRELOAD) and makes them slow, hanging or failing, as the file
 * named by FSYNC_FAULT_FILE says at each call:
 *
 *   (no file, or empty)   as ever
 *   delay N               N milliseconds longer
 *   hold                  not before the file says something else
 *   fail                  EIO, once: the file is removed
 *   broken                EIO, for as long as the file says so
 *
 * After EIO nothing was synced, as on a disk that lost the write.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum fault { NONE, DELAY, HOLD, FAIL, BROKEN };

static void pause_millis(long millis) {
  struct timespec time = {millis / 1000, (millis % 1000) * 1000000L};
  while (nanosleep(&time, &time) == -1 && errno == EINTR) {
  }
}

static enum fault read_fault(const char *path, long *millis) {
  char text[32] = {0};
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file == -1) return NONE;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return NONE;
  if (sscanf(text, "delay %ld", millis) == 1) return DELAY;
  if (strncmp(text, "hold", 4) == 0) return HOLD;
  if (strncmp(text, "fail", 4) == 0) return FAIL;
  if (strncmp(text, "broken", 6) == 0) return BROKEN;
  return NONE;
}

static int with_fault(const char *name, int file) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const char *path = getenv("FSYNC_FAULT_FILE");
  long millis = 0;
  enum fault fault = path == NULL ? NONE : read_fault(path, &millis);
  if (fault == DELAY) pause_millis(millis);
  while (fault == HOLD) {
    pause_millis(1);
    fault = read_fault(path, &millis);
  }
  if (fault == BROKEN || (fault == FAIL && unlink(path) == 0)) {
    errno = EIO;
    return -1;
  }
  return real(file);
}

int fsync(int file) { return with_fault("fsync", file); }

int fdatasync(int file) { return with_fault("fdatasync", file); }
