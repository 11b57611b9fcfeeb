/* Inside one pass: what its parts share. */
#ifndef BB_DRIVER_STORE_SQLITE_PASS_H
#define BB_DRIVER_STORE_SQLITE_PASS_H

#include "driver/store_note.h"
#include "driver/store_sqlite_work.h"

/* The parcel's reference is taken over. */
void bb_sqlite_add_leased(struct bb_sqlite_leased *leased, const struct bb_delivery *row,
                          int64_t due_ms);

/* Writes the attempts that were settled into the log. */
bool bb_sqlite_log(struct bb_sqlite *s);

/* Keeps the delivery as a dead letter. */
bool bb_sqlite_bury(struct bb_sqlite *s, const struct bb_claim *claim, int64_t attempts);

/* The same for an event that was written by SQL and of which nobody can say who wants it; the host
 * is told. */
bool bb_sqlite_bury_unmatched(struct bb_sqlite *s, int64_t event, const char *reason);

/* Writes how claims ended, within a transaction. */
bool bb_sqlite_settle_all(struct bb_sqlite *s);

/* The event is over. The newest one's row stays, emptied: its number must not be used again. */
bool bb_sqlite_drop_event(struct bb_sqlite *s, int64_t event);

/* A delivery of the event, or a dead letter, is over; the last one takes the event with it. */
bool bb_sqlite_end_event(struct bb_sqlite *s, const struct bb_claim *claim);

/* How many more of the queue may be leased. `leased` NULL: outside of a pass. */
size_t bb_sqlite_room(const struct bb_sqlite *s, const struct bb_sqlite_leased *leased,
                      const struct bb_sqlite_queue *q);

/* By the database's clock, of what is leased or renewed now. */
static inline int64_t bb_sqlite_lease_end_ms(const struct bb_sqlite *s) {
    return bb_leases_later(s->clock_ms, s->config.lease_ms);
}

/* The leases of what is in memory: `until_ms` is theirs then. */
bool bb_sqlite_renew_leases(struct bb_sqlite *s, int64_t until_ms);

/* Leases what is due: a fair share of each queue. */
bool bb_sqlite_lease_due(struct bb_sqlite *s, struct bb_sqlite_leased *leased);

/* Chooses up to `most` of one queue (BB_SQL_DUE or BB_SQL_OLDER, before that time), and leases all
 * that were chosen: of suspects, unless all are wanted at once, one. */
bool bb_sqlite_choose(struct bb_sqlite *s, struct bb_sqlite_leased *leased,
                      const struct bb_sqlite_queue *q, enum bb_sql which, int64_t before_ms,
                      size_t most);
bool bb_sqlite_lease_chosen(struct bb_sqlite *s, struct bb_sqlite_leased *leased, bool all_at_once);

/* Makes deliveries of new events, oldest first; leases at once what is due with nothing ahead of
 * it. False: it failed. */
bool bb_sqlite_fan_out(struct bb_sqlite *s, struct bb_sqlite_leased *leased);

/* As the store's contract says. */
int bb_sqlite_put(struct bb_store *store, void *connection, struct bb_put_event *events,
                  size_t count, int64_t now_ms, int64_t due_ms, bb_error *error);
bool bb_sqlite_is_blocked(struct bb_store *store);
struct bb_parcel *bb_sqlite_unmatched(struct bb_store *store, int64_t *number);
int bb_sqlite_match(struct bb_store *store, int64_t number, const struct bb_parcel *parcel,
                    const struct bb_put *puts, size_t count);

#endif
