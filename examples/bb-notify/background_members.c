#include "background_members.h"

#include <stdlib.h>

enum { DELAYS_MAX = 100, SLOTS_MAX = 65536, LEASE_LEAST_MS = 1000 }; /* the library's own limits */

static bool read_delays(const cJSON *list, uint32_t *delays, struct mistake *mistake) {
    const cJSON *value;
    cJSON_ArrayForEach(value, list) {
        if (!read_milliseconds(value, delays++, mistake))
            return false;
    }
    return true;
}

bool read_retry_delays(const cJSON *value, void *field, struct mistake *mistake) {
    bb_background_options *background = field;
    int count = cJSON_IsArray(value) ? cJSON_GetArraySize(value) : 0;
    if (count < 1 || count > DELAYS_MAX)
        return mistaken(mistake, "must be a list of 1 to %d waits in milliseconds", DELAYS_MAX);
    uint32_t *delays = calloc((size_t)count, sizeof *delays);
    if (!delays)
        return mistaken(mistake, "out of memory");
    background->retry_delays_ms = delays;
    background->retry_delay_count = (size_t)count;
    return read_delays(value, delays, mistake);
}

static bool read_uint32_up_to(const cJSON *value, int64_t most, uint32_t *field,
                              struct mistake *mistake) {
    int64_t integer;
    if (!read_up_to(value, most, &integer, mistake))
        return false;
    *field = (uint32_t)integer;
    return true;
}

bool read_slots(const cJSON *value, void *field, struct mistake *mistake) {
    return read_uint32_up_to(value, SLOTS_MAX, field, mistake);
}

bool read_percent(const cJSON *value, void *field, struct mistake *mistake) {
    return read_uint32_up_to(value, 100, field, mistake);
}

bool read_lease(const cJSON *value, void *field, struct mistake *mistake) {
    uint32_t *lease_ms = field;
    if (!read_milliseconds(value, lease_ms, mistake))
        return false;
    return *lease_ms >= LEASE_LEAST_MS ||
           mistaken(mistake, "must be at least %d milliseconds", LEASE_LEAST_MS);
}

bool read_bytes(const cJSON *value, void *field, struct mistake *mistake) {
    int64_t integer;
    if (!read_up_to(value, INT64_MAX, &integer, mistake))
        return false;
    *(uint64_t *)field = (uint64_t)integer;
    return true;
}

bool read_when_full(const cJSON *value, void *field, struct mistake *mistake) {
    static const char *const names[] = {"refuse", "drop_oldest", NULL};
    unsigned choice = 0;
    bool known = read_choice(value, names, &choice, mistake);
    *(bb_when_full *)field = (bb_when_full)choice;
    return known;
}

bool read_resolver(const cJSON *value, void *field, struct mistake *mistake) {
    static const char *const names[] = {"cares", "system", NULL};
    unsigned choice = 0;
    bool known = read_choice(value, names, &choice, mistake);
    *(bb_resolver_kind *)field = (bb_resolver_kind)choice;
    return known;
}

void background_clear(bb_background_options *background) {
    free((void *)background->retry_delays_ms);
}
