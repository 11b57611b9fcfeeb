#include "support/hostile_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/alloc.h"
#include "support/gzip_bomb.h"

enum {
    LIMIT_MS = 1500,                /* of an attempt that nothing else ends */
    MARGIN_MS = 10000,              /* what a loaded machine may add */
    BYTES_MAX = 2 * 1024 * 1024,    /* that a receiver may get rid of: what is read, and sockets */
    OWN_PEAK_MAX = 4 * 1024 * 1024, /* memory of the library, cJSON and libcurl */
    HEAP_MAX = 8 * 1024 * 1024,  /* of the whole process, so of OpenSSL, nghttp2 and the server */
    FLOOD_MAX = 4 * 1024 * 1024, /* that is read besides, of what libcurl throws away */
    LINES = 32
};

#define SECRET_PATH "s3cr3t-t0ken"

typedef struct run {
    const hostile_case *given;
    bool in_background;
    server *hostile, *healthy, *other;
    bb_dispatcher *dispatcher;
    char *packed;
    char comment[110 * 1024];
    int64_t began_ms;
    size_t heap_before, heap_most;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    char lines[LINES][600];
    size_t line_count;
    bb_notice_kind kind; /* of the hostile one's first notice; 0: none yet */
    bb_attempt_report row;
    bb_outcome outcome;
    size_t told; /* attempts of both webhooks, in the background */
} run;

/* ---------------------------------------------------------------- memory -- */

