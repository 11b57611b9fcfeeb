/* The text for Prometheus: read line by line with a small parser of the exposition format 0.0.4,
 * and the statistics that it is made of. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/background.h"

#define BACKGROUND_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, background_setup, background_teardown)

/* ------------------------------------------------------------------ parser -- */

enum { SAMPLES = 400, FAMILIES = 40, LABELS = 4, TEXT = 200, PAGE = 128 * 1024 };

typedef struct label {
    char name[TEXT];
    char value[TEXT]; /* unescaped */
} label;

typedef struct sample {
    char name[TEXT];
    label labels[LABELS];
    size_t label_count;
    double value;
    char text[TEXT]; /* of the value */
} sample;

typedef struct family {
    char name[TEXT];
    char type[TEXT];
    int has_help, has_type, has_samples;
} family;

typedef struct page {
    char text[PAGE];
    sample samples[SAMPLES];
    size_t sample_count;
    family families[FAMILIES];
    size_t family_count;
    family *current;
} page;

static family *find_family(page *p, const char *name) {
    for (size_t i = 0; i < p->family_count; i++) {
        if (strcmp(p->families[i].name, name) == 0)
            return &p->families[i];
    }
    return NULL;
}

/* A name of a metric or label: moves `at` behind it. */
static void read_name(const char **at, char *out) {
    size_t n = 0;
    while (isalnum((unsigned char)(*at)[n]) || (*at)[n] == '_' || (*at)[n] == ':')
        n++;
    assert_in_range(n, 1, TEXT - 1);
    assert_false(isdigit((unsigned char)**at));
    memcpy(out, *at, n);
    out[n] = '\0';
    *at += n;
}

static void expect(const char **at, const char *text) {
    assert_memory_equal(*at, text, strlen(text));
    *at += strlen(text);
}

/* Between quotes: only \\, \" and \n are escapes. */
static void read_value(const char **at, char *out) {
    size_t n = 0;
    expect(at, "\"");
    for (; **at != '"'; ++*at) {
        char c = **at;
        assert_true(c != '\0' && c != '\n');
        if (c == '\\') {
            c = *++*at;
            assert_true(c == '\\' || c == '"' || c == 'n');
            c = c == 'n' ? '\n' : c;
        }
        assert_true(n + 1 < TEXT);
        out[n++] = c;
    }
    out[n] = '\0';
    expect(at, "\"");
}

static void read_labels(const char **at, sample *s) {
    expect(at, "{");
    while (**at != '}') {
        assert_true(s->label_count < LABELS);
        label *l = &s->labels[s->label_count++];
        if (s->label_count > 1)
            expect(at, ",");
        read_name(at, l->name);
        expect(at, "=");
        read_value(at, l->value);
    }
    expect(at, "}");
}

/* The samples of a histogram have its name and a suffix. */
static int belongs_to(const char *name, const family *f) {
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    size_t n = strlen(f->name);
    if (strcmp(name, f->name) == 0)
        return strcmp(f->type, "histogram") != 0;
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(name, f->name, n) == 0 && strcmp(name + n, suffixes[i]) == 0)
            return strcmp(f->type, "histogram") == 0;
    }
    return 0;
}

static void read_sample(page *p, const char *line) {
    char *end;
    assert_true(p->sample_count < SAMPLES);
    sample *s = &p->samples[p->sample_count++];
    read_name(&line, s->name);
    if (*line == '{')
        read_labels(&line, s);
    expect(&line, " ");
    snprintf(s->text, sizeof s->text, "%s", line);
    s->value = strtod(line, &end);
    assert_true(end != line && *end == '\0');
    assert_non_null(p->current);
    assert_true(p->current->has_type && p->current->has_help);
    assert_true(belongs_to(s->name, p->current));
    p->current->has_samples = 1;
}

