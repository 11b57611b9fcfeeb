#include "driver/store_postgres_db.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

/* ---- trouble ---- */

/* The first line, without the name of its severity. */
static void note_trouble(struct bb_postgres_db *db, const char *text) {
    static const char *const severities[] = {"ERROR:", "FATAL:", "PANIC:"};
    for (size_t i = 0; i < 3; i++)
        if (text && strncmp(text, severities[i], strlen(severities[i])) == 0)
            text += strlen(severities[i]);
    while (text && *text == ' ')
        text++;
    size_t length = text ? strcspn(text, "\r\n") : 0;
    if (length == 0)
        snprintf(db->trouble, sizeof db->trouble, "the connection was lost");
    else
        snprintf(db->trouble, sizeof db->trouble, "%.*s", (int)length, text);
    bb_text_safe(db->trouble);
}

static void note_answer(struct bb_postgres_db *db, const PGresult *result) {
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    note_trouble(db, text ? text : PQerrorMessage(db->handle));
}

/* ---- life ---- */

static void say_nothing(void *user, const char *message) {
    (void)user, (void)message;
}

static bool set(PQconninfoOption *options, const char *keyword, const char *value, bool is_forced) {
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (strcmp(o->keyword, keyword) != 0 || (o->val && !is_forced))
            continue;
        free(o->val); /* as PQconninfoFree does */
        o->val = strdup(value);
        return o->val != NULL;
    }
    return true;
}

/* libpq's own words would repeat what it does not understand, be it a part of a password. */
int bb_postgres_db_read(struct bb_postgres_db *db, const char *conninfo, bb_error *error) {
    char *complaint = NULL;
    memset(db, 0, sizeof *db);
    db->conninfo = PQconninfoParse(conninfo, &complaint);
    bool is_complained = complaint != NULL;
    PQfreemem(complaint);
    if (!db->conninfo && is_complained)
        return bb_fail(error, BB_ERR_OUTBOX, "outbox: conninfo is not one that libpq understands");
    if (!db->conninfo || !set(db->conninfo, "connect_timeout", "3", false) ||
        !set(db->conninfo, "tcp_user_timeout", "5000", false) ||
        !set(db->conninfo, "fallback_application_name", "bb_webhook", false) ||
        !set(db->conninfo, "client_encoding", "UTF8", true)) {
        bb_postgres_db_close(db);
        return bb_fail_memory(error);
    }
    return BB_OK;
}

static PGconn *connect_by(const PQconninfoOption *options) {
    enum { MOST = 64 };
    const char *keywords[MOST + 1] = {NULL}, *values[MOST + 1] = {NULL};
    size_t count = 0;
    for (const PQconninfoOption *o = options; o->keyword && count < MOST; o++) {
        if (!o->val)
            continue;
        keywords[count] = o->keyword;
        values[count++] = o->val;
    }
    return PQconnectdbParams(keywords, values, 0);
}

static bool prepare(PGconn *handle) {
    PQsetNoticeProcessor(handle, say_nothing, NULL);
    return PQstatus(handle) == CONNECTION_OK && PQsetnonblocking(handle, 1) == 0 &&
           PQenterPipelineMode(handle) == 1;
}

bool bb_postgres_db_connect(struct bb_postgres_db *db) {
    if (db->handle)
        return true;
    db->handle = connect_by(db->conninfo);
    db->is_failed = false;
    if (prepare(db->handle))
        return true;
    note_trouble(db, PQerrorMessage(db->handle));
    bb_postgres_db_disconnect(db);
    return false;
}

static void clear(struct bb_postgres_db *db) {
    for (size_t i = 0; i < db->sent; i++) {
        PQclear(db->results[i]);
        db->results[i] = NULL;
    }
    db->sent = 0;
    db->is_over = false;
}

void bb_postgres_db_disconnect(struct bb_postgres_db *db) {
    clear(db);
    PQfinish(db->handle);
    db->handle = NULL;
}

void bb_postgres_db_close(struct bb_postgres_db *db) {
    bb_postgres_db_disconnect(db);
    PQconninfoFree(db->conninfo);
    db->conninfo = NULL;
}

