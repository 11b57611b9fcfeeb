/* Which descriptors are ready: epoll, and a way to wake it from any thread. */
#ifndef BB_DRIVER_POLLER_H
#define BB_DRIVER_POLLER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct bb_poller;

struct bb_ready {
    int fd;
    int tag; /* as given to bb_poller_watch */
    bool read;
    bool write;
};

/* NULL when out of memory or descriptors. */
struct bb_poller *bb_poller_new(const bb_allocator *mem);
void bb_poller_free(struct bb_poller *poller);

int bb_poller_fd(const struct bb_poller *poller);

/* Both false: no more, which never fails; to be told before the descriptor's number is used again.
 * False when the system refuses. `tag` is not negative. */
bool bb_poller_watch(struct bb_poller *poller, int fd, int tag, bool read, bool write);

/* Waits up to `timeout_ms` (-1: without end) and fills in at most `most`; a wake-up is taken in
 * silently. Returns how many there are. */
size_t bb_poller_wait(struct bb_poller *poller, int timeout_ms, struct bb_ready *ready,
                      size_t most);

/* Ends a wait, this one or the next. Any thread. */
void bb_poller_wake(struct bb_poller *poller);

#endif
