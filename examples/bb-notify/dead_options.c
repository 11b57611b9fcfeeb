#include "dead_options.h"

#include "moment.h"

#include <ctype.h>
#include <string.h>

static bool is_filtered(const struct dead_options *options) {
    return options->webhook || options->verdict || options->since || options->before ||
           options->most;
}

bool dead_options_given(const struct dead_options *options) {
    return is_filtered(options) || options->yes;
}

/* A whole number from 1 to `most`. */
static bool read_number(const char *text, int64_t most, int64_t *number) {
    *number = 0;
    for (; isdigit((unsigned char)*text); text++) {
        int digit = *text - '0';
        if (*number > (most - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return *text == '\0' && *number > 0;
}

static bool read_verdict(const char *name, bb_verdict *verdict) {
    static const bb_verdict verdicts[] = {BB_DEAD, BB_RETRY, BB_UNKNOWN};
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++)
        if (strcmp(name, bb_verdict_name(verdicts[i])) == 0) {
            *verdict = verdicts[i];
            return true;
        }
    return false;
}

const char *dead_options_read(const struct dead_options *options, bb_dead_filter *filter) {
    int64_t most = 0;
    *filter = (bb_dead_filter)BB_DEAD_FILTER_INIT;
    filter->webhook_id = options->webhook;
    if (options->number && !read_number(options->number, INT64_MAX, &filter->number))
        return "list and replay take the number of one dead letter, as list prints it";
    if (options->webhook && *options->webhook == '\0')
        return "--webhook takes the id of a webhook";
    if (options->verdict && !read_verdict(options->verdict, &filter->verdict))
        return "--verdict takes dead, retry or unknown";
    if (options->since && !moment_read(options->since, &filter->died_from_ms))
        return "--since takes a time in UTC like 2026-01-02T03:04:05Z, or a date like 2026-01-02";
    if (options->before && !moment_read(options->before, &filter->died_before_ms))
        return "--before takes a time in UTC like 2026-01-02T03:04:05Z, or a date like 2026-01-02";
    if (options->most && !read_number(options->most, UINT32_MAX, &most))
        return "--most takes a number of dead letters, 1 or more";
    filter->most = (uint32_t)most;
    return NULL;
}

const char *dead_options_replay_mistake(const struct dead_options *options) {
    bb_dead_filter filter;
    if (options->number && is_filtered(options))
        return "the number of one dead letter goes without --webhook, --verdict, --since, --before "
               "and --most";
    return dead_options_read(options, &filter);
}

const char *dead_options_list_mistake(const struct dead_options *options) {
    return options->yes ? "--yes goes with replay and purge only"
                        : dead_options_replay_mistake(options);
}

const char *dead_options_purge_mistake(const struct dead_options *options) {
    bb_dead_filter filter;
    if (options->number)
        return "purge takes a time, --before, and no number";
    if (options->webhook || options->verdict || options->since || options->most)
        return "purge goes with --before only, not with --webhook, --verdict, --since and --most";
    if (!options->before)
        return "purge needs --before: what is older than that is forgotten";
    return dead_options_read(options, &filter);
}
