#ifndef BB_API_OUTBOX_H
#define BB_API_OUTBOX_H

#include "delivery/store.h"

/* Whether an outbox may be used: BB_ERR_ARGUMENT for one of another version, BB_ERR_FORKED in a
 * child of the process that opened it. (By the process's number, which a later descendant may have
 * again only when that process has ended.) */
int bb_outbox_check(const struct bb_store *store, bb_error *error);

#endif
