/*
 * What the contract of the endpoints is checked with: one event for one webhook is
 * prepared through the public header and read by the independent decoder. What is
 * wrong is printed with the type and with what was tried, and counted, so that one
 * run shows every violation.
 */
#ifndef SUPPORT_CONTRACT_H
#define SUPPORT_CONTRACT_H

#include <stdbool.h>

#include "decode/decode.h"
#include "support/samples.h"

#define FOR_EACH_TYPE(type) for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++)

/* More than any product shows. */
enum { CONTRACT_PEOPLE = 100 };

/* Around a test: contract_end fails it when anything was complained of. */
int contract_begin(void **state);
int contract_end(void **state);
#define CONTRACT(test) cmocka_unit_test_setup_teardown(test, contract_begin, contract_end)

/* What is tried from now on: stands before each complaint. */
__attribute__((format(printf, 1, 2))) void contract_try(const char *format, ...);
__attribute__((format(printf, 1, 2))) void contract_complain(const char *format, ...);

/* A prepared request; all borrowed from `request`. */
typedef struct contract_made {
    bb_request *request;
    bb_type type;
    const char *body;
    size_t length;
} contract_made;

/* False (and a complaint) when it cannot be prepared. Free it in any case. */
bool contract_prepare(contract_made *made, const bb_webhook *webhook, const bb_event *event);
void contract_free(contract_made *made);

/* Complains unless the product takes the body; `expect` may be NULL. */
void contract_check(const contract_made *made, const struct decode_expect *expect);

/* Complains unless (or, with `shown` false, when) a reader can see the words. */
void contract_check_shows(const contract_made *made, const char *words, bool shown);

/* What tells the level in that body, e.g. its colour; for the caller to free. */
char *contract_level_mark(const contract_made *made);

bool contract_is_cut(const contract_made *made, const char *name);

/* Complains unless exactly the names of the NULL-terminated list were cut. */
void contract_check_cuts(const contract_made *made, const char *const *names);

/* prepare, check for `link` and nobody, free. */
void contract_check_event(const bb_webhook *webhook, const bb_event *event, const char *link);

#endif