/* "# HELP name text" or "# TYPE name type": once each, and before the samples. */
static void read_comment(page *p, const char *line) {
    char name[TEXT];
    int is_help = strncmp(line, "# HELP ", 7) == 0;
    assert_true(is_help || strncmp(line, "# TYPE ", 7) == 0);
    line += 7;
    read_name(&line, name);
    expect(&line, " ");
    family *f = find_family(p, name);
    if (f == NULL) {
        assert_true(p->family_count < FAMILIES);
        f = &p->families[p->family_count++];
        snprintf(f->name, sizeof f->name, "%s", name);
    }
    assert_false(is_help ? f->has_help : f->has_type);
    assert_false(f->has_samples);
    f->has_help |= is_help;
    f->has_type |= !is_help;
    if (!is_help)
        snprintf(f->type, sizeof f->type, "%s", line);
    p->current = f;
}

static void parse(page *p) {
    char *text = strdup(p->text), *line = text, *end;
    assert_non_null(text);
    assert_true(*text == '\0' || text[strlen(text) - 1] == '\n');
    for (; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        assert_true(*line != '\0');
        if (*line == '#')
            read_comment(p, line);
        else
            read_sample(p, line);
    }
    free(text);
}

static page *read_page(background *b) {
    page *p = calloc(1, sizeof *p);
    bb_error error = BB_ERROR_INIT;
    size_t length = 0;
    assert_non_null(p);
    if (bb_dispatcher_prometheus(b->dispatcher, p->text, sizeof p->text, &length, &error) != BB_OK)
        fail_msg("%s", error.text);
    assert_int_equal(length, strlen(p->text));
    parse(p);
    return p;
}

/* ------------------------------------------------------------------ looking -- */

static const char *label_of(const sample *s, const char *name) {
    for (size_t i = 0; i < s->label_count; i++) {
        if (strcmp(s->labels[i].name, name) == 0)
            return s->labels[i].value;
    }
    return "";
}

/* Of a webhook (NULL: without one) and an end (""); -1: there is none. */
static double value_of(const page *p, const char *name, const char *webhook, const char *end) {
    for (size_t i = 0; i < p->sample_count; i++) {
        const sample *s = &p->samples[i];
        if (strcmp(s->name, name) == 0 && strcmp(label_of(s, "webhook"), webhook) == 0 &&
            strcmp(label_of(s, "end"), end) == 0)
            return s->value;
    }
    return -1;
}

/* One answers, one says no, one is paused, nothing was ever enqueued for the last. */
static void open_with_some(background *b) {
    background_open(b);
    background_add_healthy(b, BB_CUSTOM, "healthy");
    background_script(b, BB_SLACK, "refusing", &(server_step){.status = 400}, 1);
    background_script(b, BB_DISCORD, "paused",
                      &(server_step){.status = 429, .headers = "Retry-After: 3600\r\n"}, 1);
    for (int i = 0; i < 3; i++)
        background_enqueue(b, NULL);
    background_flush(b);
    background_add_healthy(b, BB_TEAMS, "idle");
}

static void its_numbers_are_those_of_the_statistics(void **state) {
    background *b = *state;
    open_with_some(b);
    page *p = read_page(b);
    assert_true(value_of(p, "bb_webhook_enqueued_total", "healthy", "") == 3);
    assert_true(value_of(p, "bb_webhook_ended_total", "healthy", "delivered") == 3);
    assert_true(value_of(p, "bb_webhook_ended_total", "refusing", "dead") == 3);
    assert_true(value_of(p, "bb_webhook_ended_total", "refusing", "delivered") == 0);
    assert_true(value_of(p, "bb_webhook_ended_total", "refusing", "dropped") == 0);
    assert_true(value_of(p, "bb_webhook_waiting", "paused", "") == 3);
    assert_true(value_of(p, "bb_webhook_retried_total", "paused", "") == 1);
    assert_true(value_of(p, "bb_webhook_paused", "paused", "") == 1);
    assert_true(value_of(p, "bb_webhook_paused", "healthy", "") == 0);
    assert_true(value_of(p, "bb_webhook_enqueued_total", "idle", "") == -1);
    assert_true(value_of(p, "bb_webhook_refused_events_total", "", "") == 0);
    assert_true(value_of(p, "bb_webhook_waiting_bytes", "", "") > 0);
    free(p);
}

