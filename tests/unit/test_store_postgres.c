/* The store in PostgreSQL: the contract of stores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/store_postgres.h"
#include "support/alloc.h"
#include "support/postgres.h"
#include "support/store_contract.h"

/* Its leases outlast the jumps of the cases' time. */
static struct bb_store *open_postgres(uint64_t max_deliveries, uint64_t max_bytes) {
    bb_error error = BB_ERROR_INIT;
    struct bb_store *made = NULL;
    struct bb_store_postgres_config config = {.mem = *alloc_library(),
                                              .lease_ms = INT64_C(1) << 40};
    (void)max_deliveries, (void)max_bytes;
    if (bb_store_postgres_open(&config, postgres_fresh(), &made, &error) != BB_OK)
        fail_msg("%s", error.text);
    return made;
}

static void close_postgres(struct bb_store *postgres) {
    postgres->vtable->free(postgres);
}

int main(void) {
    const store_factory factory = {open_postgres, close_postgres, true};
    return store_contract_run(&factory);
}
