/* Looking inside, as Prometheus text: exposition format 0.0.4. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/stats.h"
#include "base/buf.h"

enum { TEXT_MAX_BYTES = 256 * 1024 * 1024 };

/* A webhook that something was enqueued for, as it was when the text was begun. */
struct sample {
    const struct bb_hook *hook;
    bb_stats stats;
};

struct page {
    struct bb_buf text;
    bb_stats all;
    struct bb_hooks hooks;
    struct sample *samples;
    size_t count;
};

/* ---- lines */

static void add(struct bb_buf *out, const char *text) {
    bb_buf_text(out, text);
}

static void add_number(struct bb_buf *out, uint64_t number) {
    char digits[24];
    snprintf(digits, sizeof digits, " %" PRIu64 "\n", number);
    add(out, digits);
}

static void add_head(struct bb_buf *out, const char *name, const char *type, const char *help) {
    const char *const parts[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        add(out, parts[i]);
}

/* As label values are written: backslash, quote and newline are escaped. */
static void add_label(struct bb_buf *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\n')
            add(out, "\\n");
        else if (*text == '\\' || *text == '"')
            bb_buf_add(out, *text == '"' ? "\\\"" : "\\\\", 2);
        else
            bb_buf_add(out, text, 1);
    }
}

static void add_sample(struct bb_buf *out, const char *name, const struct bb_hook *hook,
                       const char *more, uint64_t value) {
    add(out, name);
    add(out, "{webhook=\"");
    add_label(out, hook->webhook.id);
    add(out, "\",type=\"");
    add(out, bb_type_name(hook->webhook.type));
    add(out, "\"");
    add(out, more);
    add(out, "}");
    add_number(out, value);
}

/* ---- metrics */

/* A counter or gauge by webhook. */
struct metric {
    const char *name;
    const char *more; /* further labels */
    size_t offset;    /* in bb_stats */
    const char *type; /* of the first line of its name, with `help`; else NULL */
    const char *help;
};

#define FIELD(field) offsetof(bb_stats, field)

static const struct metric metrics[] = {
    {"bb_webhook_enqueued_total", "", FIELD(enqueued), "counter", "Deliveries taken in."},
    {"bb_webhook_ended_total", ",end=\"delivered\"", FIELD(delivered), "counter",
     "Deliveries that are over, by their end."},
    {"bb_webhook_ended_total", ",end=\"dead\"", FIELD(dead), NULL, NULL},
    {"bb_webhook_ended_total", ",end=\"dropped\"", FIELD(dropped), NULL, NULL},
    {"bb_webhook_attempts_total", "", FIELD(attempts), "counter",
     "Attempts, also those that reached nobody."},
    {"bb_webhook_sent_total", "", FIELD(sent), "counter", "Requests begun on the wire."},
    {"bb_webhook_retried_total", "", FIELD(retried), "counter",
     "Attempts that another one follows."},
    {"bb_webhook_unknown_total", "", FIELD(unknown), "counter", "Attempts whose answer was lost."},
    {"bb_webhook_waiting", "", FIELD(waiting), "gauge", "Deliveries that wait."},
    {"bb_webhook_in_flight", "", FIELD(in_flight), "gauge", "Attempts under way."},
    {"bb_webhook_disabled", "", FIELD(webhooks_disabled), "gauge",
     "1 when nothing is sent to the webhook any more."},
    {"bb_webhook_paused", "", FIELD(webhooks_paused), "gauge",
     "1 while an answer has put the webhook off."},
    {"bb_webhook_broken", "", FIELD(webhooks_broken), "gauge",
     "1 while the circuit breaker is open."},
};

static uint64_t value_of(const bb_stats *stats, size_t offset) {
    uint64_t value;
    memcpy(&value, (const char *)stats + offset, sizeof value);
    return value;
}

static void add_metrics(struct page *page) {
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const struct metric *metric = &metrics[i];
        if (metric->type)
            add_head(&page->text, metric->name, metric->type, metric->help);
        for (size_t n = 0; n < page->count; n++)
            add_sample(&page->text, metric->name, page->samples[n].hook, metric->more,
                       value_of(&page->samples[n].stats, metric->offset));
    }
}

