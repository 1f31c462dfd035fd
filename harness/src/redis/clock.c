/* Loaded before the C library into a Redis server whose clock a test sets: see clock.rs.
 *
 * CLOCK_AHEAD  a file of one 64-bit number: by how many microseconds the clock is ahead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>

static const volatile int64_t *ahead;

__attribute__((constructor)) static void set_up(void) {
    const char *path = getenv("CLOCK_AHEAD");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd >= 0 ? mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map != MAP_FAILED) ahead = map;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(time, zone);
    if (done == 0 && ahead && time) {
        int64_t us = (int64_t)time->tv_sec * 1000000 + time->tv_usec + *ahead;
        time->tv_sec = us / 1000000;
        time->tv_usec = us % 1000000;
    }
    return done;
}
