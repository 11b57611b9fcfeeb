/* TLS by a webhook's own settings: client certificates, pinned keys, authorities; that webhooks in
 * which they differ share neither connections nor sessions, and that nothing is older than TLS 1.2.
 * Each by a post and in the background. */
#include "support/certificate.h"
#include "support/log.h"
#include "support/posting.h"
#include "support/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

static char folder[64];
static char alice[96], alice_key[96], bob[96], bob_key[96], both[96], nobody[96], locked[96];

static void append(const char *from, const char *to) {
    char bytes[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "a");
    assert_non_null(in);
    assert_non_null(out);
    size_t n = fread(bytes, 1, sizeof bytes, in);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static const char *in_folder(char path[96], const char *name) {
    snprintf(path, 96, "%s/%s", folder, name);
    return path;
}

static int make_files(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/bb_identity_XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_true(certificate_files("alice", in_folder(alice, "alice.pem"),
                                  in_folder(alice_key, "alice.key"), NULL));
    assert_true(certificate_files("bob", in_folder(bob, "bob.pem"), in_folder(bob_key, "bob.key"),
                                  "s3cret"));
    append(alice, in_folder(both, "both.pem"));
    append(bob, both);
    append(alice, in_folder(locked, "whole.pem"));
    append(alice_key, locked);
    in_folder(nobody, "nobody.pem");
    return 0;
}

static int remove_files(void **state) {
    const char *const all[] = {alice, alice_key, bob, bob_key, both, locked};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        unlink(all[i]);
    return rmdir(folder);
}

/* ---- a receiver, and both ways to it */

static server *start(int most, const char *client_ca) {
    server_step yes = posting_success(BB_CUSTOM);
    server *receiver = server_start(
        &(server_options){.tls_names = "IP:127.0.0.1", .client_ca = client_ca, .tls_most = most});
    server_on(receiver, "/hook", &yes, 1);
    server_on(receiver, "/other", &yes, 1);
    return receiver;
}

static void use(world *w, const char *ca_file, const proxy *way) {
    bb_options options = posting_options();
    bb_egress egress = BB_EGRESS_INIT;
    egress.proxy = way ? proxy_url(way) : NULL;
    options.egress = &egress;
    options.ca_file = ca_file;
    log_into(&options);
    posting_use(w, &options);
}

static bb_webhook hook_to(server *receiver, const char *id) {
    static char urls[4][100];
    static size_t next;
    char *url = urls[next++ % 4];
    snprintf(url, sizeof urls[0], "https://127.0.0.1:%d/%s", server_port(receiver), id);
    bb_webhook hook = posting_hook(BB_CUSTOM, id, url);
    hook.no_rate = 1;
    hook.max_attempts = 1;
    return hook;
}

static bb_webhook with_certificate(bb_webhook hook, const char *certificate, const char *key,
                                   const char *password) {
    hook.client_certificate = certificate;
    hook.client_key = key;
    hook.client_key_password = password;
    return hook;
}

static void set(world *w, const bb_webhook *hook) {
    bb_error error = BB_ERROR_INIT;
    bb_dispatcher_remove(w->dispatcher, hook->id, NULL);
    if (bb_dispatcher_add(w->dispatcher, hook, &error) != BB_OK)
        fail_msg("%s", error.text);
}

static void enqueue(world *w) {
    assert_int_equal(bb_webhook_enqueue(w->dispatcher, posting_event(), NULL, NULL, NULL), BB_OK);
    assert_int_equal(bb_dispatcher_flush(w->dispatcher, PATIENCE_MS, NULL), BB_OK);
}

/* Delivered by both; by whom, as the receiver saw it. */
static void assert_delivered_as(world *w, server *receiver, const char *client) {
    size_t before = server_requests(receiver);
    posting_assert_row(posting_send_one(w->dispatcher, "hook"), BB_DELIVERED, 1);
    enqueue(w);
    assert_int_equal(server_requests(receiver), before + 2);
    for (size_t i = before; i < before + 2; i++)
        assert_string_equal(server_request_at(receiver, i)->client, client);
}

/* A retry that needs the operator, by both, with these words and without a secret. */
static void assert_fails(world *w, server *receiver, const char *words) {
    size_t before = server_requests(receiver), lines = log_count(words);
    const bb_attempt_report *row = posting_send_one(w->dispatcher, "hook");
    if (row->outcome->verdict != BB_RETRY || !strstr(row->outcome->text, words))
        fail_msg("not \"%s\": %s", words, row->outcome->text);
    assert_null(strstr(row->outcome->text, "s3cret"));
    assert_null(strstr(row->outcome->text, folder));
    enqueue(w);
    assert_int_equal(log_count(words), lines + 2);
    assert_false(log_has("s3cret", ""));
    assert_int_equal(server_requests(receiver), before);
}

/* ---- client certificates */

static void a_client_certificate_is_shown(void **state) {
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    world *w = *state;
    for (size_t i = 0; i < 2; i++) {
        server *receiver = start(versions[i], both);
        use(w, server_ca_file(receiver), NULL);
        bb_webhook plain = hook_to(receiver, "hook");
        bb_webhook hook = with_certificate(plain, alice, alice_key, NULL);
        set(w, &hook);
        assert_delivered_as(w, receiver, "alice");
        hook = with_certificate(plain, locked, "", "");
        set(w, &hook);
        assert_delivered_as(w, receiver, "alice");
        hook = with_certificate(plain, bob, bob_key, "s3cret");
        set(w, &hook);
        assert_delivered_as(w, receiver, "bob");
        server_stop(receiver);
    }
}

/* With TLS 1.3 the request has been sent by then, but nobody has read it. */
static void a_receiver_that_wants_a_certificate_says_so(void **state) {
    world *w = *state;
    for (int is_new = 0; is_new <= 1; is_new++) {
        server *receiver = start(is_new ? TLS1_3_VERSION : TLS1_2_VERSION, alice);
        use(w, server_ca_file(receiver), NULL);
        bb_webhook hook = hook_to(receiver, "hook");
        set(w, &hook);
        assert_fails(w, receiver,
                     is_new ? "it refused the request unread: it wants a client certificate"
                            : "no TLS session");
        hook = with_certificate(hook, bob, bob_key, "s3cret");
        set(w, &hook);
        assert_fails(w, receiver,
                     is_new ? "it refused the request unread: it wants a client certificate"
                            : "no TLS session");
        server_stop(receiver);
    }
}

static void a_certificate_that_cannot_be_used_is_told(void **state) {
    world *w = *state;
    server *receiver = start(0, NULL);
    use(w, server_ca_file(receiver), NULL);
    const struct {
        const char *certificate, *key, *password;
    } cases[] = {{nobody, alice_key, NULL},   {alice, nobody, NULL},        {alice, NULL, NULL},
                 {alice, bob_key, "s3cret"},  {bob, bob_key, "not s3cret"}, {bob, bob_key, NULL},
                 {bob_key, bob_key, "s3cret"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bb_webhook hook = with_certificate(hook_to(receiver, "hook"), cases[i].certificate,
                                           cases[i].key, cases[i].password);
        set(w, &hook);
        assert_fails(w, receiver, "not sent: its client certificate or key (client_certificate");
        assert_int_equal(posting_send_one(w->dispatcher, "hook")->outcome->advice,
                         BB_ADVICE_OPERATOR);
    }
    bb_webhook hook = hook_to(receiver, "hook"); /* the next one is not harmed */
    set(w, &hook);
    assert_delivered_as(w, receiver, "");
    server_stop(receiver);
}

/* ---- apart */

static void send_to_both(world *w) {
    bb_report *report = posting_send(w->dispatcher);
    posting_assert_row(posting_row(report, "hook"), BB_DELIVERED, 1);
    posting_assert_row(posting_row(report, "other"), BB_DELIVERED, 1);
    bb_report_free(report);
    enqueue(w);
}

/* Kept connections, and once these are closed, kept sessions. */
static void webhooks_with_different_certificates_share_nothing(void **state) {
    enum { TIMES = 4 };
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    world *w = *state;
    for (size_t i = 0; i < 4; i++) {
        server *receiver = start(versions[i / 2], both);
        use(w, server_ca_file(receiver), NULL);
        server_step yes = posting_success(BB_CUSTOM);
        if (i % 2)
            yes.headers = "Content-Type: application/json\r\nConnection: close\r\n";
        yes.end = i % 2 ? SERVER_CLOSE : SERVER_KEEP;
        server_on(receiver, "/hook", &yes, 1);
        server_on(receiver, "/other", &yes, 1);
        bb_webhook hook = with_certificate(hook_to(receiver, "hook"), alice, alice_key, NULL),
                   other = with_certificate(hook_to(receiver, "other"), bob, bob_key, "s3cret");
        set(w, &hook);
        set(w, &other);
        for (int n = 0; n < TIMES; n++)
            send_to_both(w);
        size_t resumed = 0;
        for (size_t n = 0; n < 4 * TIMES; n++) {
            const server_request *request = server_request_at(receiver, n);
            const char *client = strcmp(request->path, "/hook") == 0 ? "alice" : "bob";
            assert_string_equal(request->client, client);
            resumed += request->resumed != 0;
        }
        if (i % 2) /* else this test would not show anything */
            assert_true(resumed > 0);
        else
            assert_int_equal(server_connections(receiver), 4);
        server_stop(receiver);
    }
}

/* libcurl tells connections apart by the certificate alone. */
static void one_with_another_key_or_password_does_not_borrow_a_connection(void **state) {
    world *w = *state;
    server *receiver = start(0, both);
    use(w, server_ca_file(receiver), NULL);
    bb_webhook hook = with_certificate(hook_to(receiver, "other"), bob, bob_key, "s3cret");
    set(w, &hook);
    posting_assert_row(posting_send_one(w->dispatcher, "other"), BB_DELIVERED, 1);
    enqueue(w);
    bb_dispatcher_remove(w->dispatcher, "other", NULL);
    hook = with_certificate(hook_to(receiver, "other"), bob, bob_key, "not it");
    hook.id = hook.name = "hook";
    set(w, &hook);
    assert_fails(w, receiver, "not sent: its client certificate or key");
    hook = with_certificate(hook, bob, alice_key, NULL);
    set(w, &hook);
    assert_fails(w, receiver, "not sent: its client certificate or key");
    server_stop(receiver);
}

static void one_without_a_certificate_does_not_borrow_one(void **state) {
    world *w = *state;
    server *receiver = start(0, alice);
    use(w, server_ca_file(receiver), NULL);
    bb_webhook hook = with_certificate(hook_to(receiver, "other"), alice, alice_key, NULL);
    set(w, &hook);
    posting_assert_row(posting_send_one(w->dispatcher, "other"), BB_DELIVERED, 1);
    enqueue(w);
    bb_dispatcher_remove(w->dispatcher, "other", NULL);
    hook = hook_to(receiver, "hook");
    set(w, &hook);
    assert_fails(w, receiver, "it wants a client certificate");
    server_stop(receiver);
}

/* ---- whom the webhook trusts */

static void a_pinned_key_must_be_the_receivers(void **state) {
    static const char wrong[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    world *w = *state;
    char pin[64], pins[128];
    server *receiver = start(0, NULL);
    assert_true(certificate_pin(server_ca_file(receiver), pin));
    snprintf(pins, sizeof pins, "%s;%s", wrong, pin);
    use(w, server_ca_file(receiver), NULL);
    bb_webhook hook = hook_to(receiver, "hook");
    set(w, &hook);
    assert_delivered_as(w, receiver, ""); /* connections that one with a pin must not use */
    hook.pinned_key = wrong;
    set(w, &hook);
    assert_fails(w, receiver,
                 "its certificate was not accepted: its key is not the pinned one (pinned_key)");
    assert_int_equal(posting_send_one(w->dispatcher, "hook")->outcome->advice, BB_ADVICE_OPERATOR);
    hook.pinned_key = pin;
    set(w, &hook);
    assert_delivered_as(w, receiver, "");
    hook.pinned_key = pins;
    set(w, &hook);
    assert_delivered_as(w, receiver, "");
    server_stop(receiver);
}

/* A pin is no trust: its certificate must be good as well. */
static void a_pinned_key_needs_a_good_certificate(void **state) {
    world *w = *state;
    char pin[64];
    server *receiver = start(0, NULL), *trusted = start(0, NULL);
    assert_true(certificate_pin(server_ca_file(receiver), pin));
    use(w, server_ca_file(trusted), NULL);
    bb_webhook hook = hook_to(receiver, "hook");
    hook.pinned_key = pin;
    set(w, &hook);
    assert_fails(w, receiver, "its certificate was not accepted");
    server_stop(receiver);
    server_stop(trusted);
}

static void a_webhook_may_have_authorities_of_its_own(void **state) {
    world *w = *state;
    server *receiver = start(0, NULL), *trusted = start(0, NULL);
    use(w, server_ca_file(trusted), NULL);
    bb_webhook hook = hook_to(receiver, "hook");
    hook.ca_file = server_ca_file(receiver);
    set(w, &hook);
    assert_delivered_as(w, receiver, "");
    hook.ca_file = NULL; /* neither does the other find its connection, nor its trust */
    set(w, &hook);
    assert_fails(w, receiver, "its certificate was not accepted");
    hook = hook_to(trusted, "hook");
    set(w, &hook);
    assert_delivered_as(w, trusted, "");
    hook.ca_file = server_ca_file(receiver);
    set(w, &hook);
    assert_fails(w, trusted, "its certificate was not accepted");
    hook.ca_file = nobody;
    set(w, &hook);
    assert_fails(w, trusted, "not sent: its own bundle of trusted authorities");
    server_stop(receiver);
    server_stop(trusted);
}

/* ---- through a proxy, and old versions */

static void they_hold_through_a_proxy_too(void **state) {
    world *w = *state;
    for (int tls = 0; tls <= 1; tls++) {
        server *receiver = start(0, both);
        proxy *way = proxy_start(&(proxy_options){.tls_names = tls ? "IP:127.0.0.1" : NULL,
                                                  .to_port = server_port(receiver)});
        use(w, tls ? proxy_ca_file(way) : server_ca_file(receiver), way);
        bb_webhook hook = with_certificate(hook_to(receiver, "hook"), alice, alice_key, NULL);
        hook.ca_file = tls ? server_ca_file(receiver) : NULL;
        set(w, &hook);
        assert_delivered_as(w, receiver, "alice");
        hook = with_certificate(hook, bob, bob_key, "s3cret");
        set(w, &hook);
        assert_delivered_as(w, receiver, "bob");
        proxy_stop(way);
        server_stop(receiver);
    }
}

/* One that would have anything. */
static int old_client_is_served(const server *receiver) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server_port(receiver)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL *ssl = SSL_new(context);
    int served = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && SSL_set_fd(ssl, fd) &&
                 SSL_connect(ssl) == 1;
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return served;
}

static void nothing_is_older_than_tls_1_2(void **state) {
    world *w = *state;
    server *old = start(TLS1_1_VERSION, NULL);
    use(w, server_ca_file(old), NULL);
    bb_webhook hook = hook_to(old, "hook");
    set(w, &hook);
    assert_fails(w, old, "no TLS session");
    assert_true(old_client_is_served(old));
    server_stop(old);
    server *receiver = start(TLS1_2_VERSION, NULL);
    use(w, server_ca_file(receiver), NULL);
    hook = hook_to(receiver, "hook");
    set(w, &hook);
    assert_delivered_as(w, receiver, "");
    server_stop(receiver);
}

/* ---- mistakes */

static void a_mistake_is_told_when_it_is_added(void **state) {
    static const struct {
        bb_webhook hook;
        const char *words;
    } cases[] = {
        {{.client_key = "key.pem"}, "client_key: is given without client_certificate"},
        {{.client_key_password = "s3cret"}, "client_key_password: is given without"},
        {{.pinned_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "pinned_key: is not"},
        {{.pinned_key = "sha256//AAAA="}, "pinned_key: is not sha256//"},
        {{.pinned_key = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;"}, "pinned_key: "},
        {{.url = "http://127.0.0.1/", .client_certificate = "a.pem"}, "are for https only"},
        {{.url = "http://127.0.0.1/", .ca_file = "a.pem"}, "are for https only"},
    };
    world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bb_webhook hook = cases[i].hook,
                   usual = posting_hook(BB_CUSTOM, "hook", "https://a.example/");
        bb_error error = BB_ERROR_INIT;
        hook.struct_size = sizeof hook;
        hook.id = usual.id;
        hook.type = usual.type;
        hook.url = hook.url ? hook.url : usual.url;
        assert_int_equal(bb_dispatcher_add(w->dispatcher, &hook, &error), BB_ERR_WEBHOOK);
        if (!strstr(error.text, cases[i].words) || strstr(error.text, "s3cret"))
            fail_msg("not \"%s\": %s", cases[i].words, error.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_client_certificate_is_shown),
        WITH_WORLD(a_receiver_that_wants_a_certificate_says_so),
        WITH_WORLD(a_certificate_that_cannot_be_used_is_told),
        WITH_WORLD(webhooks_with_different_certificates_share_nothing),
        WITH_WORLD(one_with_another_key_or_password_does_not_borrow_a_connection),
        WITH_WORLD(one_without_a_certificate_does_not_borrow_one),
        WITH_WORLD(a_pinned_key_must_be_the_receivers),
        WITH_WORLD(a_pinned_key_needs_a_good_certificate),
        WITH_WORLD(a_webhook_may_have_authorities_of_its_own),
        WITH_WORLD(they_hold_through_a_proxy_too),
        WITH_WORLD(nothing_is_older_than_tls_1_2),
        WITH_WORLD(a_mistake_is_told_when_it_is_added),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