static void each_family_has_a_type_that_its_name_promises(void **state) {
    background *b = *state;
    open_with_some(b);
    page *p = read_page(b);
    assert_true(p->family_count >= 10);
    for (size_t i = 0; i < p->family_count; i++) {
        const family *f = &p->families[i];
        size_t n = strlen(f->name);
        int is_total = n > 6 && strcmp(f->name + n - 6, "_total") == 0;
        assert_true(f->has_help && f->has_type);
        assert_true(strncmp(f->name, "bb_webhook_", 11) == 0);
        assert_int_equal(is_total, strcmp(f->type, "counter") == 0);
        if (!is_total && strcmp(f->type, "histogram") != 0)
            assert_string_equal(f->type, "gauge");
    }
    free(p);
}

static void no_two_samples_are_the_same(void **state) {
    background *b = *state;
    open_with_some(b);
    page *p = read_page(b);
    for (size_t i = 0; i < p->sample_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const sample *x = &p->samples[i], *y = &p->samples[j];
            int same = strcmp(x->name, y->name) == 0 && x->label_count == y->label_count;
            for (size_t l = 0; same && l < x->label_count; l++)
                same = strcmp(x->labels[l].value, label_of(y, x->labels[l].name)) == 0;
            assert_false(same);
        }
    }
    free(p);
}

static void the_buckets_add_up(void **state) {
    background *b = *state;
    double last = 0, bound = -1, buckets = 0;
    open_with_some(b);
    page *p = read_page(b);
    for (size_t i = 0; i < p->sample_count; i++) {
        const sample *s = &p->samples[i];
        if (strcmp(s->name, "bb_webhook_latency_seconds_bucket") != 0)
            continue;
        double own = strtod(label_of(s, "le"), NULL); /* also of +Inf */
        assert_true(own > bound);
        assert_true(s->value >= last);
        bound = own;
        last = s->value;
        buckets++;
    }
    assert_true(buckets == BB_LATENCY_BUCKETS);
    assert_true(bound > 1e300);
    assert_true(last == 3);
    assert_true(value_of(p, "bb_webhook_latency_seconds_count", "", "") == 3);
    assert_true(value_of(p, "bb_webhook_latency_seconds_sum", "", "") >= 0);
    free(p);
}

static void the_bounds_are_those_that_are_told(void **state) {
    (void)state;
    assert_int_equal(bb_latency_bound_ms(0), 5);
    for (size_t i = 1; i < BB_LATENCY_BUCKETS; i++)
        assert_true(bb_latency_bound_ms(i) > bb_latency_bound_ms(i - 1));
    assert_true(bb_latency_bound_ms(BB_LATENCY_BUCKETS - 1) == INT64_MAX);
    assert_int_equal(bb_latency_bound_ms(BB_LATENCY_BUCKETS), -1);
}

static void ids_of_any_text_are_labels(void **state) {
    static const char *const ids[] = {"with \"quotes\"", "back\\slash", "new\nline", "\\n",
                                      "{a=\"b\"} 1",     "世界"};
    background *b = *state;
    background_open(b);
    for (size_t i = 0; i < 6; i++)
        posting_add(b->dispatcher, BB_CUSTOM, ids[i], server_url(b->receiver, "/hook"));
    background_enqueue(b, NULL);
    page *p = read_page(b);
    for (size_t i = 0; i < 6; i++)
        assert_true(value_of(p, "bb_webhook_waiting", ids[i], "") == 1);
    free(p);
}

static void no_secret_is_in_it(void **state) {
    background *b = *state;
    server_step yes = posting_success(BB_DINGTALK);
    background_open(b);
    bb_webhook hook = background_hook(b, BB_DINGTALK, "hook", &yes, 1);
    char url[200];
    snprintf(url, sizeof url, "%s?access_token=T0KEN", hook.url);
    hook.url = url;
    hook.secret = "SECVERYSECRET";
    hook.id = "an id";
    background_add(b, &hook);
    background_enqueue(b, NULL);
    background_flush(b);
    page *p = read_page(b);
    assert_null(strstr(p->text, "T0KEN"));
    assert_null(strstr(p->text, "SECVERY"));
    assert_null(strstr(p->text, "/hook"));
    assert_null(strstr(p->text, "127.0.0.1"));
    free(p);
}

