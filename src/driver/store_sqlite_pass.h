/* Inside one pass: what its parts share. */
#ifndef BB_DRIVER_STORE_SQLITE_PASS_H
#define BB_DRIVER_STORE_SQLITE_PASS_H

#include "driver/store_sqlite_work.h"

/* Times do not overflow: the end of time stays the end of time. */
static inline int64_t bb_sqlite_later(int64_t time_ms, int64_t by_ms) {
    return by_ms > 0 && time_ms > INT64_MAX - by_ms ? INT64_MAX : time_ms + by_ms;
}

/* What one transaction leases. */
struct bb_sqlite_leased {
    struct bb_delivery rows[BB_SQLITE_BATCH];
    int64_t due_ms[BB_SQLITE_BATCH];
    size_t count;
    int64_t lease;
    int64_t until_ms;
    bool has_looked, has_more; /* for, and new events */
};

/* The event as it is kept in memory, retained for the caller; one for all deliveries of an event
 * that are leased together. NULL when out of memory, or it is no event. */
struct bb_parcel *bb_sqlite_parcel(struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                                   int64_t event, const char *json);

/* The parcel's reference is taken over. */
void bb_sqlite_add_leased(struct bb_sqlite_leased *leased, const struct bb_delivery *row,
                          int64_t due_ms);

/* Makes deliveries of new events, oldest first; leases at once what is due with nothing ahead of
 * it. False: it failed. */
bool bb_sqlite_fan_out(struct bb_sqlite *s, struct bb_sqlite_leased *leased);

#endif
