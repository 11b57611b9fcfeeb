#include "dead.h"

#include "complain.h"
#include "dead_print.h"

#include <inttypes.h>
#include <string.h>

static bb_dead_filter read_filter(const struct session *session) {
    bb_dead_filter filter;
    dead_options_read(&session->options->dead, &filter); /* was read before, without a mistake */
    return filter;
}

static int fail(const struct session *session, const bb_error *error) {
    complain("%s: %s", session->outbox.name, error->text);
    return EXIT_UNDELIVERED;
}

static int fail_missing(const struct session *session, int64_t number) {
    complain("%s: there is no dead letter %" PRId64, session->outbox.name, number);
    return EXIT_UNDELIVERED;
}

static int finish(struct session *session) {
    session_flush(session);
    return session->output_lost ? EXIT_UNDELIVERED : EXIT_DELIVERED;
}

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

/* ---- list ---- */

static int fit_row(void *user, const bb_dead_letter *letter) {
    struct session *session = user;
    table_fit_name(&session->table, letter->webhook_id);
    return 0;
}

/* The visitors stop when standard output takes no more. */
static int show_row(void *user, const bb_dead_letter *letter) {
    dead_print_row(user, letter);
    return ferror(stdout);
}

static int show_line(void *user, const bb_dead_letter *letter) {
    struct json_line line;
    (void)user;
    dead_print_json_begin(&line, letter);
    json_line_end(&line);
    return ferror(stdout);
}

static int list_all(struct session *session, const bb_dead_filter *filter) {
    bb_error error = BB_ERROR_INIT;
    size_t count = 0;
    bool json = session->options->json;
    bb_outbox *store = session->outbox.store;
    int code = json ? BB_OK : bb_outbox_dead(store, filter, fit_row, session, NULL, &error);
    if (code == BB_OK)
        code = bb_outbox_dead(store, filter, json ? show_line : show_row, session, &count, &error);
    if (code != BB_OK)
        return fail(session, &error);
    if (!json)
        printf("%s%zu dead letter%s\n", session->table.begun ? "\n" : "", count, plural(count));
    return finish(session);
}

/* A letter whole: the outbox must not be used while it is shown, so its attempts come after it. */
struct whole {
    struct session *session;
    struct json_line line;
    bool json;
};

static int show_whole(void *user, const bb_dead_letter *letter) {
    struct whole *whole = user;
    if (whole->json)
        dead_print_json_begin(&whole->line, letter);
    else
        dead_print_whole(whole->session, letter);
    return 0;
}

static int show_attempt(void *user, const bb_attempt_record *attempt) {
    struct whole *whole = user;
    if (whole->json)
        dead_print_json_attempt(&whole->line, attempt);
    else
        dead_print_attempt(attempt);
    return 0;
}

static int show_attempts(struct whole *whole, int64_t number, bb_error *error) {
    if (whole->json)
        json_line_open(&whole->line, "log", "[");
    int code = bb_outbox_attempts(whole->session->outbox.store, number, show_attempt, whole, error);
    if (whole->json) {
        json_line_close(&whole->line, "]");
        json_line_end(&whole->line);
    }
    return code;
}

static int list_one(struct session *session, const bb_dead_filter *filter) {
    struct whole whole = {.session = session, .json = session->options->json};
    bb_error error = BB_ERROR_INIT;
    size_t count = 0;
    if (bb_outbox_dead(session->outbox.store, filter, show_whole, &whole, &count, &error) != BB_OK)
        return fail(session, &error);
    if (count == 0)
        return fail_missing(session, filter->number);
    if (show_attempts(&whole, filter->number, &error) != BB_OK)
        return fail(session, &error);
    return finish(session);
}

int dead_list_run(struct session *session) {
    bb_dead_filter filter = read_filter(session);
    return filter.number ? list_one(session, &filter) : list_all(session, &filter);
}

/* ---- replay ---- */

static int replay(struct session *session, const bb_dead_filter *filter) {
    bb_error error = BB_ERROR_INIT;
    size_t count = 0;
    if (bb_outbox_replay(session->outbox.store, filter, &count, &error) != BB_OK)
        return fail(session, &error);
    printf("%zu deliver%s again: deliver sends %s\n", count, count == 1 ? "y waits" : "ies wait",
           count == 1 ? "it" : "them");
    return finish(session);
}

int dead_replay_run(struct session *session) {
    bb_dead_filter filter = read_filter(session);
    bb_error error = BB_ERROR_INIT;
    size_t count = 0;
    if (bb_outbox_dead(session->outbox.store, &filter, NULL, NULL, &count, &error) != BB_OK)
        return fail(session, &error);
    if (filter.number && count == 0)
        return fail_missing(session, filter.number);
    printf("%zu dead letter%s fit%s\n", count, plural(count), count == 1 ? "s" : "");
    session_flush(session);
    if (session->options->dead.yes)
        return replay(session, &filter);
    puts("nothing was changed: with --yes they wait to be sent again");
    return finish(session);
}

/* ---- purge ---- */

static int purge(struct session *session, int64_t before_ms) {
    bb_error error = BB_ERROR_INIT;
    size_t count = 0;
    if (bb_outbox_purge(session->outbox.store, before_ms, &count, &error) != BB_OK)
        return fail(session, &error);
    printf("%zu dead letter%s and attempt%s forgotten\n", count, plural(count), plural(count));
    return finish(session);
}

int dead_purge_run(struct session *session) {
    bb_dead_filter filter = read_filter(session);
    bb_error error = BB_ERROR_INIT;
    uint64_t attempts = 0;
    size_t letters = 0;
    if (bb_outbox_dead(session->outbox.store, &filter, NULL, NULL, &letters, &error) != BB_OK)
        return fail(session, &error);
    if (!session->outbox.backend->count_attempts(&session->outbox, filter.died_before_ms,
                                                 &attempts))
        return EXIT_UNDELIVERED;
    printf("%zu dead letter%s and %" PRIu64 " attempt%s %s older than that\n", letters,
           plural(letters), attempts, plural(attempts), letters + attempts == 1 ? "is" : "are");
    session_flush(session);
    if (session->options->dead.yes)
        return purge(session, filter.died_before_ms);
    puts("nothing was changed: with --yes they are forgotten");
    return finish(session);
}
