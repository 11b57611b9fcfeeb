/* The address guard: which addresses and ports may be connected to, by the operator's rules and
 * the table of address.h. Pure: what this host's own addresses are is an argument. */
#ifndef BB_DELIVERY_GUARD_H
#define BB_DELIVERY_GUARD_H

#include "base/error.h"
#include "base/mem.h"
#include "delivery/address.h"

/* The operator's rules, read once from bb_options.egress. NULL where one is asked for: none. */
struct bb_guard;

/* One block, which is freed like any other. `egress` is of this library's size. BB_ERR_ARGUMENT
 * (the sentence names the field and the entry), BB_ERR_NO_MEMORY. */
int bb_guard_new(const bb_allocator *mem, const bb_egress *egress, struct bb_guard **guard,
                 bb_error *error);

/* What an address is held against. */
struct bb_bounds {
    const struct bb_guard *guard;
    const struct bb_address *own; /* this host's */
    size_t own_count;
    bool allow_private; /* all that is not public, but metadata services */
};

/* The rule that refuses, in words for the operator's log; NULL: it may be connected to. In this
 * order: the operator's deny list, the allow list, the built-in rules, anything else is allowed. An
 * address that carries another is held against the lists as both. A metadata service is only
 * opened by an entry of the allow list that is exactly its address. */
const char *bb_guard_judge(const struct bb_bounds *bounds, const struct bb_address *address);

/* Two of these rules, to be told apart from the others. */
extern const char bb_guard_denied[];
extern const char bb_guard_metadata[];

/* The same for a URL's host: an address ("[::1]" too), or localhost and the names below it. Another
 * name is not looked up: it is judged when it is connected to. */
const char *bb_guard_judge_host(const struct bb_bounds *bounds, const char *host);

/* Whether the port may be connected to: without a list 443, with http also 80, and any where
 * private addresses are allowed. */
bool bb_guard_has_port(const struct bb_bounds *bounds, bool allow_http, unsigned port);

#endif
