/* Memory that is given back to the host's allocator holds no secret, no URL, no signature, and
 * nothing of an answer that repeats them. The allocator here looks at every block that comes back.
 */
#include "support/posting.h"
#include "support/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the URL, in every secret, in every header of the host; and what signatures begin with. */
static const char *const canaries[] = {"cAnArY", "v1,", "v1a,", "&sign=", "\"sign\":\""};
/* What the secret is once it is decoded. */
static const unsigned char raw_key[] = {0x70, 0x09, 0xc0, 0xad, 0x87, 0x00};

enum { HEAD = 64 };

static atomic_size_t leaks, blocks;
static atomic_bool is_looking = true;

/* What was made *** in a text for people is no longer there. */
static bool holds(const char *block, size_t size, const void *part, size_t length) {
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(block + i, part, length) == 0 &&
            (i + length == size || block[i + length] != '*'))
            return true;
    return false;
}

static void look_at(const char *block, size_t size) {
    atomic_fetch_add(&blocks, 1);
    for (size_t i = 0; i < sizeof canaries / sizeof *canaries; i++) {
        if (!holds(block, size, canaries[i], strlen(canaries[i])))
            continue;
        if (atomic_fetch_add(&leaks, 1) == 0)
            print_message("a block of %zu bytes comes back with %s\n", size, canaries[i]);
    }
    if (holds(block, size, raw_key, sizeof raw_key))
        atomic_fetch_add(&leaks, 1);
}

/* Zeroed, because what malloc hands out may be what libcurl has freed. */
static void *look_alloc(size_t size, void *user) {
    (void)user;
    char *block = calloc(1, HEAD + size);
    if (block == NULL)
        return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEAD;
}

static void look_free(void *block, void *user) {
    size_t size;
    (void)user;
    if (block == NULL)
        return;
    char *whole = (char *)block - HEAD;
    memcpy(&size, whole, sizeof size);
    if (atomic_load(&is_looking))
        look_at(block, size);
    free(whole);
}

static void *look_resize(void *block, size_t size, void *user) {
    size_t old = 0;
    char *made = look_alloc(size, user);
    if (made == NULL)
        return NULL;
    if (block != NULL) {
        memcpy(&old, (char *)block - HEAD, sizeof old);
        memcpy(made, block, old < size ? old : size);
    }
    look_free(block, user);
    return made;
}

static const bb_allocator looking = {
    .struct_size = sizeof(looking), .alloc = look_alloc, .resize = look_resize, .free = look_free};

static int begin_looking(void **state) {
    posting_open_world(state);
    bb_options options = posting_options();
    options.allocator = &looking;
    posting_use(*state, &options);
    atomic_store(&leaks, 0);
    atomic_store(&blocks, 0);
    return 0;
}

static int end_looking(void **state) {
    posting_close_world(state); /* which frees the dispatcher */
    assert_true(atomic_load(&blocks) > 3);
    assert_int_equal(atomic_load(&leaks), 0);
    return 0;
}

#define LOOKING(test) cmocka_unit_test_setup_teardown(test, begin_looking, end_looking)

/* ---- webhooks of every kind, full of canaries */

#define SECRET "whsec_cAnArYcAnArYcAnArYcAnArYcAnArYcA"

static bb_webhook secret_hook(bb_type type, const char *id, const char *base) {
    static char url[300];
    static const bb_header headers[] = {{"X-Api-Key", "cAnArYkey0123456789"}};
    static const char *const types[] = {"bug"};
    snprintf(url, sizeof url, "%s/robot/send/cAnArYpath?access_token=cAnArYquery&x=cAnArY", base);
    bb_webhook hook = posting_hook(type, id, url);
    bool is_signed = type == BB_DINGTALK || type == BB_FEISHU;
    hook.secret = type == BB_CUSTOM ? SECRET : is_signed ? "SECcAnArYsecret" : NULL;
    hook.previous_secret = type == BB_CUSTOM ? "cAnArYoldcAnArYoldcAnArYoldcAnAr" : NULL;
    hook.authorization = "Bearer cAnArYbearer";
    hook.headers = headers;
    hook.header_count = 1;
    hook.issue_types = type == BB_SLACK ? types : NULL;
    hook.issue_type_count = type == BB_SLACK ? 1 : 0;
    return hook;
}

static void add_each_kind(world *w) {
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        char id[16];
        snprintf(id, sizeof id, "hook-%d", type);
        bb_webhook hook = secret_hook(type, id, server_url(w->receiver, ""));
        bb_error error = BB_ERROR_INIT;
        hook.issue_types = NULL; /* each is to fire */
        hook.issue_type_count = 0;
        if (bb_dispatcher_add(w->dispatcher, &hook, &error) != BB_OK)
            fail_msg("%s", error.text);
    }
}

static void webhooks_that_are_removed_and_replaced_are_wiped(void **state) {
    world *w = *state;
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        bb_webhook hook = secret_hook(type, "hook", "http://127.0.0.1:9");
        assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
        assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_ERR_EXISTS);
        assert_int_equal(bb_dispatcher_replace(w->dispatcher, &hook, NULL), BB_OK);
        assert_int_equal(bb_dispatcher_remove(w->dispatcher, "hook", NULL), BB_OK);
    }
}

