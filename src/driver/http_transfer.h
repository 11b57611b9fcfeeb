/* One transfer on a libcurl easy handle: how it is set up and what came of it. */
#ifndef BB_DRIVER_HTTP_TRANSFER_H
#define BB_DRIVER_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "driver/http.h"

/* A parsed URL, and the version of its addresses that the multi handle has (0: none). */
struct bb_http_target {
    CURLU *url;
    struct bb_url parts;
    uint64_t loaded_version;
    uint64_t loaded_in; /* which multi handle that was */
    uint32_t hash;      /* of the URL: which multi handle serves it */
    const char *place;  /* "host:port" */
    struct bb_arena arena;
    atomic_size_t *count;
};

/* By which of the BB_HTTP_RULES it goes. */
size_t bb_transfer_rules(const struct bb_transfer *transfer, const struct bb_http_config *config);

/* A handle with everything set that all transfers share. NULL: no memory. */
CURL *bb_transfer_new_handle(const struct bb_http_config *config);

/* Makes the handle report to the transfer, for one or for all that it will do. */
bool bb_transfer_bind(struct bb_transfer *transfer, CURL *easy);

/* Sets what is this transfer's, on a handle that is bound to it. False when out of memory. */
bool bb_transfer_arm(struct bb_transfer *transfer, const struct bb_http_config *config, CURL *easy);

/* Fills in the transfer's results. */
void bb_transfer_settle(struct bb_transfer *transfer, CURL *easy, CURLcode result);

#endif
