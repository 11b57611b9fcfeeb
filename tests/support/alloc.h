/*
 * Memory that runs out when a test says so: an allocator for the library, and the hooks of cJSON,
 * libcurl, OpenSSL and SQLite. All count together, so that "the nth allocation" is one series.
 * libpq, c-ares and the C library keep malloc.
 */
#ifndef SUPPORT_ALLOC_H
#define SUPPORT_ALLOC_H

#include <stddef.h>

#include "bb_webhook.h"

typedef enum alloc_source {
    ALLOC_LIBRARY,
    ALLOC_CJSON,
    ALLOC_CURL,
    ALLOC_OPENSSL,
    ALLOC_SQLITE,
    ALLOC_SOURCES
} alloc_source;

/* Takes over the memory of cJSON and libcurl: before either is used by the process. */
void alloc_hook_others(void);

/* The same for OpenSSL: before alloc_hook_others. Its blocks are no part of alloc_live, because it
 * keeps some for each thread; those that it loses are the leak checker's to find. Also makes it
 * load its algorithms, which OpenSSL 3.0 does once: what fails then fails for the process's life.
 */
void alloc_hook_openssl(void);

/* The same for SQLite. */
void alloc_hook_sqlite(void);

/* For bb_options, arenas and buffers. Static. */
const bb_allocator *alloc_library(void);

/* Begins to count from 1. The `nth` allocation fails (0: none), and with `and_after` all that
 * follow it, until alloc_end. */
void alloc_begin(size_t nth, int and_after);

/* Nothing fails or counts any more. Returns how many allocations there were since alloc_begin. */
size_t alloc_end(void);

/* Takes alloc_end back: failing and counting go on where they stopped. */
void alloc_resume(void);

/*
 * Counts the allocations of `run` and prints how many there are; then runs it once for each, which
 * fails alone, and once more, with all that follow it. Of more than `most` points (0: no matter how
 * many) only every kth is taken. `run` may end the failing with alloc_end before it is over. Fails
 * the cmocka test when a block is left behind.
 */
void alloc_fail_each(const char *what, size_t most, void (*run)(void *user), void *user);

/* cmocka's teardown for tests that call alloc_fail_each: says at which point one has failed. */
int alloc_teardown(void **state);

/* BB_TEST_SCALE, 1 when it is not set: by how much longer tests may be. */
size_t alloc_scale(void);

/* Between alloc_begin and alloc_end: of one source, the bytes of all, whether one has failed. */
size_t alloc_count(alloc_source source);
size_t alloc_bytes(void);
int alloc_has_failed(void);

/* Blocks that were allocated and not freed, ever; without OpenSSL's. */
long alloc_live(void);

/* What those blocks cost: never less than they really take of the heap. */
long alloc_live_bytes(void);

/* The most that they have cost at one time since alloc_peak_begin. */
void alloc_peak_begin(void);
long alloc_peak_bytes(void);

#endif
