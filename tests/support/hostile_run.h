/* Delivers to a receiver that misbehaves, and to a healthy one of the same dispatcher, and holds
 * what comes of it against the case. */
#ifndef SUPPORT_HOSTILE_RUN_H
#define SUPPORT_HOSTILE_RUN_H

#include "support/hostile_cases.h"

/* All cases, each by bb_webhook_post and in the background, as cmocka tests, and one that compares
 * them with docs/hostile.md. To be called first: it takes over the memory of libcurl. What main
 * returns. */
int hostile_run_all(const hostile_case *cases, size_t count);

#endif
