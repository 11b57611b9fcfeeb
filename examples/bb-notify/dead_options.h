/* Which dead letters the verbs list, replay and purge are about. */
#ifndef BB_NOTIFY_DEAD_OPTIONS_H
#define BB_NOTIFY_DEAD_OPTIONS_H

#include <bb_webhook.h>
#include <stdbool.h>

/* As they stand on the command line; NULL: not given. */
struct dead_options {
    const char *webhook, *verdict, *since, *before, *most;
    const char *number; /* the word after the verb */
    bool yes;
};

/* Whether any of them is given, `number` aside. */
bool dead_options_given(const struct dead_options *options);

/* What they say. NULL, or which one does not say anything. */
const char *dead_options_read(const struct dead_options *options, bb_dead_filter *filter);

/* The same for one verb: whether it takes what is given. */
const char *dead_options_list_mistake(const struct dead_options *options);
const char *dead_options_replay_mistake(const struct dead_options *options);
const char *dead_options_purge_mistake(const struct dead_options *options);

#endif
