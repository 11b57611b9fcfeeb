/* Where --outbox says: the library's outbox there, and a connection of our own to the same
 * database, for transactions and for looking. */
#ifndef BB_NOTIFY_OUTBOX_H
#define BB_NOTIFY_OUTBOX_H

#include <bb_webhook.h>
#include <stdbool.h>

/* What waits for one webhook. */
struct outbox_row {
    char *id;
    uint64_t waiting; /* deliveries, with the next */
    uint64_t leased;  /* of these, those that a process has taken to send them */
    int64_t due_ms;   /* when the first of the others may be sent, in milliseconds since 1970 by
                         this machine's clock; INT64_MAX: none before one that is ahead of it */
};

struct outbox {
    char *name;                           /* for messages: no password stands in it */
    const struct outbox_backend *backend; /* NULL: no outbox is used */
    bb_outbox *store;                     /* likewise */
    void *connection;                     /* the backend's own */
    struct outbox_row *rows;              /* of the last look */
    size_t count;
    uint64_t unmatched;        /* events that SQL has written: for whom, nobody has found out yet */
    char trouble[256];         /* that was told last */
    int64_t passing_since_ms;  /* what should pass by itself has not since then, ... */
    int64_t passing_lately_ms; /* ... as was seen last */
};

/* What each database does in its own way; everything else goes through the library. What fails
 * has complained. */
struct outbox_backend {
    /* Opens the store and the connection; `close` ends the connection, opened or not. */
    bool (*open)(struct outbox *outbox, const char *where, uint32_t lease_ms);
    void (*close)(struct outbox *outbox);

    /* A transaction, and an event in it, whose errors the caller tells. */
    bool (*begin)(struct outbox *outbox);
    bool (*commit)(struct outbox *outbox);
    void (*roll_back)(struct outbox *outbox);
    int (*enqueue)(struct outbox *outbox, bb_dispatcher *dispatcher, const bb_event *event,
                   size_t *deliveries, bb_error *error);

    /* Makes the rows, by outbox_add, and `unmatched`, of what is there at one moment. */
    bool (*look)(struct outbox *outbox);

    /* How many attempts the log has from before that time. */
    bool (*count_attempts)(struct outbox *outbox, int64_t before_ms, uint64_t *count);

    /* Words of a trouble that passes by itself, and is told when it lasts; NULL: there is none. */
    const char *passing;
};

extern const struct outbox_backend outbox_sqlite, outbox_postgres;

/* `where`: a path or a URL; `lease_ms` 0: the usual one. False, after a complaint. Close in either
 * case, after the dispatcher is freed. */
bool outbox_open(struct outbox *outbox, const char *where, uint32_t lease_ms);
void outbox_close(struct outbox *outbox);

/* Finds out what is in it. False, after a complaint. */
bool outbox_look(struct outbox *outbox);

/* For backends: adds to what waits for the webhook. False, after a complaint. */
bool outbox_add(struct outbox *outbox, const char *id, size_t length,
                const struct outbox_row *more);

/* Of the last look; NULL: nothing waits for this webhook. */
const struct outbox_row *outbox_find(const struct outbox *outbox, const char *webhook_id);

/* The same of all webhooks together. */
uint64_t outbox_waiting(const struct outbox *outbox);

/* A bb_log_fn whose user is the outbox: tells what the library could not do with the database,
 * which it tries again, or drops when it is an event of plain SQL that cannot be read. */
void outbox_log(void *user, bb_level level, const char *text);

#endif