static void refused_webhooks_are_wiped(void **state) {
    world *w = *state;
    static const char *const urls[] = {"ftp://h.example/cAnArY", "https://h.example:99999/cAnArY",
                                       "https://u:cAnArY@h.example/", "cAnArY",
                                       "https://h.example/a b/cAnArY"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        bb_webhook hook = secret_hook(BB_CUSTOM, "hook", "https://h.example");
        hook.url = urls[i];
        assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_ERR_URL);
    }
    bb_webhook hook = secret_hook(BB_CUSTOM, "hook", "https://h.example");
    hook.secret = "whsec_cAnArY!";
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_ERR_WEBHOOK);
}

static void requests_are_wiped(void **state) {
    (void)state;
    bb_options options = posting_options();
    options.allocator = &looking;
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        bb_webhook hook = secret_hook(type, "hook", "http://127.0.0.1:9");
        bb_request *request = NULL;
        bb_error error = BB_ERROR_INIT;
        if (bb_webhook_prepare(&options, &hook, posting_event(), NULL, &request, &error) != BB_OK)
            fail_msg("%s", error.text);
        bb_request_free(request);
    }
}

/* ---- deliveries: also where the receiver repeats all that it was sent */

static void post_and_deliver(world *w) {
    bb_report *report = posting_send(w->dispatcher);
    assert_int_equal(bb_report_count(report), 7);
    bb_report_free(report);
    assert_int_equal(bb_webhook_test(w->dispatcher, "hook-7", NULL, NULL), BB_OK);
    assert_int_equal(bb_webhook_enqueue(w->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    bb_dispatcher_flush(w->dispatcher, 2000, NULL);
}

static void deliver_each_kind(world *w, server_step step) {
    server_on(w->receiver, NULL, &step, 1);
    add_each_kind(w);
    post_and_deliver(w);
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++) {
        char id[16];
        snprintf(id, sizeof id, "hook-%d", type);
        assert_int_equal(bb_dispatcher_remove(w->dispatcher, id, NULL), BB_OK);
    }
    assert_true(server_requests(w->receiver) >= 15);
}

static void deliveries_are_wiped(void **state) {
    deliver_each_kind(*state, (server_step){.status = 200, .body = "{\"code\":0}"});
}

static void an_answer_that_repeats_everything_is_wiped(void **state) {
    static char filler[20000];
    memset(filler, 'f', sizeof filler - 1);
    deliver_each_kind(*state, (server_step){.status = 400,
                                            .headers = "X-Echo: cAnArYheader\r\n",
                                            .body = "{\"code\":1,\"message\":\"cAnArY",
                                            .echo = SERVER_ECHO_PLAIN,
                                            .tail = "\"}"});
    /* one that outgrows every buffer after the secret has come */
    deliver_each_kind(
        *state,
        (server_step){.status = 400, .body = "cAnArY ", .echo = SERVER_ECHO_PLAIN, .tail = filler});
}

static void failures_are_wiped(void **state) {
    deliver_each_kind(*state, (server_step){.raw = "cAnArY v1,\r\n", .end = SERVER_CLOSE});
}

/* ---- what the host's callback gives */

static int give(void *user, const char *webhook_id, bb_credentials *given) {
    const bb_webhook *hook = user;
    (void)webhook_id;
    given->url = hook->url;
    given->secret = hook->secret;
    given->previous_secret = hook->previous_secret;
    given->authorization = hook->authorization;
    return 0;
}

static void what_a_callback_gives_is_wiped(void **state) {
    world *w = *state;
    bb_options options = posting_options();
    bb_webhook whole = secret_hook(BB_CUSTOM, "hook", server_url(w->receiver, ""));
    bb_webhook hook = posting_hook(BB_CUSTOM, "hook", NULL);
    server_step step = {.status = 400, .body = "cAnArY ", .echo = SERVER_ECHO_PLAIN};
    bb_request *request = NULL;
    server_on(w->receiver, NULL, &step, 1);
    options.allocator = &looking;
    options.credentials = give;
    options.credentials_user = &whole;
    posting_use(w, &options);
    assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, NULL), BB_OK);
    assert_int_equal(bb_webhook_prepare(&options, &hook, posting_event(), NULL, &request, NULL),
                     BB_OK);
    bb_request_free(request);
    assert_int_equal(posting_send_one(w->dispatcher, "hook")->outcome->verdict, BB_DEAD);
    assert_int_equal(bb_webhook_enqueue(w->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    bb_dispatcher_flush(w->dispatcher, PATIENCE_MS, NULL);
    assert_int_equal(server_requests(w->receiver), 2);
    whole.url = "ftp://h.example/cAnArY"; /* and what may not be used */
    assert_int_equal(posting_send_one(w->dispatcher, "hook")->outcome->verdict, BB_RETRY);
}

/* ---- the test itself */

static void a_block_with_a_secret_would_be_found(void **state) {
    (void)state;
    char *block = look_alloc(100, NULL);
    strcpy(block + 60, "cAnArY");
    block = look_resize(block, 200, NULL);
    assert_int_equal(atomic_load(&leaks), 1);
    block[61] = 'x';
    memcpy(block + 193, raw_key, sizeof raw_key);
    look_free(block, NULL);
    assert_int_equal(atomic_load(&leaks), 2);
    atomic_store(&leaks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_with_a_secret_would_be_found),
        LOOKING(webhooks_that_are_removed_and_replaced_are_wiped),
        LOOKING(refused_webhooks_are_wiped),
        LOOKING(requests_are_wiped),
        LOOKING(deliveries_are_wiped),
        LOOKING(an_answer_that_repeats_everything_is_wiped),
        LOOKING(failures_are_wiped),
        LOOKING(what_a_callback_gives_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
