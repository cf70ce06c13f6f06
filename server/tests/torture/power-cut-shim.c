/*
 * A disk whose power can be cut: preloaded into a process, it keeps beside every watched file what a sync has made
 * durable of it. Writes wait in memory until fsync or fdatasync of their file copies them to DURABLE_DIR; when the
 * process is killed, DURABLE_DIR holds what would have survived at worst. A file that was removed stays removed from
 * the next sync on, as on file systems that keep a journal of names.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct change {
  struct change *next;
  long long offset;
  long long length; /* -1: the file is cut to `offset` */
  char data[];
};

struct file {
  struct file *next;
  struct change *first, *last;
  int removed;
  char name[256];
};

static struct file *files = NULL;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The base name of a watched file, or 0. */
static int watched(int fd, char *name, size_t size) {
  const char *watch = getenv("WATCH_DIR");
  char link[64], path[1024];
  if (watch == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  if (strncmp(path, watch, strlen(watch)) != 0) return 0;
  const char *base = strrchr(path, '/');
  snprintf(name, size, "%s", base == NULL ? path : base + 1);
  return 1;
}

static struct file *file_of(const char *name) {
  for (struct file *file = files; file != NULL; file = file->next)
    if (strcmp(file->name, name) == 0) return file;
  struct file *file = calloc(1, sizeof *file);
  snprintf(file->name, sizeof file->name, "%s", name);
  file->next = files;
  files = file;
  return file;
}

static void note(int fd, const void *data, long long length, long long offset) {
  char name[256];
  if (!watched(fd, name, sizeof name)) return;
  struct change *change = malloc(sizeof *change + (length > 0 ? (size_t)length : 0));
  change->next = NULL;
  change->offset = offset;
  change->length = length;
  if (length > 0) memcpy(change->data, data, (size_t)length);
  pthread_mutex_lock(&lock);
  struct file *file = file_of(name);
  if (file->last == NULL) file->first = change;
  else file->last->next = change;
  file->last = change;
  pthread_mutex_unlock(&lock);
}

static void forget_changes(struct file *file) {
  for (struct change *change = file->first; change != NULL;) {
    struct change *done = change;
    change = change->next;
    free(done);
  }
  file->first = file->last = NULL;
}

static void make_removals_durable(void) {
  char path[1024];
  for (struct file *file = files; file != NULL; file = file->next) {
    if (!file->removed) continue;
    snprintf(path, sizeof path, "%s/%s", getenv("DURABLE_DIR"), file->name);
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    file->removed = 0;
  }
}

static void make_durable(int fd) {
  char name[256], path[1024];
  if (!watched(fd, name, sizeof name)) return;
  snprintf(path, sizeof path, "%s/%s", getenv("DURABLE_DIR"), name);
  pthread_mutex_lock(&lock);
  make_removals_durable();
  struct file *file = file_of(name);
  int to = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
  for (struct change *change = file->first; change != NULL; change = change->next) {
    if (change->length < 0) syscall(SYS_ftruncate, to, change->offset);
    else syscall(SYS_pwrite64, to, change->data, change->length, change->offset);
  }
  forget_changes(file);
  syscall(SYS_close, to);
  pthread_mutex_unlock(&lock);
}

ssize_t write(int fd, const void *data, size_t length) {
  char name[256];
  long long offset = watched(fd, name, sizeof name) ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : -1;
  ssize_t written = syscall(SYS_write, fd, data, length);
  if (offset >= 0 && written > 0) note(fd, data, written, offset);
  return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  ssize_t written = syscall(SYS_pwrite64, fd, data, length, offset);
  if (written > 0) note(fd, data, written, offset);
  return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

int ftruncate64(int fd, off64_t length) {
  int result = (int)syscall(SYS_ftruncate, fd, length);
  if (result == 0) note(fd, NULL, -1, length);
  return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
  int result = (int)syscall(SYS_fsync, fd);
  if (result == 0) make_durable(fd);
  return result;
}

int fdatasync(int fd) {
  int result = (int)syscall(SYS_fdatasync, fd);
  if (result == 0) make_durable(fd);
  return result;
}

int unlink(const char *path) {
  const char *watch = getenv("WATCH_DIR"), *base = strrchr(path, '/');
  int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  if (result != 0 || watch == NULL || strncmp(path, watch, strlen(watch)) != 0) return result;
  pthread_mutex_lock(&lock);
  struct file *file = file_of(base == NULL ? path : base + 1);
  forget_changes(file);
  file->removed = 1;
  pthread_mutex_unlock(&lock);
  return result;
}