static int64_t read_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t read_skew_ms(struct bb_postgres_db *db) {
    bb_postgres_db_send_sql(db, "SELECT " BB_PG_NOW_MS, "");
    int64_t before = read_ms(CLOCK_REALTIME);
    if (!bb_postgres_db_exchange(db))
        return 0;
    int64_t after = read_ms(CLOCK_REALTIME);
    return bb_postgres_db_int(db->results[0], 0, 0, after) - (before + (after - before) / 2);
}

/* What serves a connection reads its catalogue with the first statements, which takes it tens of
 * milliseconds: now nobody waits for them. Where it cannot be done it is not needed. */
static void warm_up(struct bb_postgres_db *db) {
    bb_postgres_db_begin(db, BB_PG_BEGIN, BB_PG_SETTINGS);
    bb_postgres_db_send(db, BB_PG_LOOK, "");
    bb_postgres_db_send(db, BB_PG_FIND_WEBHOOKS, "u", "{}");
    bb_postgres_db_send(db, BB_PG_DUE, "titii", "{}", INT64_C(0), "{}", INT64_C(1), INT64_C(1));
    if (!bb_postgres_db_commit(db))
        bb_postgres_db_roll_back(db);
}

int bb_postgres_db_open(struct bb_postgres_db *db, const char *conninfo, int64_t *skew_ms,
                        bb_error *error) {
    int code = bb_postgres_db_read(db, conninfo, error);
    if (code == BB_OK && !bb_postgres_db_connect(db))
        code = bb_fail(error, BB_ERR_OUTBOX, "outbox: %s", db->trouble);
    if (code == BB_OK)
        code = bb_postgres_db_install(db, error);
    if (code == BB_OK) {
        warm_up(db);
        *skew_ms = read_skew_ms(db);
    }
    if (code)
        bb_postgres_db_close(db);
    return code;
}

/* ---- sending ---- */

enum { MOST_PARAMETERS = 8 };

struct parameters {
    int count;
    const char *values[MOST_PARAMETERS];
    int lengths[MOST_PARAMETERS], formats[MOST_PARAMETERS];
    char numbers[MOST_PARAMETERS][BB_INTEGER_SIZE];
};

static void add_bytes(struct parameters *p, const char *text) {
    p->values[p->count] = text;
    p->lengths[p->count] = text ? (int)strlen(text) : 0;
    p->formats[p->count++] = 1;
}

static void add_text(struct parameters *p, const char *text) {
    p->values[p->count++] = text;
}

static void add_number(struct parameters *p, int64_t number) {
    add_text(p, bb_text_digits(number, p->numbers[p->count]));
}

static void read_parameters(struct parameters *p, const char *format, va_list args) {
    memset(p, 0, sizeof *p);
    for (; *format && p->count < MOST_PARAMETERS; format++) {
        if (*format == 'i')
            add_number(p, va_arg(args, int64_t));
        else if (*format == 't')
            add_text(p, va_arg(args, const char *));
        else
            add_bytes(p, va_arg(args, const char *));
    }
}

static void send_query(struct bb_postgres_db *db, enum bb_pg which, const char *sql,
                       const struct parameters *p) {
    if (db->is_over)
        clear(db);
    if (!db->handle || db->sent == BB_PG_ONCE || db->is_posted ||
        !PQsendQueryParams(db->handle, sql, p->count, NULL, p->values, p->lengths, p->formats, 0)) {
        if (!db->is_failed && db->handle)
            note_trouble(db, PQerrorMessage(db->handle));
        db->is_failed = true;
        return;
    }
    db->which[db->sent++] = which;
}

void bb_postgres_db_send(struct bb_postgres_db *db, enum bb_pg which, const char *format, ...) {
    struct parameters p;
    va_list args;
    va_start(args, format);
    read_parameters(&p, format, args);
    va_end(args);
    send_query(db, which, bb_postgres_db_text(which), &p);
}

void bb_postgres_db_send_sql(struct bb_postgres_db *db, const char *sql, const char *format, ...) {
    struct parameters p;
    va_list args;
    va_start(args, format);
    read_parameters(&p, format, args);
    va_end(args);
    send_query(db, BB_PG_STATEMENTS, sql, &p);
}

