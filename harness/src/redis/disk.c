/* Loaded before the C library into a program whose disk a test looks after: says how much of each file has been
 * synced, and can make that take long. Compiled by disk.rs.
 *
 * DISK_JOURNAL   the file in which each sync is noted: `begin <inode> 0`, and when it is done `done <inode> <length>`
 * DISK_HOLD      while this file exists, no sync ends
 * DISK_DELAY_US  how long each takes at least
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int journal = -1;
static char *hold;
static useconds_t delay_us;

/* At the start: programs change their environment later. */
__attribute__((constructor)) static void set_up(void) {
    const char *path = getenv("DISK_JOURNAL"), *held = getenv("DISK_HOLD"), *delay = getenv("DISK_DELAY_US");
    if (path) journal = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (held) hold = strdup(held);
    if (delay) delay_us = (useconds_t)atoi(delay);
}

static void note(const char *what, const struct stat *file, long long length) {
    char line[96];
    int bytes = snprintf(line, sizeof line, "%s %llu %lld\n", what, (unsigned long long)file->st_ino, length);
    /* One write at the end of the file: lines of several threads do not mix. */
    if (write(journal, line, (size_t)bytes) != bytes) abort();
}

static int sync_file(const char *name, int fd) {
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    struct stat file;
    if (journal < 0 || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode)) return sync(fd);
    note("begin", &file, 0);
    while (hold && access(hold, F_OK) == 0) usleep(1000);
    usleep(delay_us);
    /* What is written while the sync runs may miss it. */
    if (fstat(fd, &file) != 0) abort();
    int result = sync(fd);
    if (result == 0) note("done", &file, (long long)file.st_size);
    return result;
}

int fsync(int fd) { return sync_file("fsync", fd); }
int fdatasync(int fd) { return sync_file("fdatasync", fd); }
