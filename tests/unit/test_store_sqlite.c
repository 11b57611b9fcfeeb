/* The store in SQLite: the contract of stores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "driver/store_sqlite.h"
#include "support/alloc.h"
#include "support/store_contract.h"

static char path[] = "/tmp/bb_store_sqlite_XXXXXX";

static void remove_files(void) {
    char name[64];
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

/* Its leases outlast the jumps of the cases' time. */
static struct bb_store *open_sqlite(uint64_t max_deliveries, uint64_t max_bytes) {
    bb_error error = BB_ERROR_INIT;
    struct bb_store *made = NULL;
    struct bb_store_sqlite_config config = {.mem = *alloc_library(), .lease_ms = INT64_C(1) << 40};
    (void)max_deliveries, (void)max_bytes;
    remove_files();
    if (bb_store_sqlite_open(&config, path, &made, &error) != BB_OK)
        fail_msg("%s", error.text);
    return made;
}

static void close_sqlite(struct bb_store *sqlite) {
    sqlite->vtable->free(sqlite);
    remove_files();
}

int main(void) {
    const store_factory factory = {open_sqlite, close_sqlite, true};
    close(mkstemp(path));
    return store_contract_run(&factory);
}
