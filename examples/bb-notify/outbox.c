#include "outbox.h"

#include "complain.h"
#include "now.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_MS = 10000 }; /* another process may be writing */

static bool fail(struct outbox *outbox) {
    complain("%s: %s", outbox->path, outbox->db ? sqlite3_errmsg(outbox->db) : "out of memory");
    return false;
}

static bool fail_memory(void) {
    complain("out of memory");
    return false;
}

bool outbox_execute(struct outbox *outbox, const char *sql) {
    return sqlite3_exec(outbox->db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(outbox);
}

bool outbox_open(struct outbox *outbox, const char *path, const bb_sqlite_options *options) {
    bb_error error = BB_ERROR_INIT;
    outbox->path = path;
    if (bb_sqlite_open(path, options, &outbox->store, &error) != BB_OK) {
        complain("%s: %s", path, error.text);
        return false;
    }
    if (sqlite3_open_v2(path, &outbox->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return fail(outbox);
    sqlite3_busy_timeout(outbox->db, BUSY_MS);
    return outbox_execute(outbox, "PRAGMA synchronous = FULL"); /* as the library's own */
}

/* Several processes that write must wait for one another: that is worth telling when it lasts. */
static bool is_locked_for_long(struct outbox *outbox) {
    enum { GAP_MS = 1000, LONG_MS = 5000 };
    int64_t now = ticks_ms();
    if (now - outbox->locked_lately_ms > GAP_MS)
        outbox->locked_since_ms = now;
    outbox->locked_lately_ms = now;
    return now - outbox->locked_since_ms >= LONG_MS;
}

/* Outcomes are logged too, and told elsewhere. */
void outbox_log(void *user, bb_level level, const char *text) {
    static const char prefix[] = "outbox: ";
    struct outbox *outbox = user;
    if (level != BB_ERROR || strncmp(text, prefix, sizeof prefix - 1) != 0 ||
        strncmp(text, outbox->trouble, sizeof outbox->trouble - 1) == 0)
        return;
    if (strstr(text, "is locked") && !is_locked_for_long(outbox))
        return;
    snprintf(outbox->trouble, sizeof outbox->trouble, "%s", text);
    bool is_over = strstr(text, "became a dead letter") != NULL; /* what nobody can read */
    complain("%s: %s%s", outbox->path, text + sizeof prefix - 1,
             is_over ? "" : "; it is tried again");
}

static void forget(struct outbox *outbox) {
    for (size_t i = 0; i < outbox->count; i++)
        free(outbox->rows[i].id);
    free(outbox->rows);
    outbox->rows = NULL;
    outbox->count = 0;
    outbox->unmatched = 0;
}

void outbox_close(struct outbox *outbox) {
    forget(outbox);
    sqlite3_close(outbox->db);
    bb_outbox_free(outbox->store);
}

/* ---- the look ---- */

static struct outbox_row *find(const struct outbox *outbox, const char *id, size_t length) {
    for (size_t i = 0; i < outbox->count; i++)
        if (strncmp(outbox->rows[i].id, id, length) == 0 && outbox->rows[i].id[length] == '\0')
            return &outbox->rows[i];
    return NULL;
}

const struct outbox_row *outbox_find(const struct outbox *outbox, const char *webhook_id) {
    return find(outbox, webhook_id, strlen(webhook_id));
}

uint64_t outbox_waiting(const struct outbox *outbox) {
    uint64_t waiting = 0;
    for (size_t i = 0; i < outbox->count; i++)
        waiting += outbox->rows[i].waiting;
    return waiting;
}

static struct outbox_row *make(struct outbox *outbox, const char *id, size_t length) {
    struct outbox_row *rows = realloc(outbox->rows, (outbox->count + 1) * sizeof *rows);
    if (!rows)
        return NULL;
    outbox->rows = rows;
    rows[outbox->count] = (struct outbox_row){.id = strndup(id, length), .due_ms = INT64_MAX};
    return rows[outbox->count].id ? &rows[outbox->count++] : NULL;
}

static bool add(struct outbox *outbox, const char *id, size_t length,
                const struct outbox_row *more) {
    struct outbox_row *row = find(outbox, id, length);
    if (!row)
        row = make(outbox, id, length);
    if (!row)
        return fail_memory();
    row->waiting += more->waiting;
    row->leased += more->leased;
    if (more->due_ms < row->due_ms)
        row->due_ms = more->due_ms;
    return true;
}

/* id, waiting, leased, due_ms */
static bool add_deliveries(struct outbox *outbox, sqlite3_stmt *result) {
    const char *id = (const char *)sqlite3_column_text(result, 0);
    struct outbox_row more = {.waiting = (uint64_t)sqlite3_column_int64(result, 1),
                              .leased = (uint64_t)sqlite3_column_int64(result, 2),
                              .due_ms = INT64_MAX};
    if (sqlite3_column_type(result, 3) != SQLITE_NULL)
        more.due_ms = sqlite3_column_int64(result, 3);
    return id ? add(outbox, id, strlen(id), &more) : fail_memory();
}

/* webhooks, events, due_ms: of events that no process has made deliveries of yet. Their webhooks
 * are "order_key length:id," each; NULL: an event that plain SQL has written. */
static bool add_new_events(struct outbox *outbox, sqlite3_stmt *result) {
    const char *at = (const char *)sqlite3_column_text(result, 0);
    const struct outbox_row more = {.waiting = (uint64_t)sqlite3_column_int64(result, 1),
                                    .due_ms = sqlite3_column_int64(result, 2)};
    if (sqlite3_column_type(result, 0) == SQLITE_NULL)
        outbox->unmatched += more.waiting;
    while (at && (at = strchr(at, ' ')) != NULL) {
        char *id;
        size_t length = strtoul(at, &id, 10);
        id += *id == ':';
        if (strnlen(id, length) < length)
            break;
        if (!add(outbox, id, length, &more))
            return false;
        at = id + length;
    }
    return true;
}

static bool read_rows(struct outbox *outbox, const char *sql,
                      bool (*take)(struct outbox *outbox, sqlite3_stmt *result)) {
    sqlite3_stmt *result;
    if (sqlite3_prepare_v2(outbox->db, sql, -1, &result, NULL) != SQLITE_OK)
        return fail(outbox);
    int code;
    while ((code = sqlite3_step(result)) == SQLITE_ROW)
        if (!take(outbox, result)) {
            sqlite3_finalize(result);
            return false;
        }
    bool is_read = code == SQLITE_DONE || fail(outbox);
    sqlite3_finalize(result);
    return is_read;
}

static const char deliveries[] =
    "SELECT w.id, count(*), sum(d.lease <> 0),"
    " min(CASE WHEN d.lease = 0 AND d.is_held = 0 THEN d.due_ms END)"
    " FROM bb_delivery d JOIN bb_webhook w ON w.number = d.webhook GROUP BY d.webhook";

static const char new_events[] = "SELECT webhooks, count(*), min(due_ms) FROM bb_event"
                                 " WHERE number > (SELECT fanned_out FROM bb_outbox_version)"
                                 " GROUP BY webhooks";

/* In one transaction, or what becomes deliveries in between would be counted never or twice. */
bool outbox_look(struct outbox *outbox) {
    forget(outbox);
    if (!outbox_execute(outbox, "BEGIN"))
        return false;
    bool is_read = read_rows(outbox, deliveries, add_deliveries) &&
                   read_rows(outbox, new_events, add_new_events);
    return outbox_execute(outbox, "COMMIT") && is_read;
}

bool outbox_count_attempts(struct outbox *outbox, int64_t before_ms, uint64_t *count) {
    sqlite3_stmt *result;
    if (sqlite3_prepare_v2(outbox->db, "SELECT count(*) FROM bb_attempt WHERE at_ms < ?1", -1,
                           &result, NULL) != SQLITE_OK)
        return fail(outbox);
    sqlite3_bind_int64(result, 1, before_ms);
    bool is_read = sqlite3_step(result) == SQLITE_ROW;
    *count = is_read ? (uint64_t)sqlite3_column_int64(result, 0) : 0;
    is_read = is_read || fail(outbox);
    sqlite3_finalize(result);
    return is_read;
}
