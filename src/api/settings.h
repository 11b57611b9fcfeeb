/* bb_options, read once and with every default filled in. */
#ifndef BB_API_SETTINGS_H
#define BB_API_SETTINGS_H

#include "base/error.h"
#include "base/mem.h"
#include "delivery/target.h"

struct bb_settings {
    bb_allocator mem;
    bb_options options;               /* defaults filled in; texts still the caller's */
    bb_background_options background; /* likewise */
    bb_egress egress;                 /* likewise; its lists are `guard`'s */
    struct bb_policy policy;
    struct bb_guard *guard; /* the policy's; owned */
    bool has_own_clock;     /* the host's */
};

/* `options` may be NULL. On an error nothing is left to free. */
int bb_settings_read(struct bb_settings *settings, const bb_options *options, bb_error *error);
void bb_settings_free(struct bb_settings *settings);

int64_t bb_settings_now_ms(const struct bb_settings *settings);

void bb_settings_log(const struct bb_settings *settings, bb_level level, const char *text);

#endif
