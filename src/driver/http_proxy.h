/*
 * Transfers through a proxy. libcurl would leave the receiver's name to the proxy, so such a
 * transfer has two parts: in the first, without the proxy, libcurl looks the name up and offers
 * each address to the guard, which has no socket made; in the second it goes through the proxy to
 * the first address that was allowed, or else to the first of the other family.
 */
#ifndef BB_DRIVER_HTTP_PROXY_H
#define BB_DRIVER_HTTP_PROXY_H

#include "driver/http_transfer.h"

/* What never changes, on a new handle of a configuration with proxies. */
bool bb_http_proxy_set(const struct bb_http_config *config, CURL *easy);

/* Begins the first part where its URL has a proxy. */
bool bb_http_proxy_arm(struct bb_transfer *transfer, CURL *easy);

/* Notes an address that the guard allows, in the first part. */
void bb_http_proxy_choose(struct bb_transfer *transfer, const struct bb_address *address);

/* When a part is over: whether another one follows, the second, or once more the second with the
 * other family's address, which a proxy may reach where it does not reach the first. */
bool bb_http_proxy_goes_on(const struct bb_transfer *transfer, CURL *easy, CURLcode result);

/* Arms that one, when it has left the multi handle, to which it is added again. */
bool bb_http_proxy_go_on(struct bb_transfer *transfer, CURL *easy);

/* In the second part: whether what is about to be connected to is the proxy, which is exempt from
 * the guard, and not the receiver itself, where it is reached without. */
bool bb_http_proxy_is_asked(struct bb_transfer *transfer, const struct bb_address *address,
                            unsigned port);

/* What the proxy has failed at, in words, and how that is classed; NULL: it is not the proxy. */
const char *bb_http_proxy_failure(struct bb_transfer *transfer, CURL *easy, CURLcode result,
                                  bb_failure *failure);

/* On a handle that will serve other transfers. */
void bb_http_proxy_clear(struct bb_transfer *transfer, CURL *easy);

#endif
