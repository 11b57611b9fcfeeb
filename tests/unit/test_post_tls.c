/* TLS: connections that are kept, and the products at their real URLs. Whom nobody trusts, and what
 * a handshake may cost: test_hostile_receivers. */
#include "support/posting.h"
#include "support/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 600, SLACK_MS = 10000 };

static int close_names_and_world(void **state) {
    resolve_forget();
    return posting_close_world(state);
}

static const bb_attempt_report *post_in_vain(world *w, bb_verdict verdict) {
    return posting_send_in_vain(w, verdict, LIMIT_MS + SLACK_MS);
}

/* A dispatcher that trusts the certificate of `trusted`. */
static void trust(world *w, const server *trusted) {
    bb_options options = posting_options();
    options.connect_timeout_ms = LIMIT_MS * 10;
    options.ca_file = server_ca_file(trusted);
    posting_use(w, &options);
}

/* The operator's mistake, not the receiver's: told so, and nothing is sent. */
static void a_bundle_that_cannot_be_read_trusts_nobody(void **state) {
    world *w = *state;
    server *receiver = server_start(&(server_options){.tls_names = "IP:127.0.0.1"});
    bb_options options = posting_options();
    options.ca_file = "/nonexistent/bundle.pem";
    posting_use(w, &options);
    posting_add(w->dispatcher, BB_SLACK, "hook", server_url(receiver, "/hook"));
    const bb_attempt_report *row = post_in_vain(w, BB_RETRY);
    assert_non_null(strstr(row->outcome->text, "(ca_file) could not be read"));
    assert_int_equal(server_requests(receiver), 0);
    server_stop(receiver);
}

static void connections_over_tls_are_kept_between_posts(void **state) {
    world *w = *state;
    server *receiver = server_start(&(server_options){.tls_names = "IP:127.0.0.1"});
    server_on(receiver, "/hook", STEPS({.status = 200, .body = "ok"}));
    trust(w, receiver);
    posting_add(w->dispatcher, BB_SLACK, "hook", server_url(receiver, "/hook"));
    for (int i = 0; i < 5; i++) {
        const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
        posting_assert_row(row, BB_DELIVERED, 1);
        assert_int_equal(row->tls_us > 0, i == 0);
    }
    assert_int_equal(server_connections(receiver), 1);
    server_stop(receiver);
}

static void a_kept_connection_over_tls_that_dies_is_one_post(void **state) {
    world *w = *state;
    server *receiver = server_start(&(server_options){.tls_names = "IP:127.0.0.1"});
    server_on(
        receiver, "/hook",
        STEPS({.status = 200, .body = "ok"}, {.end = SERVER_CLOSE}, {.status = 200, .body = "ok"}));
    trust(w, receiver);
    posting_add(w->dispatcher, BB_SLACK, "hook", server_url(receiver, "/hook"));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_UNKNOWN, 1);
    assert_int_equal(server_requests(receiver), 2);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_int_equal(server_requests(receiver), 3);
    server_stop(receiver);
}

static void an_offer_of_http2_that_is_not_taken_does_no_harm(void **state) {
    world *w = *state;
    server *receiver = server_start(&(server_options){.tls_names = "IP:127.0.0.1"});
    server_on(receiver, "/hook", STEPS({.status = 200, .body = "ok"}));
    bb_options options = posting_options();
    options.ca_file = server_ca_file(receiver);
    options.http2 = 1;
    posting_use(w, &options);
    posting_add(w->dispatcher, BB_SLACK, "hook", server_url(receiver, "/hook"));
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    assert_string_equal(server_request_at(receiver, 0)->version, "HTTP/1.1");
    server_stop(receiver);
}

/* ------------------------------------------------------------- real hosts -- */

typedef struct product {
    bb_type type;
    const char *name;
    const char *url;
    const char *host;   /* as the Host header has it */
    const char *target; /* NULL: the URL's own */
} product;

