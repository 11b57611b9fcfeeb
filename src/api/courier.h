/*
 * The courier carries what waits to where it goes: everything that only the driving thread touches.
 *
 *   courier.c   one turn: begin what is due, wait for something to happen, end what is over
 *   flight.c    one attempt: look the name up, make the request, send it, judge the answer
 *   ending.c    what follows from an outcome: settled or tried again, counted, told
 *   batches.c   the events that are being delivered now
 *   drive.c     who drives, and for how long
 */
#ifndef BB_API_COURIER_H
#define BB_API_COURIER_H

#include "api/batch.h"
#include "api/standing.h"
#include "delivery/outcome.h"
#include "driver/http_engine.h"
#include "driver/poller.h"
#include "driver/resolver.h"

/* An event in delivery: in words and rendered, kept a while because other webhooks want it next. */
struct bb_kept_batch {
    struct bb_batch batch;
    struct bb_parcel *parcel;              /* retained */
    unsigned uses;                         /* flights */
    struct bb_kept_batch *next, *previous; /* while there are none */
};

/* One attempt under way. */
struct bb_courier_flight {
    struct bb_flight face; /* first */
    struct bb_courier *courier;
    struct bb_standing *standing;
    struct bb_hook *hook;   /* retained: what it began with */
    struct bb_hook *sender; /* retained: the same with its URL and secrets; NULL: none yet */
    struct bb_kept_batch *kept;
    const char *delivery_id; /* the request's arena's */
    struct bb_lookup lookup;
    bool is_looking_up;
    bool is_abandoned;
    int64_t began_ms, look_up_ends_ms; /* monotonic */
    int64_t dns_us;
    struct bb_courier_flight *next, *previous; /* of all under way; the idle ones by `next` */
    struct bb_courier_flight *next_look_up, *previous_look_up;
    struct bb_request request; /* from here on memory is kept from one flight to the next */
    struct bb_transfer transfer;
};

struct bb_courier {
    struct bb_dispatcher *dispatcher;
    struct bb_poller *poller;
    struct bb_engine *engine;
    struct bb_resolver *resolver; /* NULL: libcurl looks names up */
    struct bb_courier_flight *flights;
    struct bb_courier_flight *looking_up; /* in the order in which they began */
    struct bb_courier_flight *idle;
    size_t idle_count;
    struct bb_kept_batch *idle_batches; /* the last used first */
    size_t idle_batch_count;
    struct bb_kept_batch *spare_batches; /* empty ones, by `next` */
    size_t spare_batch_count;
    struct bb_arena scratch; /* of one rendering or judgement after the other */
    struct bb_known_successes known;
    uint64_t chance;
    uint64_t refused_told; /* of the dispatcher's `refused` */
    uint64_t dropped_told;
    struct bb_moment now; /* read at each turn's beginning, after each wait and each callback,
                             rather than five times for each delivery */
    bool is_flushing;     /* who drives wants to know as soon as nothing is left to do */
};

/* NULL when out of memory, or of descriptors: then errno says so. */
struct bb_courier *bb_courier_new(struct bb_dispatcher *dispatcher);
void bb_courier_free(struct bb_courier *courier); /* nothing is under way */

/* One turn, which waits up to `wait_ms` (-1: as long as nothing is to be done). */
void bb_courier_turn(struct bb_courier *courier, int64_t wait_ms, bool may_begin);

/* Nothing is in flight or due. */
bool bb_courier_is_idle(struct bb_courier *courier);

/* How long nothing is to be done; -1: until something happens. */
int bb_courier_idle_ms(struct bb_courier *courier, bool may_begin);

/* Ends what is under way, as unknown where it was sent. */
void bb_courier_abandon(struct bb_courier *courier);

/* Stops driving and frees the courier. BB_ERR_BUSY. */
int bb_drive_end(struct bb_dispatcher *dispatcher, bb_error *error);

/* ---- flight.c */

/* Begins an attempt for a delivery that was claimed: first in the books, under the dispatcher's
 * lock (NULL when out of memory), then, without it, for real. */
struct bb_courier_flight *bb_flight_begin(struct bb_courier *courier, struct bb_delivery *delivery,
                                          int64_t now_ms);
void bb_flight_go(struct bb_courier_flight *flight);
void bb_flight_finish(struct bb_courier_flight *flight); /* its transfer is over */
void bb_flight_check_look_ups(struct bb_courier *courier);
void bb_flight_abandon(struct bb_courier_flight *flight);
void bb_flight_free_idle(struct bb_courier *courier);

/* ---- ending.c */

/* Takes in what came of an attempt, settles the delivery and tells; why there is no further attempt
 * is added to the outcome's text. */
void bb_ending_of_flight(struct bb_courier_flight *flight, bb_outcome *outcome);

/* No attempt could be made: for want of memory, or because everything stops. It waits that long. */
void bb_ending_put_off(struct bb_courier_flight *flight, int64_t wait_ms);

/* The end of a delivery for which no further attempt is made: it is too old, its webhook was
 * removed, or it has ended too many processes. */
void bb_ending_without_attempt(struct bb_courier *courier, struct bb_delivery *delivery,
                               enum bb_due why);

/* The end of one whose event cannot be read, as `error` says; the flight's, too. */
void bb_ending_unreadable(struct bb_courier_flight *flight, const bb_error *error);

/* Tells of drops and refusals since the last time. */
void bb_ending_tell_losses(struct bb_courier *courier);

/* ---- batches.c */

/* Retained by one use more. NULL: the parcel's event cannot be read (BB_ERR_EVENT), or there is no
 * memory. */
struct bb_kept_batch *bb_batches_use(struct bb_courier *courier, struct bb_parcel *parcel,
                                     bb_error *error);
void bb_batches_leave(struct bb_courier *courier, struct bb_kept_batch *kept);

/* Its request is made. Where no other delivery needs the event, what was read of its JSON is let go
 * at once: the next one is read into the same memory, which is warm. */
void bb_batches_close(struct bb_kept_batch *kept);
void bb_batches_free(struct bb_courier *courier);

#endif