/* The sanitizers' heap keeps what was freed. */
static size_t heap_in_use(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

static void look_at_heap(run *r) {
    size_t now = heap_in_use();
    r->heap_most = now > r->heap_most ? now : r->heap_most;
}

/* --------------------------------------------------------------- hearing -- */

static void on_line(void *user, bb_level level, const char *text) {
    run *r = user;
    (void)level;
    pthread_mutex_lock(&r->lock);
    if (r->line_count < LINES)
        snprintf(r->lines[r->line_count++], sizeof r->lines[0], "%s", text);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void keep_row(run *r, const bb_attempt_report *row) {
    r->row = *row;
    r->outcome = *row->outcome;
    r->row.outcome = &r->outcome;
}

static void on_notice(void *user, const bb_notice *notice) {
    run *r = user;
    pthread_mutex_lock(&r->lock);
    r->told += notice->attempt != NULL;
    if (notice->attempt && !r->kind && strcmp(notice->webhook_id, "hostile") == 0) {
        r->kind = notice->kind;
        keep_row(r, notice->attempt);
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* The first line that names the webhook; -1: none yet. With the lock held. */
static int line_of(const run *r, const char *name) {
    char label[40];
    snprintf(label, sizeof label, "webhook \"%s\"", name);
    for (size_t i = 0; i < r->line_count; i++) {
        if (strstr(r->lines[i], label))
            return (int)i;
    }
    return -1;
}

static struct timespec soon(void) {
    enum { LOOK_MS = 5 };
    int64_t at = server_now_ms() + LOOK_MS;
    return (struct timespec){.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
}

static void wait_for_line(run *r, const char *name) {
    int64_t end = server_now_ms() + PATIENCE_MS;
    pthread_mutex_lock(&r->lock);
    while (line_of(r, name) < 0 && server_now_ms() < end) {
        struct timespec until = soon();
        pthread_cond_timedwait(&r->changed, &r->lock, &until);
        look_at_heap(r);
    }
    bool came = line_of(r, name) >= 0;
    pthread_mutex_unlock(&r->lock);
    if (!came)
        fail_msg("nothing was told of %s", name);
}

/* ------------------------------------------------------------- receivers -- */

static server_options options_of(const hostile_case *given) {
    server_options options = {.greeting = given->greeting,
                              .greeting_length = given->greeting_length,
                              .http2 = given->place == HOSTILE_HTTP2,
                              .tls_expired = given->place == HOSTILE_EXPIRED};
    if (given->place == HOSTILE_WRONG_HOST)
        options.tls_names = "DNS:other.example";
    else if (given->place != HOSTILE_HTTP && given->place != HOSTILE_NO_TLS)
        options.tls_names = "IP:127.0.0.1";
    return options;
}

/* What does not last begins when the healthy webhook has been told of; what does is waited for by
 * the healthy one's answer. */
static void start_hostile(run *r) {
    enum { UNPACKED = 64 * 1024 * 1024 };
    const hostile_case *given = r->given;
    server_options options = options_of(given);
    server_step step = given->step;
    static const server_step wait = {.hold = 1};
    step.hold = !given->lasts;
    r->hostile = server_start(&options);
    if (given->packed)
        step.body = r->packed = gzip_bomb(UNPACKED, &step.body_length);
    if (given->on_accept)
        server_on_accept(r->hostile, &step, 1);
    else if (options.tls_names != NULL && given->requests == 0)
        server_on_accept(r->hostile, &wait, 1);
    server_on(r->hostile, NULL, &step, 1);
}

static void start_healthy(run *r) {
    server_step yes = posting_success(BB_CUSTOM);
    yes.hold = r->given->lasts;
    r->healthy = server_start(NULL);
    server_on(r->healthy, "/healthy", &yes, 1);
}

/* --------------------------------------------------------------- sending -- */

static void open_dispatcher(run *r) {
    static const uint32_t later[] = {3600000};
    const char *own_ca = server_ca_file(r->hostile);
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = posting_options();
    background.notify = on_notice;
    background.notify_user = r;
    background.retry_delays_ms = later;
    background.retry_delay_count = 1;
    options.background = &background;
    options.allocator = alloc_library();
    options.log = on_line;
    options.log_user = r;
    options.http2 = r->given->place == HOSTILE_HTTP2;
    if (r->given->lasts)
        options.timeout_ms = options.connect_timeout_ms = LIMIT_MS;
    /* also because the machine's own bundle takes long to read */
    if (r->given->place == HOSTILE_SELF_SIGNED || r->given->place == HOSTILE_NO_TLS)
        r->other = server_start(&(server_options){.tls_names = "IP:127.0.0.1"});
    options.ca_file = r->other ? server_ca_file(r->other) : own_ca;
    r->dispatcher = posting_dispatcher(&options);
}

static void add_webhooks(run *r) {
    char url[100];
    bb_type type = r->given->type ? r->given->type : BB_CUSTOM;
    snprintf(url, sizeof url, "http%s://127.0.0.1:%d/" SECRET_PATH,
             r->given->place == HOSTILE_HTTP ? "" : "s", server_port(r->hostile));
    bb_webhook hook = posting_hook(type, "hostile", url);
    if (type == BB_CUSTOM)
        hook.secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    hook.no_rate = 1;
    assert_int_equal(bb_dispatcher_add(r->dispatcher, &hook, NULL), BB_OK);
    posting_add(r->dispatcher, BB_CUSTOM, "healthy", server_url(r->healthy, "/healthy"));
}

static bb_event event_of(run *r) {
    bb_event event = *posting_event();
    if (r->given->big) {
        memset(r->comment, 'c', sizeof r->comment - 1);
        event.comment = r->comment;
    }
    return event;
}

static void *post(void *user) {
    run *r = user;
    bb_report *report = NULL;
    bb_event event = event_of(r);
    bb_webhook_post(r->dispatcher, &event, NULL, &report, NULL);
    return report;
}

/* -------------------------------------------------------------- in order -- */

static void wait_until_it_acts(run *r) {
    const hostile_case *given = r->given;
    int64_t end = server_now_ms() + PATIENCE_MS;
    struct timespec millisecond = {.tv_nsec = 1000000};
    while (given->requests == 0 && server_connections(r->hostile) == 0 && server_now_ms() < end)
        nanosleep(&millisecond, NULL);
    assert_true(server_wait_requests(r->hostile, given->requests, PATIENCE_MS));
}

static void watch(run *r) {
    if (r->given->lasts) {
        wait_until_it_acts(r);
        server_release(r->healthy);
    }
    wait_for_line(r, "healthy");
    server_release(r->hostile);
    wait_for_line(r, "hostile");
    int64_t took = server_now_ms() - r->began_ms;
    assert_true(line_of(r, "healthy") < line_of(r, "hostile"));
    if (r->given->lasts) {
        assert_true(took >= LIMIT_MS * 9 / 10);
        assert_true(took < LIMIT_MS + MARGIN_MS);
    } else { /* it ended for a reason of its own */
        assert_true(took < PATIENCE_MS);
    }
}

static void run_post(run *r) {
    pthread_t thread;
    void *report = NULL;
    assert_int_equal(pthread_create(&thread, NULL, post, r), 0);
    watch(r);
    pthread_join(thread, &report);
    assert_int_equal(bb_report_count(report), 2);
    assert_int_equal(bb_report_undelivered(report), r->given->verdict != BB_DELIVERED);
    posting_assert_row(posting_row(report, "healthy"), BB_DELIVERED, 1);
    keep_row(r, posting_row(report, "hostile"));
    bb_report_free(report);
}

static void run_in_background(run *r) {
    bb_event event = event_of(r);
    size_t waiting = 0;
    assert_int_equal(bb_webhook_enqueue(r->dispatcher, &event, NULL, NULL, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_start(r->dispatcher, NULL), BB_OK);
    watch(r);
    assert_int_equal(bb_dispatcher_stop(r->dispatcher, PATIENCE_MS, &waiting, NULL), BB_OK);
    bool again = r->given->verdict == BB_RETRY || r->given->verdict == BB_UNKNOWN;
    assert_int_equal(r->told, 2);
    assert_int_equal(waiting, again);
    assert_int_equal(r->kind, again                               ? BB_NOTICE_RETRYING
                              : r->given->verdict == BB_DELIVERED ? BB_NOTICE_DELIVERED
                                                                  : BB_NOTICE_DEAD);
}

/* -------------------------------------------------------------- judgement -- */

static void check_outcome(const run *r) {
    const hostile_case *given = r->given;
    const bb_outcome *outcome = &r->outcome;
    posting_assert_row(&r->row, given->verdict, !given->unsent);
    if (outcome->advice != given->advice || outcome->http_status != given->http_status ||
        outcome->retry_after_ms != given->retry_after_ms)
        fail_msg("advice %d, HTTP %d, wait %lld: %s", (int)outcome->advice, outcome->http_status,
                 (long long)outcome->retry_after_ms, outcome->text);
}

/* One line that a person can do something with, and the world may see. */
static void check_words(const run *r) {
    static const char start[] = "webhook \"hostile\": ";
    const char *text = r->outcome.text, *line = r->lines[line_of(r, "hostile")];
    const char *says = strstr(text, r->given->says);
    if (strncmp(text, start, sizeof start - 1) != 0 || !says || strlen(text) < sizeof start + 10 ||
        (r->given->says[strlen(r->given->says) - 1] == ' ' && !says[strlen(r->given->says)]))
        fail_msg("wanted \"%s\" in: %s", r->given->says, text);
    if (strncmp(line, text, strlen(text)) != 0)
        fail_msg("told \"%s\", but logged \"%s\"", text, line);
    for (size_t i = 0; i < r->line_count; i++) {
        assert_null(strstr(r->lines[i], SECRET_PATH));
        assert_null(strstr(r->lines[i], "MDEyMzQ1"));
        for (const char *c = r->lines[i]; *c; c++)
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
    assert_null(strstr(r->outcome.remote_message, SECRET_PATH));
}

static void check_counts(const run *r) {
    assert_int_equal(server_requests(r->hostile), r->given->requests);
    assert_int_equal(server_requests(r->healthy), 1);
    bool may_flood = r->given->place == HOSTILE_HTTPS || r->given->place == HOSTILE_HTTP2;
    size_t sent = (size_t)server_bytes_sent(r->hostile);
    if (!r->given->lasts && sent > BYTES_MAX + (may_flood ? FLOOD_MAX : 0))
        fail_msg("it got rid of %zu bytes", sent);
}

static void check_memory(const run *r, long own_before) {
    long own = alloc_peak_bytes() - own_before;
    size_t heap = r->heap_most > r->heap_before ? r->heap_most - r->heap_before : 0;
    if (getenv("BB_TEST_FIGURES"))
        print_message("%-45s own %ld KiB, heap %zu KiB, sent %zu bytes\n    %s\n", r->given->name,
                      own / 1024, heap / 1024, (size_t)server_bytes_sent(r->hostile),
                      r->outcome.text);
    if (own > OWN_PEAK_MAX || heap > HEAP_MAX)
        fail_msg("it took %ld bytes, and %zu of the heap", own, heap);
}

/* -------------------------------------------------------------- one test -- */

static run *open_run(const hostile_case *given) {
    pthread_condattr_t monotonic;
    run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&r->lock, NULL);
    r->given = given;
    start_hostile(r);
    start_healthy(r);
    open_dispatcher(r);
    add_webhooks(r);
    return r;
}

static void close_run(run *r) {
    server_stop(r->hostile);
    server_stop(r->healthy);
    server_stop(r->other);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r->packed);
    free(r);
}

static void deliver(const hostile_case *given, void (*how)(run *r)) {
    run *r = open_run(given);
    long own_before = alloc_live_bytes();
    alloc_peak_begin();
    r->heap_before = heap_in_use();
    r->began_ms = server_now_ms();
    how(r);
    assert_int_equal(bb_dispatcher_free(r->dispatcher), BB_OK);
    check_memory(r, own_before);
    check_outcome(r);
    check_words(r);
    check_counts(r);
    close_run(r);
}

static void by_post(void **state) {
    deliver(*state, run_post);
}

static void by_background(void **state) {
    deliver(*state, run_in_background);
}

/* ------------------------------------------------------------------ all -- */

typedef struct suite {
    const hostile_case *cases;
    size_t count;
} suite;

static char *read_page(void) {
    enum { PAGE_MAX = 64 * 1024 };
    FILE *file = fopen(SOURCE_DIR "/docs/hostile.md", "r");
    char *page = calloc(1, PAGE_MAX);
    assert_non_null(file);
    assert_non_null(page);
    assert_true(fread(page, 1, PAGE_MAX - 1, file) > 0);
    fclose(file);
    return page;
}

/* Each row begins with the name and the verdict. */
static void the_page_says_the_same(void **state) {
    const suite *s = *state;
    char *page = read_page(), row[200];
    for (size_t i = 0; i < s->count; i++) {
        snprintf(row, sizeof row, "\n| %s | %s", s->cases[i].name,
                 bb_verdict_name(s->cases[i].verdict));
        if (!strstr(page, row))
            fail_msg("docs/hostile.md has no row%s", row);
    }
    free(page);
}

static struct CMUnitTest test_of(const hostile_case *given, const char *how,
                                 CMUnitTestFunction test) {
    size_t size = strlen(given->name) + strlen(how) + 1;
    char *name = malloc(size);
    assert_non_null(name);
    snprintf(name, size, "%s%s", given->name, how);
    return (struct CMUnitTest){name, test, NULL, NULL, (void *)(uintptr_t)given};
}

int hostile_run_all(const hostile_case *cases, size_t count) {
    suite s = {cases, count};
    struct CMUnitTest *tests = calloc(2 * count + 1, sizeof *tests);
    assert_non_null(tests);
    alloc_hook_others();
    for (size_t i = 0; i < count; i++) {
        tests[2 * i] = test_of(&cases[i], ", by a post", by_post);
        tests[2 * i + 1] = test_of(&cases[i], ", in the background", by_background);
    }
    tests[2 * count] = (struct CMUnitTest){
        .name = "the_page_says_the_same", .test_func = the_page_says_the_same, .initial_state = &s};
    cmocka_set_test_filter(getenv("BB_TEST_ONLY"));
    int failed = _cmocka_run_group_tests("hostile receivers", tests, 2 * count + 1, NULL, NULL);
    for (size_t i = 0; i < 2 * count; i++)
        free((char *)(uintptr_t)tests[i].name);
    free(tests);
    return failed;
}