static const product products[] = {
    {BB_SLACK, "hooks.slack.com", "https://hooks.slack.com/services/T1/B1/x", "hooks.slack.com",
     "/services/T1/B1/x?"},
    {BB_SLACK, "hooks.slack-gov.com", "https://HOOKS.slack-gov.com:443/services/T1/B1/x",
     "hooks.slack-gov.com", "/services/T1/B1/x?"},
    {BB_DISCORD, "discord.com", "https://discord.com/api/webhooks/123456789012345678/token",
     "discord.com", "/api/v10/webhooks/123456789012345678/token?wait=true"},
    {BB_TEAMS, "prod-01.westus.logic.azure.com",
     "https://prod-01.westus.logic.azure.com:443/workflows/w/triggers/manual/paths/"
     "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s",
     "prod-01.westus.logic.azure.com",
     "/workflows/w/triggers/manual/paths/"
     "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s"},
    {BB_DINGTALK, "oapi.dingtalk.com", "https://oapi.dingtalk.com/robot/send?access_token=t",
     "oapi.dingtalk.com", "/robot/send?access_token=t"},
    {BB_FEISHU, "open.feishu.cn", "https://open.feishu.cn/open-apis/bot/v2/hook/h",
     "open.feishu.cn", "/open-apis/bot/v2/hook/h?"},
    {BB_FEISHU, "open.larksuite.com", "https://open.larksuite.com/open-apis/bot/v2/hook/h",
     "open.larksuite.com", "/open-apis/bot/v2/hook/h?"},
    {BB_WECOM, "qyapi.weixin.qq.com", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k",
     "qyapi.weixin.qq.com", "/cgi-bin/webhook/send?key=k"},
};
enum { PRODUCTS = sizeof(products) / sizeof(products[0]) };

static server *start_products(void) {
    char names[1024] = "DNS:example.com";
    for (size_t i = 0; i < PRODUCTS; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, ",DNS:%s", products[i].name);
    }
    server *receiver = server_start(&(server_options){.tls_names = names});
    for (size_t i = 0; i < PRODUCTS; i++) {
        char address[32];
        snprintf(address, sizeof(address), "1.2.3.%zu", i + 1);
        resolve_to(products[i].name, address, server_port(receiver));
    }
    return receiver;
}

static void add_product(bb_dispatcher *dispatcher, const product *p) {
    bb_webhook hook = posting_hook(p->type, p->name, p->url);
    hook.allow_any_host = 0;
    bb_error error = BB_ERROR_INIT;
    if (bb_dispatcher_add(dispatcher, &hook, &error) != BB_OK)
        fail_msg("%s: %s", p->name, error.text);
}

static const server_request *request_of_host(server *receiver, const char *host) {
    const server_request *request = NULL;
    for (size_t i = 0; (request = server_request_at(receiver, i)) != NULL; i++) {
        if (strcmp(server_header(request, "Host"), host) == 0)
            return request;
    }
    fail_msg("no request for %s", host);
    return NULL;
}

/* Without an insecure switch: by name, over TLS, to addresses that are not private. */
static void every_product_is_reached_at_its_real_url(void **state) {
    world *w = *state;
    server *receiver = start_products();
    bb_options options = BB_OPTIONS_INIT;
    options.ca_file = server_ca_file(receiver);
    posting_use(w, &options);
    for (size_t i = 0; i < PRODUCTS; i++) {
        char path[200];
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(products[i].target, "?"),
                 products[i].target);
        server_step yes = posting_success(products[i].type);
        server_on(receiver, path, &yes, 1);
        add_product(w->dispatcher, &products[i]);
    }
    bb_report *report = posting_send(w->dispatcher);
    for (size_t i = 0; i < PRODUCTS; i++) {
        posting_assert_row(bb_report_row(report, i), BB_DELIVERED, 1);
        const server_request *request = request_of_host(receiver, products[i].host);
        char target[400];
        snprintf(target, sizeof(target), "%s?%s", request->path, request->query);
        assert_string_equal(target, products[i].target);
    }
    bb_report_free(report);
    assert_int_equal(server_requests(receiver), PRODUCTS);
    server_stop(receiver);
}

#define WITH_NAMES(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, posting_open_world, close_names_and_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_NAMES(a_bundle_that_cannot_be_read_trusts_nobody),
        WITH_NAMES(connections_over_tls_are_kept_between_posts),
        WITH_NAMES(a_kept_connection_over_tls_that_dies_is_one_post),
        WITH_NAMES(an_offer_of_http2_that_is_not_taken_does_no_harm),
        WITH_NAMES(every_product_is_reached_at_its_real_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
