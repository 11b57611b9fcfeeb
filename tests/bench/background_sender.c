#include "bench/background.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 4096 };

static void set_headers(bb_webhook *hook) {
    static const bb_header headers[] = {{"X-Tenant", "shop"}, {"X-Region", "eu-central"}};
    hook->authorization = "Bearer 5f4dcc3b5aa765d61d8327deb882cf99";
    hook->headers = headers;
    hook->header_count = (uint32_t)(sizeof headers / sizeof *headers);
}

static bool add_hook(struct bench_sender *sender, const struct bench_fleet *fleet, unsigned i) {
    char name[32], url[128];
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_error error = BB_ERROR_INIT;
    unsigned host = fleet->own_hosts ? i : 0;
    snprintf(name, sizeof name, "room %u", i);
    snprintf(url, sizeof url, "http://127.0.%u.%u:%u%s/%u", host / 250, host % 250 + 1, fleet->port,
             i < fleet->hanging ? fleet->hanging_path : fleet->path, i);
    hook.id = hook.name = name;
    hook.url = url;
    hook.type = fleet->type;
    hook.activities = BB_ACTIVITY_ALL;
    hook.project_id = fleet->by_project ? i + 1 : 0;
    hook.allow_any_host = 1;
    hook.no_rate = 1;
    if (fleet->has_headers)
        set_headers(&hook);
    if (bb_dispatcher_add(sender->dispatcher, &hook, &error) == BB_OK)
        return true;
    fprintf(stderr, "bench: %s\n", error.text);
    return false;
}

static void make_samples(struct bench_sender *sender) {
    sender->samples = calloc(SAMPLES, sizeof *sender->samples);
    if (!sender->samples)
        abort();
    for (unsigned i = 0; i < SAMPLES; i++) {
        bench_sample_init(&sender->samples[i]);
        bench_sample_next(&sender->samples[i], i + 1);
    }
}

bool bench_sender_open(struct bench_sender *sender, const struct bench_fleet *fleet) {
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = BB_OPTIONS_INIT;
    memset(sender, 0, sizeof *sender);
    background.notify = fleet->notify;
    background.notify_user = fleet->notify_user;
    background.outbox = fleet->outbox;
    background.max_in_flight = fleet->at_once;
    background.max_waiting = 2000000;
    background.max_waiting_bytes = 4000000000u;
    options.background = &background;
    options.allocator = fleet->allocator;
    options.insecure_allow_http = 1;
    options.insecure_allow_private_addresses = !fleet->egress;
    options.egress = fleet->egress;
    make_samples(sender);
    bool ok = bb_dispatcher_new(&options, &sender->dispatcher, NULL) == BB_OK;
    for (unsigned i = 0; ok && i < fleet->count; i++)
        ok = add_hook(sender, fleet, i);
    return ok;
}

void bench_sender_close(struct bench_sender *sender) {
    bb_dispatcher_free(sender->dispatcher);
    free(sender->samples);
}

static bool enqueue(struct bench_sender *sender, const struct bench_fleet *fleet) {
    struct bench_sample *sample = &sender->samples[sender->number % SAMPLES];
    sample->project.id = fleet->by_project ? sender->number % fleet->count + 1 : 7;
    sender->number++;
    return bb_webhook_enqueue(sender->dispatcher, &sample->event, NULL, NULL, NULL) == BB_OK;
}

static bool all_delivered(const struct bench_sender *sender) {
    bb_stats stats = BB_STATS_INIT;
    bb_dispatcher_stats(sender->dispatcher, NULL, &stats, NULL);
    return stats.delivered == stats.enqueued && stats.attempts == stats.enqueued;
}

bool bench_sender_run(struct bench_sender *sender, const struct bench_fleet *fleet,
                      unsigned count) {
    enum { AT_ONCE = 2048 };
    for (unsigned done = 0; done < count;) {
        for (unsigned i = 0; i < AT_ONCE && done < count; i++, done++)
            if (!enqueue(sender, fleet))
                return false;
        if (bb_dispatcher_flush(sender->dispatcher, 60000, NULL) != BB_OK)
            return false;
    }
    return all_delivered(sender);
}
