/*
 * What any store must do, from the words above each member in delivery/store.h. A program runs all
 * of it over its kind of store, and adds what only that kind promises.
 */
#ifndef SUPPORT_STORE_CONTRACT_H
#define SUPPORT_STORE_CONTRACT_H

#include <stdbool.h>

#include "delivery/store.h"

/* A fresh store with these limits; never NULL. `close` ends it and whatever lies beneath it. */
typedef struct store_factory {
    struct bb_store *(*open)(uint64_t max_deliveries, uint64_t max_bytes);
    void (*close)(struct bb_store *store);
    bool has_no_limits; /* but those of its disk */
} store_factory;

/* Runs every case. Returns how many failed. */
int store_contract_run(const store_factory *factory);

/* ---- what the cases are written with: one store, its queues, events known by their ids ---- */

enum { STORE_QUEUES = 4 };

extern struct bb_store *store;
extern struct bb_queue *store_queues[STORE_QUEUES]; /* their owners: the numbers in store_owners */
extern int store_owners[STORE_QUEUES];

/* Opens `store` with its queues; closes it, and fails when memory was left behind. */
void store_open(const store_factory *factory, uint64_t max_deliveries, uint64_t max_bytes);
void store_open_queues(void);
int store_close(const store_factory *factory);

/* Puts an event, on the store's own connection. */
int store_put_event(struct bb_store *into, const bb_event *event, const struct bb_put *puts,
                    size_t count, int64_t now_ms, int64_t due_ms);

/* A delivery of a new event to one queue. */
int store_put(size_t queue, const char *id, uint64_t order_key, int64_t now_ms, int64_t due_ms);
void store_must_put(size_t queue, const char *id, uint64_t order_key, int64_t now_ms,
                    int64_t due_ms);

/* Takes a queue, which must be this one; or none, and then `next_ms` says later than now. */
void store_must_take(size_t queue, int64_t now_ms);
void store_must_not_take(int64_t now_ms);
/* `next_ms` says so; a store that others work on as well may ask to be looked at before. */
void store_must_wait_until(int64_t now_ms, int64_t due_ms);
void store_give(size_t queue, int64_t not_before_ms);

/* Of a taken queue: must be the delivery of this event; or NULL. */
struct bb_delivery *store_must_claim(size_t queue, int64_t now_ms, const char *id);
void store_must_not_claim(size_t queue, int64_t now_ms);
struct bb_delivery *store_must_claim_older(size_t queue, int64_t before_ms, const char *id);

void store_settle(struct bb_delivery *delivery);
void store_retry(struct bb_delivery *delivery, int64_t due_ms);

/* Take, claim, give back. */
struct bb_delivery *store_next(size_t queue, int64_t now_ms, const char *id);

void store_must_count(uint64_t waiting, uint64_t claimed);

/* The cases of one queue, and of several. */
int store_cases_run(void);
int store_queue_cases_run(void);
int store_bounded_cases_run(void);

/* Around each of them; the small store takes 10 deliveries of a million bytes in all. */
int store_case_begin(void **state);
int store_small_case_begin(void **state);
int store_case_end(void **state);

#endif