void bb_postgres_db_send_arrays(struct bb_postgres_db *db, enum bb_pg which, const char *format,
                                const char *const *arrays) {
    struct parameters p = {0};
    for (; *format && p.count < MOST_PARAMETERS; format++, arrays++)
        if (*format == 'u')
            add_bytes(&p, *arrays);
        else
            p.values[p.count++] = *arrays;
    send_query(db, which, bb_postgres_db_text(which), &p);
}

/* ---- answers ---- */

/* Until there is something to read, or (`is_full`) to write; false: not before `end_ms`. */
static bool wait_for(PGconn *handle, bool is_full, int64_t end_ms) {
    struct pollfd ready = {.fd = PQsocket(handle),
                           .events = (short)(POLLIN | (is_full ? POLLOUT : 0))};
    int64_t left = end_ms - read_ms(CLOCK_MONOTONIC);
    int count = left > 0 ? poll(&ready, 1, (int)left) : 0;
    return count > 0 || (count < 0 && errno == EINTR);
}

static int64_t answer_end_ms(void) {
    return read_ms(CLOCK_MONOTONIC) + BB_PG_ANSWER_MS;
}

/* What was sent is written, and an answer can be had without waiting. */
static bool wait_for_answer(struct bb_postgres_db *db, int64_t end_ms) {
    int left = PQflush(db->handle);
    while (left >= 0 && (left > 0 || PQisBusy(db->handle))) {
        if (!wait_for(db->handle, left > 0, end_ms)) {
            snprintf(db->trouble, sizeof db->trouble, "no answer within %d ms", BB_PG_ANSWER_MS);
            return false;
        }
        if (!PQconsumeInput(db->handle))
            break;
        left = left > 0 ? PQflush(db->handle) : 0;
    }
    bool is_good = left >= 0 && PQstatus(db->handle) == CONNECTION_OK;
    if (!is_good && !db->is_failed) /* else the server has said why */
        note_trouble(db, PQerrorMessage(db->handle));
    return is_good;
}

static void keep_answer(struct bb_postgres_db *db, size_t at, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    bool is_good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!is_good && !db->is_failed) {
        note_answer(db, result);
        db->is_failed = true;
    }
    if (at < db->sent && !db->results[at])
        db->results[at] = result;
    else
        PQclear(result);
}

/* Each statement's answer, then a NULL, each; last the end of them all. */
static bool read_answers(struct bb_postgres_db *db) {
    int64_t end_ms = answer_end_ms();
    size_t at = 0;
    while (wait_for_answer(db, end_ms)) {
        PGresult *result = PQgetResult(db->handle);
        if (!result) {
            if (++at > db->sent + 1)
                return false; /* out of step: it is ended */
        } else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return true;
        } else {
            keep_answer(db, at, result);
        }
    }
    return false;
}

bool bb_postgres_db_post(struct bb_postgres_db *db) {
    bool has_some = db->handle && db->sent > 0 && !db->is_over;
    db->is_posted = has_some && PQpipelineSync(db->handle);
    return db->is_posted && PQflush(db->handle) == 0;
}

bool bb_postgres_db_collect(struct bb_postgres_db *db) {
    bool has_some = db->sent > 0 && !db->is_over;
    if (db->is_over)
        clear(db);
    bool is_kept = db->handle && (!has_some || (db->is_posted && read_answers(db)));
    bool is_good = is_kept && !db->is_failed;
    if (!is_kept || PQstatus(db->handle) != CONNECTION_OK)
        bb_postgres_db_disconnect(db);
    if (is_good)
        db->trouble[0] = '\0';
    db->is_failed = db->is_posted = false;
    db->is_over = true;
    return is_good;
}

bool bb_postgres_db_exchange(struct bb_postgres_db *db) {
    bb_postgres_db_post(db);
    return bb_postgres_db_collect(db);
}

const PGresult *bb_postgres_db_result(const struct bb_postgres_db *db, enum bb_pg which) {
    for (size_t i = 0; i < db->sent; i++)
        if (db->which[i] == which)
            return db->results[i];
    return NULL;
}

int bb_postgres_db_rows(const PGresult *result) {
    return result ? PQntuples(result) : 0;
}

int64_t bb_postgres_db_changes(const PGresult *result) {
    return strtoll(PQcmdTuples((PGresult *)result), NULL, 10);
}