/* -------------------------------------------------------------------- sizes -- */

static void a_buffer_that_is_too_small_is_told_what_is_needed(void **state) {
    background *b = *state;
    static char text[PAGE];
    bb_error error = BB_ERROR_INIT;
    size_t length = 0, again = 0;
    open_with_some(b);
    assert_int_equal(bb_dispatcher_prometheus(b->dispatcher, NULL, 0, &length, &error),
                     BB_ERR_TOO_LARGE);
    assert_true(length > 1000 && length < sizeof text);
    memset(text, 'x', sizeof text);
    assert_int_equal(bb_dispatcher_prometheus(b->dispatcher, text, length, &again, NULL),
                     BB_ERR_TOO_LARGE);
    assert_int_equal(again, length);
    assert_int_equal(text[length], 'x');
    assert_int_equal(bb_dispatcher_prometheus(b->dispatcher, text, length + 1, &again, NULL),
                     BB_OK);
    assert_int_equal(strlen(text), length);
    assert_int_equal(text[length + 1], 'x');
    assert_int_equal(bb_dispatcher_prometheus(b->dispatcher, NULL, 10, NULL, NULL),
                     BB_ERR_ARGUMENT);
    assert_int_equal(bb_dispatcher_prometheus(NULL, text, sizeof text, NULL, NULL),
                     BB_ERR_ARGUMENT);
}

static void an_empty_dispatcher_has_a_page_too(void **state) {
    background *b = *state;
    background_open(b);
    page *p = read_page(b);
    assert_true(value_of(p, "bb_webhook_refused_events_total", "", "") == 0);
    assert_true(value_of(p, "bb_webhook_latency_seconds_count", "", "") == 0);
    free(p);
}

/* ------------------------------------------------------------------- stats -- */

static void statistics_of_one_and_of_all_agree(void **state) {
    background *b = *state;
    open_with_some(b);
    bb_stats all = background_stats(b, NULL), healthy = background_stats(b, "healthy"),
             refusing = background_stats(b, "refusing"), paused = background_stats(b, "paused"),
             idle = background_stats(b, "idle");
    assert_int_equal(all.enqueued, 9);
    assert_int_equal(all.attempts, healthy.attempts + refusing.attempts + paused.attempts);
    assert_int_equal(all.sent, healthy.sent + refusing.sent + paused.sent);
    assert_int_equal(all.waiting, paused.waiting);
    assert_int_equal(all.webhooks_paused, 1);
    assert_int_equal(paused.webhooks_paused, 1);
    assert_int_equal(healthy.delivered, 3);
    assert_int_equal(refusing.dead, 3);
    assert_int_equal(idle.enqueued, 0);
    assert_int_equal(healthy.waiting_bytes, 0);
    background_check_books(b);
}

static void statistics_of_nobody_are_an_error(void **state) {
    background *b = *state;
    bb_stats stats = BB_STATS_INIT;
    background_open(b);
    assert_int_equal(bb_dispatcher_stats(b->dispatcher, "nobody", &stats, NULL), BB_ERR_NOT_FOUND);
    stats.struct_size = 1;
    assert_int_equal(bb_dispatcher_stats(b->dispatcher, NULL, &stats, NULL), BB_ERR_STRUCT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BACKGROUND_TEST(its_numbers_are_those_of_the_statistics),
        BACKGROUND_TEST(each_family_has_a_type_that_its_name_promises),
        BACKGROUND_TEST(no_two_samples_are_the_same),
        BACKGROUND_TEST(the_buckets_add_up),
        cmocka_unit_test(the_bounds_are_those_that_are_told),
        BACKGROUND_TEST(ids_of_any_text_are_labels),
        BACKGROUND_TEST(no_secret_is_in_it),
        BACKGROUND_TEST(a_buffer_that_is_too_small_is_told_what_is_needed),
        BACKGROUND_TEST(an_empty_dispatcher_has_a_page_too),
        BACKGROUND_TEST(statistics_of_one_and_of_all_agree),
        BACKGROUND_TEST(statistics_of_nobody_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
