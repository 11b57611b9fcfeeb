#ifndef BB_API_DISPATCHER_H
#define BB_API_DISPATCHER_H

#include <pthread.h>

#include "api/registry.h"
#include "driver/http.h"

struct bb_dispatcher {
    struct bb_settings settings;
    struct bb_arena arena;      /* the options' texts */
    char id_prefix[2 * 16 + 1]; /* random: what event ids made here begin with */
    atomic_ullong events;       /* and a number ends them */
    struct bb_registry *registry;
    struct bb_http *http;
    pthread_mutex_t standing_lock;
    int64_t type_paused_until_ms[BB_CUSTOM + 1];
};

#endif
