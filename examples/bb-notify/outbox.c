#include "outbox.h"

#include "complain.h"
#include "now.h"
#include "outbox_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail_memory(void) {
    complain("out of memory");
    return false;
}

bool outbox_open(struct outbox *outbox, const char *where, uint32_t lease_ms) {
    bool is_url = outbox_url_is(where);
    outbox->name = is_url ? outbox_url_masked(where) : strdup(where);
    outbox->backend = is_url ? &outbox_postgres : &outbox_sqlite;
    return outbox->name ? outbox->backend->open(outbox, where, lease_ms) : fail_memory();
}

/* Several processes that write must wait for one another: that is worth telling when it lasts. */
static bool has_lasted(struct outbox *outbox) {
    enum { GAP_MS = 1000, LONG_MS = 5000 };
    int64_t now = ticks_ms();
    if (now - outbox->passing_lately_ms > GAP_MS)
        outbox->passing_since_ms = now;
    outbox->passing_lately_ms = now;
    return now - outbox->passing_since_ms >= LONG_MS;
}

/* Outcomes are logged too, and told elsewhere. */
void outbox_log(void *user, bb_level level, const char *text) {
    static const char prefix[] = "outbox: ";
    struct outbox *outbox = user;
    const char *passing = outbox->backend->passing;
    if (level != BB_ERROR || strncmp(text, prefix, sizeof prefix - 1) != 0 ||
        strncmp(text, outbox->trouble, sizeof outbox->trouble - 1) == 0)
        return;
    if (passing && strstr(text, passing) && !has_lasted(outbox))
        return;
    snprintf(outbox->trouble, sizeof outbox->trouble, "%s", text);
    bool is_over = strstr(text, "became a dead letter") != NULL; /* what nobody can read */
    complain("%s: %s%s", outbox->name, text + sizeof prefix - 1,
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
    if (outbox->backend)
        outbox->backend->close(outbox);
    bb_outbox_free(outbox->store);
    free(outbox->name);
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

bool outbox_add(struct outbox *outbox, const char *id, size_t length,
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

bool outbox_look(struct outbox *outbox) {
    forget(outbox);
    return outbox->backend->look(outbox);
}