/* In seconds, as is the custom there. */
static void add_bucket(struct bb_buf *out, const char *bound, uint64_t count) {
    add(out, "bb_webhook_latency_seconds_bucket{le=\"");
    add(out, bound);
    add(out, "\"}");
    add_number(out, count);
}

static void print_seconds(char out[32], uint64_t ms) {
    snprintf(out, 32, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);
}

static void add_latency(struct page *page) {
    char seconds[32];
    uint64_t count = 0;
    add_head(&page->text, "bb_webhook_latency_seconds", "histogram",
             "From enqueuing to the answer, of delivered ones.");
    for (size_t i = 0; i < BB_LATENCY_BUCKETS; i++) {
        count += page->all.latency[i];
        print_seconds(seconds, (uint64_t)bb_latency_bound_ms(i));
        add_bucket(&page->text, i + 1 < BB_LATENCY_BUCKETS ? seconds : "+Inf", count);
    }
    print_seconds(seconds, page->all.latency_sum_ms);
    add(&page->text, "bb_webhook_latency_seconds_sum ");
    add(&page->text, seconds);
    add(&page->text, "\nbb_webhook_latency_seconds_count");
    add_number(&page->text, count);
}

static void add_single(struct page *page, const char *name, const char *type, const char *help,
                       uint64_t value) {
    add_head(&page->text, name, type, help);
    add(&page->text, name);
    add_number(&page->text, value);
}

/* ---- the whole */

static bool take_samples(struct page *page, struct bb_dispatcher *d) {
    page->samples = bb_mem_alloc(&d->settings.mem, (page->hooks.count + 1) * sizeof *page->samples);
    if (!page->samples)
        return false;
    for (size_t i = 0; i < page->hooks.count; i++) {
        struct sample *sample = &page->samples[page->count];
        sample->hook = page->hooks.items[i];
        bb_stats_of(d, page->hooks.items[i], &sample->stats);
        page->count +=
            sample->stats.enqueued > 0 || sample->stats.waiting > 0 || sample->stats.attempts > 0;
    }
    bb_stats_of(d, NULL, &page->all);
    return true;
}

static void write(struct page *page) {
    add_metrics(page);
    add_single(page, "bb_webhook_refused_events_total", "counter",
               "Events for which there was no room.", page->all.refused);
    add_single(page, "bb_webhook_waiting_bytes", "gauge", "Memory of all that waits.",
               page->all.waiting_bytes);
    add_latency(page);
}

static int hand_over(const struct bb_buf *text, char *out, size_t size, size_t *length,
                     bb_error *error) {
    if (length)
        *length = text->length;
    if (size <= text->length)
        return bb_fail(error, BB_ERR_TOO_LARGE, "out: %zu bytes are needed", text->length + 1);
    memcpy(out, text->data, text->length + 1);
    return BB_OK;
}

int bb_dispatcher_prometheus(bb_dispatcher *dispatcher, char *out, size_t size, size_t *length,
                             bb_error *error) {
    struct page page = {0};
    int code = bb_dispatcher_check(dispatcher, error);
    if (code == BB_OK && !out && size > 0)
        code = bb_fail(error, BB_ERR_ARGUMENT, "out is NULL");
    if (code == BB_OK)
        code = bb_registry_list(dispatcher->registry, NULL, &page.hooks, error);
    if (code)
        return code;
    bb_buf_init(&page.text, &dispatcher->settings.mem, TEXT_MAX_BYTES);
    bool is_whole = take_samples(&page, dispatcher);
    if (is_whole)
        write(&page);
    if (is_whole && !bb_buf_failed(&page.text))
        code = hand_over(&page.text, out, size, length, error);
    else
        code = bb_fail_memory(error);
    bb_mem_free(&dispatcher->settings.mem, page.samples);
    bb_buf_free(&page.text);
    bb_hooks_free(&page.hooks);
    return code;
}
