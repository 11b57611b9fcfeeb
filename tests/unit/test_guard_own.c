/* This host's own addresses, which getifaddrs tells: here the test's, in front of the C library's.
 * So does the monotonic clock, for the minute after which they are read again. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "support/log.h"
#include "support/posting.h"
#include "support/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "driver/http_guard.h"

/* ---- the machine */

enum { OWN_MAX = 8 };

static const char *own[OWN_MAX]; /* up to a NULL */
static int fails;
static atomic_size_t readings;
static atomic_int later_s;

struct told_address {
    struct ifaddrs face;
    union {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
};

static void fill_in(struct told_address *one, const char *text) {
    one->face.ifa_addr = (struct sockaddr *)&one->address;
    if (strchr(text, ':')) {
        one->address.v6.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &one->address.v6.sin6_addr), 1);
    } else {
        one->address.v4.sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &one->address.v4.sin_addr), 1);
    }
}

int getifaddrs(struct ifaddrs **all) {
    struct told_address *list = calloc(OWN_MAX, sizeof *list);
    atomic_fetch_add(&readings, 1);
    if (fails || !list) {
        free(list);
        errno = ENOMEM;
        return -1;
    }
    list[0].face.ifa_name = NULL; /* an interface without an address */
    for (int i = 0; i + 1 < OWN_MAX && own[i]; i++) {
        list[i].face.ifa_next = &list[i + 1].face;
        fill_in(&list[i + 1], own[i]);
    }
    *all = &list->face;
    return 0;
}

void freeifaddrs(struct ifaddrs *all) {
    free(all);
}

typedef int (*clock_gettime_fn)(clockid_t, struct timespec *);

int clock_gettime(clockid_t id, struct timespec *time) {
    clock_gettime_fn real;
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, time);
    if (code == 0 && id == CLOCK_MONOTONIC)
        time->tv_sec += atomic_load(&later_s);
    return code;
}

static void have(const char *one, const char *other) {
    own[0] = one;
    own[1] = one ? other : NULL;
    own[2] = NULL;
}

/* ---- tests */

static const char *judge(struct bb_http_guard *guard, bool allow_private, const char *text) {
    struct bb_address address;
    assert_true(bb_address_read(&address, text, strlen(text)));
    return bb_http_guard_judge(guard, allow_private, &address);
}

static void the_host_s_own_addresses_are_refused(void **state) {
    (void)state;
    have("8.8.4.4", "2a00::77");
    struct bb_http_guard *guard = bb_http_guard_new(&bb_mem_default, NULL);
    assert_string_equal(judge(guard, false, "8.8.4.4"), "this host's own");
    assert_string_equal(judge(guard, false, "2a00::77"), "this host's own");
    assert_string_equal(judge(guard, false, "::ffff:8.8.4.4"), "this host's own");
    assert_null(judge(guard, true, "8.8.4.4"));
    assert_null(judge(guard, false, "8.8.4.5"));
    bb_http_guard_free(guard);
}

static void an_address_that_the_host_gets_is_known_a_minute_later(void **state) {
    (void)state;
    have("8.8.4.4", NULL);
    struct bb_http_guard *guard = bb_http_guard_new(&bb_mem_default, NULL);
    size_t first = atomic_load(&readings);
    have("8.8.8.8", NULL);
    assert_null(judge(guard, false, "8.8.8.8"));
    assert_int_equal(atomic_load(&readings), first); /* not read for each request */
    atomic_fetch_add(&later_s, 61);
    assert_string_equal(judge(guard, false, "8.8.8.8"), "this host's own");
    assert_null(judge(guard, false, "8.8.4.4"));
    assert_int_equal(atomic_load(&readings), first + 1);
    bb_http_guard_free(guard);
}

static void those_that_are_known_stay_when_they_cannot_be_read(void **state) {
    (void)state;
    have("8.8.4.4", NULL);
    struct bb_http_guard *guard = bb_http_guard_new(&bb_mem_default, NULL);
    fails = 1;
    atomic_fetch_add(&later_s, 61);
    assert_string_equal(judge(guard, false, "8.8.4.4"), "this host's own");
    fails = 0;
    bb_http_guard_free(guard);
}

static void a_name_that_leads_to_the_host_itself_is_refused(void **state) {
    world *w = *state;
    have("8.8.4.4", NULL);
    bb_options options = posting_guarded_options();
    log_into(&options);
    posting_use(w, &options);
    resolve_to("self.example", "8.8.4.4", server_port(w->receiver));
    posting_add(w->dispatcher, BB_CUSTOM, "tenant",
                posting_url_at(w->receiver, "http", "self.example"));
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "tenant");
    posting_assert_row(row, BB_DEAD, 0);
    assert_null(strstr(row->outcome->text, "8.8.4.4"));
    assert_true(log_has("tenant", "8.8.4.4 (this host's own)"));
    assert_int_equal(server_connections(w->receiver), 0);
}

static void the_address_itself_is_refused_when_it_is_added(void **state) {
    world *w = *state;
    bb_error error = BB_ERROR_INIT;
    have("8.8.4.4", NULL);
    bb_options options = posting_guarded_options();
    posting_use(w, &options);
    bb_webhook hook = posting_hook(BB_CUSTOM, "tenant", "https://134743044/hook");
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, &error), BB_ERR_URL);
    assert_non_null(strstr(error.text, "this host's own"));
    hook.url = "https://8.8.8.8/hook";
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, &error), BB_OK);
}

static int close_names_and_world(void **state) {
    resolve_forget();
    return posting_close_world(state);
}

#define WITH_RECEIVER(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, posting_open_world, close_names_and_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_s_own_addresses_are_refused),
        cmocka_unit_test(an_address_that_the_host_gets_is_known_a_minute_later),
        cmocka_unit_test(those_that_are_known_stay_when_they_cannot_be_read),
        WITH_RECEIVER(a_name_that_leads_to_the_host_itself_is_refused),
        WITH_RECEIVER(the_address_itself_is_refused_when_it_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
