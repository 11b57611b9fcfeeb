/* What the command line asks for. */
#ifndef BB_NOTIFY_OPTIONS_H
#define BB_NOTIFY_OPTIONS_H

#include "dead_options.h"

#include <stdbool.h>

enum mode {
    MODE_POST,
    MODE_BACKGROUND,
    MODE_DRY_RUN,
    MODE_TEST,
    MODE_DEMO,
    MODE_ENQUEUE, /* this and the next ones: with --outbox */
    MODE_DELIVER,
    MODE_STATS,
    MODE_LIST,
    MODE_REPLAY,
    MODE_PURGE
};

struct options {
    enum mode mode;
    bool json;
    bool stats;
    bool forever;
    const char *config_path;
    const char *outbox_place; /* a path or a URL; NULL: none is used */
    const char *events_path;  /* "-": standard input */
    const char *test_name;
    const char *page_path;
    struct dead_options dead; /* list, replay and purge */
};

/* The program's exit codes. */
enum { EXIT_DELIVERED = 0, EXIT_UNDELIVERED = 1, EXIT_USAGE = 2 };

/* Returns true to go on. False: all is said (--help, --version, or a mistake),
 * and `*status` is the exit code. */
bool options_read(int argc, char **argv, struct options *options, int *status);

#endif
