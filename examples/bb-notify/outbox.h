/* The file of --outbox: the library's outbox in it, and a connection of our own to the same file,
 * for transactions and for looking. */
#ifndef BB_NOTIFY_OUTBOX_H
#define BB_NOTIFY_OUTBOX_H

#include <bb_webhook_sqlite.h>
#include <stdbool.h>

/* What waits for one webhook. */
struct outbox_row {
    char *id;
    uint64_t waiting; /* deliveries, with the next */
    uint64_t leased;  /* of these, those that a process has taken to send them */
    int64_t due_ms;   /* when the first of the others may be sent, in milliseconds since 1970;
                         INT64_MAX: none before one that is ahead of it */
};

struct outbox {
    const char *path;
    bb_outbox *store;
    sqlite3 *db;             /* NULL: no outbox is used */
    struct outbox_row *rows; /* of the last look */
    size_t count;
    uint64_t unmatched;       /* events that SQL has written: for whom, nobody has found out yet */
    char trouble[256];        /* that was told last */
    int64_t locked_since_ms;  /* another process keeps the file to itself, ... */
    int64_t locked_lately_ms; /* ... as was seen last */
};

/* False, after a complaint. Close in either case, after the dispatcher is freed. */
bool outbox_open(struct outbox *outbox, const char *path, const bb_sqlite_options *options);
void outbox_close(struct outbox *outbox);

/* Finds out what is in the file. False, after a complaint. */
bool outbox_look(struct outbox *outbox);

/* Of the last look; NULL: nothing waits for this webhook. */
const struct outbox_row *outbox_find(const struct outbox *outbox, const char *webhook_id);

/* The same of all webhooks together. */
uint64_t outbox_waiting(const struct outbox *outbox);

/* How many attempts the log has from before that time. False, after a complaint. */
bool outbox_count_attempts(struct outbox *outbox, int64_t before_ms, uint64_t *count);

/* Runs a statement without results. False, after a complaint. */
bool outbox_execute(struct outbox *outbox, const char *sql);

/* A bb_log_fn whose user is the outbox: tells what the library could not do with the file, which it
 * tries again, or drops when it is an event of plain SQL that cannot be read. */
void outbox_log(void *user, bb_level level, const char *text);

#endif
