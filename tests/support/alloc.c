#include "support/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Atomic, because libcurl may look up names in a thread of its own. */
static atomic_size_t counts[ALLOC_SOURCES], total, bytes;
static atomic_long live, live_bytes, peak_bytes;
static atomic_bool counting, failed;
static atomic_size_t fail_at; /* 0: never */
static atomic_bool fail_after;

static bool runs_out(alloc_source source, size_t size) {
    if (!atomic_load(&counting))
        return false;
    atomic_fetch_add(&counts[source], 1);
    atomic_fetch_add(&bytes, size);
    size_t n = atomic_fetch_add(&total, 1) + 1, at = atomic_load(&fail_at);
    if (at == 0 || n < at || (n > at && !atomic_load(&fail_after)))
        return false;
    atomic_store(&failed, true);
    return true;
}

/* With what the heap itself needs for a block: its size, rounded up to 16. */
static long cost_of(void *block) {
    return (long)malloc_usable_size(block) + 16;
}

static void add_bytes(long more) {
    long now = atomic_fetch_add(&live_bytes, more) + more, most = atomic_load(&peak_bytes);
    while (now > most && !atomic_compare_exchange_weak(&peak_bytes, &most, now))
        ;
}

static void *take(alloc_source source, size_t size) {
    void *block = runs_out(source, size) ? NULL : malloc(size);
    if (block == NULL)
        return NULL;
    atomic_fetch_add(&live, 1);
    add_bytes(cost_of(block));
    return block;
}

static void *retake(alloc_source source, void *block, size_t size) {
    if (block == NULL)
        return take(source, size);
    if (runs_out(source, size))
        return NULL;
    long before = cost_of(block);
    void *moved = realloc(block, size);
    if (moved != NULL)
        add_bytes(cost_of(moved) - before);
    return moved;
}

static void give_back(void *block) {
    if (block == NULL)
        return;
    atomic_fetch_sub(&live, 1);
    atomic_fetch_sub(&live_bytes, cost_of(block));
    free(block);
}

/* ------------------------------------------------------------ the library -- */

static void *library_alloc(size_t size, void *user) {
    (void)user;
    return take(ALLOC_LIBRARY, size);
}

static void *library_resize(void *block, size_t size, void *user) {
    (void)user;
    return retake(ALLOC_LIBRARY, block, size);
}

static void library_free(void *block, void *user) {
    (void)user;
    give_back(block);
}

#define ALLOCATOR                                                                                  \
    {                                                                                              \
        .struct_size = sizeof(bb_allocator), .alloc = library_alloc, .resize = library_resize,     \
        .free = library_free                                                                       \
    }

const bb_allocator *alloc_library(void) {
    static const bb_allocator allocator = ALLOCATOR;
    return &allocator;
}

/* The linker puts it in the place of bb_mem_default in programs that ask for that. */
extern const bb_allocator __wrap_bb_mem_default;
const bb_allocator __wrap_bb_mem_default = ALLOCATOR;

/* -------------------------------------------------------- cJSON, libcurl -- */

static void *cjson_malloc(size_t size) {
    return take(ALLOC_CJSON, size);
}

static void *curl_malloc(size_t size) {
    return take(ALLOC_CURL, size);
}

static void *curl_realloc(void *block, size_t size) {
    return retake(ALLOC_CURL, block, size);
}

static char *curl_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = take(ALLOC_CURL, size);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

static void *curl_calloc(size_t count, size_t size) {
    void *block = take(ALLOC_CURL, count * size);
    return block == NULL ? NULL : memset(block, 0, count * size);
}

void alloc_hook_others(void) {
    cJSON_Hooks hooks = {cjson_malloc, give_back};
    cJSON_InitHooks(&hooks);
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, give_back, curl_realloc, curl_strdup,
                             curl_calloc) != CURLE_OK)
        abort();
}

/* ---------------------------------------------------------------- OpenSSL -- */

static void *openssl_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return size == 0 || runs_out(ALLOC_OPENSSL, size) ? NULL : malloc(size);
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line) {
    (void)file, (void)line;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return runs_out(ALLOC_OPENSSL, size) ? NULL : realloc(block, size);
}

static void openssl_free(void *block, const char *file, int line) {
    (void)file, (void)line;
    free(block);
}

/* Algorithms that the library does not use, and the generator of random bytes. */
static void load_openssl(void) {
    unsigned char random;
    EVP_MD *digest = EVP_MD_fetch(NULL, "SHA1", NULL);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_PKEY_CTX *key = EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, NULL);
    if (digest == NULL || mac == NULL || key == NULL || RAND_bytes(&random, 1) != 1)
        abort();
    EVP_PKEY_CTX_free(key);
    EVP_MAC_free(mac);
    EVP_MD_free(digest);
}