int64_t bb_postgres_db_int(const PGresult *result, int row, int column, int64_t if_null) {
    if (row >= bb_postgres_db_rows(result) || PQgetisnull(result, row, column))
        return if_null;
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

void bb_postgres_db_roll_back(struct bb_postgres_db *db) {
    char trouble[BB_PG_TROUBLE];
    memcpy(trouble, db->trouble, sizeof trouble);
    if (db->sent > 0 && !db->is_over)
        bb_postgres_db_disconnect(db); /* there is more on its way to be done */
    if (db->handle && PQtransactionStatus(db->handle) != PQTRANS_IDLE) {
        bb_postgres_db_send(db, BB_PG_ROLLBACK, "");
        if (!bb_postgres_db_exchange(db))
            bb_postgres_db_disconnect(db);
    }
    memcpy(db->trouble, trouble, sizeof trouble);
}

void bb_postgres_db_check(struct bb_postgres_db *db) {
    if (!db->handle)
        return;
    struct pollfd ready = {.fd = PQsocket(db->handle), .events = POLLIN};
    if (poll(&ready, 1, 0) <= 0)
        return;
    bool is_good = PQconsumeInput(db->handle) && !(ready.revents & (POLLHUP | POLLERR));
    PQisBusy(db->handle); /* reads what came */
    if (is_good && PQstatus(db->handle) == CONNECTION_OK)
        return;
    note_trouble(db, PQerrorMessage(db->handle));
    bb_postgres_db_disconnect(db);
}

/* ---- transactions ---- */

void bb_postgres_db_begin(struct bb_postgres_db *db, enum bb_pg how, enum bb_pg settings) {
    bb_postgres_db_send(db, how, "");
    bb_postgres_db_send(db, settings, "");
}

bool bb_postgres_db_has_begun_only(const struct bb_postgres_db *db) {
    enum { BEGIN_AND_SETTINGS = 2 };
    return !db->is_over && db->sent == BEGIN_AND_SETTINGS && db->which[1] == BB_PG_SETTINGS;
}

bool bb_postgres_db_commit(struct bb_postgres_db *db) {
    bb_postgres_db_send(db, BB_PG_COMMIT, "");
    return bb_postgres_db_exchange(db);
}

bool bb_postgres_db_begin_safe(struct bb_postgres_db *db) {
    bb_postgres_db_check(db);
    if (!bb_postgres_db_connect(db))
        return false;
    bb_postgres_db_begin(db, BB_PG_BEGIN, BB_PG_SAFE_SETTINGS);
    return true;
}

/* ---- the host's connection ---- */

static bool is_utf8(PGconn *handle) {
    const char *encoding = PQparameterStatus(handle, "client_encoding");
    return encoding && strcmp(encoding, "UTF8") == 0;
}

int bb_postgres_db_put_on(PGconn *handle, const char *json, const char *webhooks, const char *keys,
                          const char *key, int64_t enqueued_ms, int64_t due_ms, bool *is_left_out,
                          bb_error *error) {
    struct bb_postgres_db db = {.handle = handle};
    struct parameters p = {0};
    bool is_plain = !key && is_utf8(handle);
    void (*const add)(struct parameters *, const char *) = is_plain ? add_text : add_bytes;
    add(&p, json);
    add(&p, webhooks);
    add_text(&p, keys);
    if (!is_plain)
        add_bytes(&p, key);
    add_number(&p, enqueued_ms);
    add_number(&p, due_ms);
    const char *sql = bb_postgres_db_text(is_plain ? BB_PG_PUT_PLAIN : BB_PG_PUT);
    PGresult *result = PQexecParams(handle, sql, p.count, NULL, p.values, p.lengths, p.formats, 0);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_missing = state && strcmp(state, "42P01") == 0;
    bool is_good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!is_good)
        note_answer(&db, result);
    *is_left_out = is_good && bb_postgres_db_changes(result) == 0;
    PQclear(result);
    if (is_good)
        return BB_OK;
    return bb_fail(error, BB_ERR_OUTBOX, "outbox: %s: %s",
                   is_missing ? "the connection's database has no outbox"
                              : "the event cannot be written",
                   db.trouble);
}
