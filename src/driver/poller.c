#include "driver/poller.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WAKE_TAG = -1, AT_ONCE = 64 };

struct bb_poller {
    const bb_allocator *mem;
    int epoll;
    int wake;
    uint32_t *watched; /* epoll's events by descriptor; 0: not watched */
    size_t size;
};

static struct epoll_event event_of(int fd, int tag, uint32_t events) {
    struct epoll_event event = {.events = events};
    event.data.u64 = (uint64_t)(uint32_t)tag << 32 | (uint32_t)fd;
    return event;
}

static bool make_room(struct bb_poller *poller, size_t fd) {
    size_t size = poller->size ? poller->size : 256;
    while (size <= fd)
        size *= 2;
    if (size == poller->size)
        return true;
    uint32_t *watched = bb_mem_resize(poller->mem, poller->watched, size * sizeof *watched);
    if (!watched)
        return false;
    memset(watched + poller->size, 0, (size - poller->size) * sizeof *watched);
    poller->watched = watched;
    poller->size = size;
    return true;
}

struct bb_poller *bb_poller_new(const bb_allocator *mem) {
    struct bb_poller *poller = bb_mem_zalloc(mem, sizeof *poller);
    if (!poller)
        return NULL;
    poller->mem = mem;
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    poller->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event event = event_of(poller->wake, WAKE_TAG, EPOLLIN);
    if (poller->epoll >= 0 && poller->wake >= 0 && make_room(poller, 0) &&
        epoll_ctl(poller->epoll, EPOLL_CTL_ADD, poller->wake, &event) == 0)
        return poller;
    bb_poller_free(poller);
    return NULL;
}

static void close_if_open(int fd) {
    if (fd >= 0)
        close(fd);
}

void bb_poller_free(struct bb_poller *poller) {
    if (!poller)
        return;
    close_if_open(poller->wake);
    close_if_open(poller->epoll);
    bb_mem_free(poller->mem, poller->watched);
    bb_mem_free(poller->mem, poller);
}

int bb_poller_fd(const struct bb_poller *poller) {
    return poller->epoll;
}

/* One that was closed before is not watched any more, either. */
static void stop_watching(struct bb_poller *poller, int fd) {
    struct epoll_event none = {0};
    if ((size_t)fd >= poller->size || poller->watched[fd] == 0)
        return;
    poller->watched[fd] = 0;
    epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, &none);
}

bool bb_poller_watch(struct bb_poller *poller, int fd, int tag, bool read, bool write) {
    uint32_t events = (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u);
    if (events == 0) {
        stop_watching(poller, fd);
        return true;
    }
    if (!make_room(poller, (size_t)fd))
        return false;
    if (poller->watched[fd] == events)
        return true;
    struct epoll_event event = event_of(fd, tag, events);
    int how = poller->watched[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int failed = epoll_ctl(poller->epoll, how, fd, &event);
    if (failed && errno == ENOENT) /* it was closed meanwhile, and opened as something else */
        failed = epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event);
    if (failed)
        return false;
    poller->watched[fd] = events;
    return true;
}

static void take_in_wake(struct bb_poller *poller) {
    uint64_t count;
    while (read(poller->wake, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}

size_t bb_poller_wait(struct bb_poller *poller, int timeout_ms, struct bb_ready *ready,
                      size_t most) {
    struct epoll_event events[AT_ONCE];
    int room = most < AT_ONCE ? (int)most : AT_ONCE;
    int count = epoll_wait(poller->epoll, events, room, timeout_ms);
    size_t filled = 0;
    for (int i = 0; i < count; i++) {
        uint32_t what = events[i].events;
        int tag = (int)(uint32_t)(events[i].data.u64 >> 32);
        int fd = (int)(uint32_t)events[i].data.u64;
        if (tag == WAKE_TAG)
            take_in_wake(poller);
        else /* a fault shows itself to whoever reads or writes */
            ready[filled++] = (struct bb_ready){
                .fd = fd,
                .tag = tag,
                .read = (what & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0,
                .write = (what & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0,
            };
    }
    return filled;
}

void bb_poller_wake(struct bb_poller *poller) {
    uint64_t one = 1;
    while (write(poller->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}
