#ifndef BB_API_DISPATCHER_H
#define BB_API_DISPATCHER_H

#include <pthread.h>

#include "api/registry.h"
#include "driver/http.h"

struct bb_pause {
    int64_t until_ms; /* 0: none */
    char reason[512];
};

struct bb_dispatcher {
    struct bb_settings settings;
    struct bb_arena arena;      /* the options' texts */
    char id_prefix[2 * 16 + 1]; /* random: what event ids made here begin with */
    atomic_ullong events;       /* and a number ends them */
    struct bb_registry *registry;
    struct bb_http *http;
    pthread_mutex_t standing_lock;
    struct bb_pause type_pauses[BB_CUSTOM + 1]; /* Discord's global limits */
};

#endif
