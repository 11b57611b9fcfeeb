/* Preparing a request for one URL after another; complaints as of contract.h. */
#ifndef SUPPORT_URLS_H
#define SUPPORT_URLS_H

#include "support/contract.h"

/* Stands in parts of URLs that must never be told. */
#define URLS_CANARY "CaNaRy7"

bb_options urls_insecure(bool http, bool private_addresses);

/* The code of preparing a sample event; when it is BB_OK, the real URL. */
int urls_try(const bb_options *options, const bb_webhook *webhook, char *requested, size_t size,
             bb_error *error);

/* Complains unless that URL is requested for the type's sample webhook. */
void urls_check_requested(bb_type type, const char *url, const char *expected);

/* Complains unless it is refused, with the webhook's name and the reason told and
 * the URL not. Sets the webhook's URL. */
void urls_check_refused_with(const bb_options *options, bb_webhook *webhook, const char *url,
                             const char *reason);
void urls_check_refused(bb_type type, const char *url, const char *reason);

#endif
