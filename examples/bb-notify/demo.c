#include "demo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "complain.h"
#include "demo_print.h"
#include "demo_rooms.h"
#include "demo_story.h"
#include "options.h"
#include "page.h"
#include "receiver_json.h"

/* DingTalk and WeCom take 20 messages a minute, the fewest of all. */
enum { SECTIONS = 4, PAUSE_MS = 3100 };

struct demo {
    /* The story has a clock of its own, for the library as for the receiver: it jumps to
     * the time of each event, and at least a pause ahead. So the products' rates are kept
     * without waiting. */
    _Atomic int64_t ahead_ms; /* of the machine's monotonic clock */
    struct demo_story story;
    struct receiver_room rooms[DEMO_ROOMS];
    struct receiver *receiver;
    bb_options options;
    bb_dispatcher *dispatcher;
    struct page_section *sections; /* one an event */
    size_t deliveries;
    size_t undelivered;
};

static int64_t monotonic_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t story_time(void *user) {
    struct demo *demo = user;
    return monotonic_ms() + atomic_load(&demo->ahead_ms);
}

static void move_clock(struct demo *demo, int64_t created_ts) {
    int64_t wanted = (created_ts ? created_ts : (int64_t)time(NULL)) * 1000;
    int64_t earliest = story_time(demo) + PAUSE_MS;
    int64_t next = wanted > earliest ? wanted : earliest;
    atomic_store(&demo->ahead_ms, next - monotonic_ms());
}

static bool fail(const char *what) {
    complain("%s", what);
    return false;
}

/* ---- setting up */

static bool start_receiver(struct demo *demo) {
    demo_receiver_rooms(demo->rooms);
    const struct receiver_options options = {demo->rooms, DEMO_ROOMS, story_time, demo};
    demo->receiver = receiver_start(&options);
    return demo->receiver || fail("the demo's receiver cannot listen on 127.0.0.1");
}

static bool start_dispatcher(struct demo *demo) {
    bb_error error = BB_ERROR_INIT;
    demo->options = (bb_options)BB_OPTIONS_INIT;
    demo->options.clock = story_time;
    demo->options.clock_user = demo;
    demo->options.insecure_allow_http = 1;
    demo->options.insecure_allow_private_addresses = 1;
    int code = bb_dispatcher_new(&demo->options, &demo->dispatcher, &error);
    if (code == BB_OK)
        code = demo_add_webhooks(demo->dispatcher, receiver_port(demo->receiver), &error);
    return code == BB_OK || fail(error.text);
}

static bool start(struct demo *demo, const char *events_path) {
    if (!demo_story_read(&demo->story, events_path))
        return false;
    demo->sections = calloc(demo->story.count + 1, sizeof *demo->sections);
    return demo->sections ? start_receiver(demo) && start_dispatcher(demo)
                          : fail("there is no memory for the demo");
}

static void stop(struct demo *demo) {
    bb_dispatcher_free(demo->dispatcher);
    receiver_stop(demo->receiver);
    demo_story_free(&demo->story);
    free(demo->sections);
}

/* ---- posting */

/* Files what came since there were `before` exchanges under the event that caused it. */
static void file_messages(struct demo *demo, struct page_section *section, size_t before) {
    const struct receiver_exchange *exchange;
    while ((exchange = receiver_exchange_at(demo->receiver, before++)) != NULL)
        section->messages[exchange->type] = exchange;
}

/* The title as the Custom endpoint carries it: without any product's markup. */
static void print_event(size_t number, const struct page_section *section) {
    const struct receiver_exchange *exchange = section->messages[BB_CUSTOM];
    struct json *body =
        exchange ? json_parse(exchange->request.body, exchange->request.body_length) : NULL;
    const char *title = json_string(body, "title");
    demo_print_event(number, section->time_ms, title ? title : "", section->event->activity);
    json_free(body);
}

struct masking {
    const struct demo *demo;
    const bb_attempt_report *row;
    const struct page_section *section;
};

static int print_masked(void *user, const bb_webhook *webhook) {
    const struct masking *masking = user;
    bb_request *request = NULL;
    if (strcmp(webhook->id, masking->row->webhook_id) != 0)
        return 0;
    bb_webhook_prepare(&masking->demo->options, webhook, masking->section->event, NULL, &request,
                       NULL);
    const struct demo_delivery delivery = {masking->row,
                                           masking->section->messages[masking->row->type],
                                           request ? bb_request_url(request, BB_MASKED) : "***"};
    demo_print_delivery(&delivery);
    bb_request_free(request);
    return 1;
}

static void print_report(struct demo *demo, const struct page_section *section,
                         const bb_report *report) {
    for (size_t i = 0; i < bb_report_count(report); i++) {
        struct masking masking = {demo, bb_report_row(report, i), section};
        bb_dispatcher_list(demo->dispatcher, print_masked, &masking, NULL);
    }
    demo->deliveries += bb_report_count(report);
    demo->undelivered += bb_report_undelivered(report);
}

static bool post(struct demo *demo, size_t index) {
    struct page_section *section = &demo->sections[index];
    size_t before = receiver_count(demo->receiver);
    bb_report *report = NULL;
    bb_error error = BB_ERROR_INIT;
    section->event = demo_story_event(&demo->story, index);
    move_clock(demo, section->event->created_ts);
    section->time_ms = story_time(demo);
    if (bb_webhook_post(demo->dispatcher, section->event, NULL, &report, &error) != BB_OK)
        return fail(error.text);
    file_messages(demo, section, before);
    print_event(index + 1, section);
    print_report(demo, section, report);
    bb_report_free(report);
    return true;
}

static bool post_all(struct demo *demo) {
    for (size_t i = 0; i < demo->story.count; i++)
        if (!post(demo, i))
            return false;
    return true;
}

/* ---- the page */

static bool write_page(const struct demo *demo, const char *path) {
    size_t picked[SECTIONS];
    struct page_section sections[SECTIONS];
    size_t count = demo_story_pick(&demo->story, picked, SECTIONS);
    for (size_t i = 0; i < count; i++)
        sections[i] = demo->sections[picked[i]];
    FILE *file = fopen(path, "w");
    if (file)
        page_write(file, sections, count);
    bool written = file && !ferror(file);
    if ((file && fclose(file) != 0) || !written) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static void print_summary(const struct demo *demo, const char *page_path) {
    printf("\n%zu event%s, %zu deliveries: %zu delivered, %zu not.\n", demo->story.count,
           demo->story.count == 1 ? "" : "s", demo->deliveries,
           demo->deliveries - demo->undelivered, demo->undelivered);
    printf("What the rooms see: %s\n", page_path);
}

int demo_run(const struct demo_options *options) {
    struct demo demo = {0};
    int status = EXIT_USAGE;
    if (start(&demo, options->events_path) && post_all(&demo) &&
        write_page(&demo, options->page_path)) {
        print_summary(&demo, options->page_path);
        status = demo.undelivered || demo.story.bad_lines ? EXIT_UNDELIVERED : EXIT_DELIVERED;
    }
    stop(&demo);
    return status;
}