void alloc_hook_openssl(void) {
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        abort();
    load_openssl();
}

/* ----------------------------------------------------------------- SQLite -- */

static void *sqlite_malloc(int size) {
    return take(ALLOC_SQLITE, (size_t)size);
}

static void *sqlite_realloc(void *block, int size) {
    return retake(ALLOC_SQLITE, block, (size_t)size);
}

static int sqlite_size(void *block) {
    return block == NULL ? 0 : (int)malloc_usable_size(block);
}

static int sqlite_round_up(int size) {
    return (size + 7) & ~7;
}

static int sqlite_begin(void *user) {
    (void)user;
    return SQLITE_OK;
}

static void sqlite_end(void *user) {
    (void)user;
}

/* Without memory that it keeps for later: each block that it wants counts. */
void alloc_hook_sqlite(void) {
    static const sqlite3_mem_methods methods = {
        sqlite_malloc,   give_back,    sqlite_realloc, sqlite_size,
        sqlite_round_up, sqlite_begin, sqlite_end,     NULL};
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
        sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK ||
        sqlite3_initialize() != SQLITE_OK)
        abort();
}

/* --------------------------------------------------------------- counting -- */

void alloc_begin(size_t nth, int and_after) {
    for (size_t i = 0; i < ALLOC_SOURCES; i++)
        atomic_store(&counts[i], 0);
    atomic_store(&total, 0);
    atomic_store(&bytes, 0);
    atomic_store(&failed, false);
    atomic_store(&fail_at, nth);
    atomic_store(&fail_after, and_after != 0);
    atomic_store(&counting, true);
}

size_t alloc_end(void) {
    atomic_store(&counting, false);
    return atomic_load(&total);
}

void alloc_resume(void) {
    atomic_store(&counting, true);
}

size_t alloc_count(alloc_source source) {
    return atomic_load(&counts[source]);
}

size_t alloc_bytes(void) {
    return atomic_load(&bytes);
}

int alloc_has_failed(void) {
    return atomic_load(&failed);
}

long alloc_live(void) {
    return atomic_load(&live);
}

long alloc_live_bytes(void) {
    return atomic_load(&live_bytes);
}

void alloc_peak_begin(void) {
    atomic_store(&peak_bytes, atomic_load(&live_bytes));
}

long alloc_peak_bytes(void) {
    return atomic_load(&peak_bytes);
}

/* ---------------------------------------------------------------- failing -- */

static char current[64]; /* what runs, while it does */

size_t alloc_scale(void) {
    const char *scale = getenv("BB_TEST_SCALE");
    long value = scale == NULL ? 1 : strtol(scale, NULL, 10);
    return value > 0 ? (size_t)value : 1;
}

/* A look-up in a thread of libcurl's outlives its transfer; it frees its memory in the end. */
static void wait_for_live(long expected) {
    enum { PATIENCE_MS = 20000 };
    struct timespec millisecond = {.tv_nsec = 1000000};
    for (int i = 0; i < PATIENCE_MS && alloc_live() != expected; i++)
        nanosleep(&millisecond, NULL);
}

static void run_failing(size_t nth, int and_after, void (*run)(void *user), void *user) {
    long before = alloc_live();
    alloc_begin(nth, and_after);
    run(user);
    alloc_end();
    wait_for_live(before);
    if (alloc_live() != before)
        fail_msg("%ld blocks were left behind", alloc_live() - before);
}

void alloc_fail_each(const char *what, size_t most, void (*run)(void *user), void *user) {
    snprintf(current, sizeof(current), "%s", what);
    alloc_begin(0, 0);
    run(user);
    size_t points = alloc_end(), taken = 0, by_source[ALLOC_SOURCES];
    for (size_t i = 0; i < ALLOC_SOURCES; i++)
        by_source[i] = alloc_count((alloc_source)i);
    size_t stride = most == 0 || points <= most ? 1 : (points + most - 1) / most;
    for (size_t nth = 1; nth <= points; nth += stride, taken++) {
        run_failing(nth, 0, run, user);
        run_failing(nth, 1, run, user);
    }
    print_message(
        "%s: %zu allocations (library %zu, cJSON %zu, libcurl %zu, OpenSSL %zu, SQLite %zu),"
        " %zu failed\n",
        what, points, by_source[ALLOC_LIBRARY], by_source[ALLOC_CJSON], by_source[ALLOC_CURL],
        by_source[ALLOC_OPENSSL], by_source[ALLOC_SQLITE], taken);
    current[0] = '\0';
}

int alloc_teardown(void **state) {
    (void)state;
    if (*current != '\0')
        print_error("%s: at allocation %zu%s\n", current, atomic_load(&fail_at),
                    fail_after ? " and after" : "");
    current[0] = '\0';
    alloc_end();
    return 0;
}
