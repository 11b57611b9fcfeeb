/* The far side of seven webhooks, played on loopback: it answers as the products
 * do, and refuses as they do. What it knows of them is docs of theirs and bodies
 * that were seen on the wire; where a product accepts a message and then fails to
 * show it (Teams), the refusal comes at once, because a demo should say so. */
#ifndef BB_NOTIFY_RECEIVER_H
#define BB_NOTIFY_RECEIVER_H

#include <stddef.h>
#include <stdint.h>

#include "bb_webhook.h"

struct receiver_header {
    const char *name;
    const char *value;
};

struct receiver_request {
    const char *method;
    const char *target; /* path and query, byte for byte as on the request line */
    const struct receiver_header *headers;
    size_t header_count;
    const char *body; /* NUL-terminated */
    size_t body_length;
};

/* One room of one product, as its administrator set it up. */
struct receiver_room {
    bb_type type;
    const char *secret;  /* DingTalk, Feishu, Custom; NULL: nothing is signed */
    const char *keyword; /* DingTalk, Feishu: every message must hold it; NULL: none */
};

struct receiver_answer {
    int status;
    const char *content_type; /* static */
    char retry_after[24];     /* the header's value; "": it is not sent */
    char body[1024];
};

/* What the product answers to `request` at `now_ms`. Pure. */
void receiver_check(const struct receiver_room *room, const struct receiver_request *request,
                    int64_t now_ms, struct receiver_answer *answer);

/* Whether a message at `now_ms` is one too many after those at `times` (ascending):
 * if so, fills in the product's refusal and returns 1. Pure. */
int receiver_check_rate(const struct receiver_room *room, const struct receiver_request *request,
                        const int64_t *times, size_t count, int64_t now_ms,
                        struct receiver_answer *answer);

/* ---- the same over HTTP */

/* A request that arrived, and what it was answered. */
struct receiver_exchange {
    bb_type type; /* the room it was for */
    int64_t time_ms;
    struct receiver_request request;
    struct receiver_answer answer;
};

typedef int64_t (*receiver_clock)(void *user); /* milliseconds since 1970; any thread */

struct receiver_options {
    const struct receiver_room *rooms; /* at most one of each type; outlive the receiver */
    size_t room_count;
    receiver_clock clock;
    void *clock_user;
};

struct receiver;

/* Listens on 127.0.0.1, on a port that the system picks. NULL: it cannot. */
struct receiver *receiver_start(const struct receiver_options *options);
void receiver_stop(struct receiver *receiver); /* frees the exchanges too */

unsigned receiver_port(const struct receiver *receiver);

/* Exchanges are kept, in order of arrival, until the receiver is stopped. Any thread. */
size_t receiver_count(struct receiver *receiver);
const struct receiver_exchange *receiver_exchange_at(struct receiver *receiver, size_t index);

#endif
