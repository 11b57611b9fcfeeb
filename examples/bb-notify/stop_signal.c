#include "stop_signal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int numbers[] = {SIGINT, SIGTERM};
enum { COUNT = sizeof numbers / sizeof *numbers };

static int written_end = -1; /* set before there is a handler */

/* The others are blocked meanwhile, so that the second signal, also of the other kind, meets the
 * usual action. One byte always fits into the pipe. */
static void on_signal(int number) {
    int before = errno;
    (void)number;
    for (int i = 0; i < COUNT; i++)
        signal(numbers[i], SIG_DFL);
    ssize_t written = write(written_end, "", 1);
    (void)written;
    errno = before;
}

static void handle(int number) {
    struct sigaction old, own = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&own.sa_mask);
    for (int i = 0; i < COUNT; i++)
        sigaddset(&own.sa_mask, numbers[i]);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, &own, NULL);
}

int stop_signal_watch(void) {
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    written_end = ends[1];
    for (int i = 0; i < COUNT; i++)
        handle(numbers[i]);
    return ends[0];
}
