/* The other end of a Custom webhook: verifies what comes in, prints its title, answers.
 *     SECRET=whsec_... ./receiver 8080
 * PREVIOUS_SECRET is the old one while the sender's is replaced; either may be a public key
 * (whpk_...) where the sender signs with its private one (whsk_...). Listens on loopback, for a
 * proxy that ends TLS in front of it; port 0 takes any that is free. */
#include <bb_webhook_verify.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <microhttpd.h>

enum {
    MAX_BODY = 256 * 1024, /* what a sender of this library ever makes; others are refused */
    REMEMBERED = 1024      /* deliveries: a sender that lost the answer sends again */
};

/* One request; `body` grows as it comes. */
struct incoming {
    char *body;
    size_t length;
    int is_too_large;
};

struct receiver {
    const char *secrets[2];
    char *seen[REMEMBERED]; /* the last ids, in a ring */
    size_t seen_count;
};

/* ---- what is done with an event */

static int was_seen(const struct receiver *receiver, const char *id) {
    for (size_t i = 0; i < REMEMBERED && receiver->seen[i]; i++)
        if (strcmp(receiver->seen[i], id) == 0)
            return 1;
    return 0;
}

static void remember(struct receiver *receiver, const char *id) {
    char **place = &receiver->seen[receiver->seen_count++ % REMEMBERED];
    free(*place);
    *place = strdup(id);
}

/* It has been verified, but whoever wrote the title may not own this terminal. */
static void print_title(const char *title) {
    for (; *title; title++)
        putchar((unsigned char)*title < ' ' || *title == 0x7F ? ' ' : *title);
    putchar('\n');
    fflush(stdout);
}

/* 0: it is no event. */
static int handle_event(struct receiver *receiver, const char *id, const struct incoming *in) {
    cJSON *json = cJSON_ParseWithLength(in->body, in->length);
    const char *title = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "title"));
    int is_event = title != NULL;
    if (is_event && !was_seen(receiver, id)) {
        print_title(title);
        remember(receiver, id);
    }
    cJSON_Delete(json);
    return is_event;
}

/* ---- answers */

/* As docs/custom.md says: 200 and code 0 is delivered, 4xx is given up, 5xx comes again. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
                              const char *message) {
    char body[256];
    int length = snprintf(body, sizeof body, "{\"code\":%u,\"message\":\"%s\"}",
                          status == MHD_HTTP_OK ? 0 : status, message);
    struct MHD_Response *response =
        MHD_create_response_from_buffer((size_t)length, body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static unsigned status_of(int code) {
    switch (code) {
    case BB_ERR_MISSING:
    case BB_ERR_MALFORMED:
        return MHD_HTTP_BAD_REQUEST;
    case BB_ERR_SIGNATURE:
    case BB_ERR_TOO_OLD:
    case BB_ERR_TOO_NEW:
        return MHD_HTTP_UNAUTHORIZED;
    default: /* our own trouble: it may come again */
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

static const char *header(struct MHD_Connection *connection, const char *name) {
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result judge(struct receiver *receiver, struct MHD_Connection *connection,
                             const struct incoming *in) {
    bb_error error = BB_ERROR_INIT;
    bb_received received = BB_RECEIVED_INIT;
    received.id = header(connection, "webhook-id");
    received.timestamp = header(connection, "webhook-timestamp");
    received.signature = header(connection, "webhook-signature");
    received.body = in->body;
    received.body_length = in->length;
    received.secrets = receiver->secrets;
    received.secret_count = 2;
    received.now_ms = (int64_t)time(NULL) * 1000;
    int code = bb_webhook_verify(&received, &error);
    if (code != BB_OK) { /* whoever has no secret is not told why */
        unsigned status = status_of(code);
        fprintf(stderr, "refused: %s\n", error.text);
        return answer(connection, status,
                      status == MHD_HTTP_UNAUTHORIZED ? "not signed, or not now"
                                                      : "not understood");
    }
    if (!handle_event(receiver, received.id, in))
        return answer(connection, MHD_HTTP_BAD_REQUEST, "the body is not an event");
    return answer(connection, MHD_HTTP_OK, "ok");
}

/* ---- requests */

static void add_body(struct incoming *in, const char *data, size_t size) {
    char *grown = !in->is_too_large && size <= MAX_BODY - in->length
                      ? realloc(in->body, in->length + size)
                      : NULL;
    in->is_too_large = !grown;
    if (!grown)
        return; /* the rest is read and dropped */
    memcpy(grown + in->length, data, size);
    in->body = grown;
    in->length += size;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **kept) {
    (void)url, (void)version;
    struct incoming *in = *kept;
    if (!in) { /* its first bytes: the body follows */
        *kept = calloc(1, sizeof *in);
        return *kept ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        add_body(in, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "POST") != 0)
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only POST");
    if (in->is_too_large)
        return answer(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    return judge(user, connection, in);
}

static void on_end(void *user, struct MHD_Connection *connection, void **kept,
                   enum MHD_RequestTerminationCode why) {
    (void)user, (void)connection, (void)why;
    struct incoming *in = *kept;
    if (in)
        free(in->body);
    free(in);
    *kept = NULL;
}

/* One thread for all connections, which is why `receiver` needs no lock. */
static struct MHD_Daemon *start(struct receiver *receiver, unsigned short port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL,
                            on_request, receiver, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                            MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_NOTIFY_COMPLETED, on_end,
                            NULL, MHD_OPTION_END);
}

/* A secret that cannot be read is told now, not when the first request comes. */
static int has_secrets(const struct receiver *receiver) {
    bb_error error = BB_ERROR_INIT;
    bb_received nothing = BB_RECEIVED_INIT;
    nothing.secrets = receiver->secrets;
    nothing.secret_count = 2;
    nothing.now_ms = 1;
    if (bb_webhook_verify(&nothing, &error) != BB_ERR_ARGUMENT)
        return 1;
    fprintf(stderr, "SECRET, PREVIOUS_SECRET: %s\n", error.text);
    return 0;
}

int main(int argc, char **argv) {
    static struct receiver receiver;
    sigset_t ends;
    int number;
    char *rest = NULL;
    unsigned long port = argc == 2 ? strtoul(argv[1], &rest, 10) : 0;
    receiver.secrets[0] = getenv("SECRET");
    receiver.secrets[1] = getenv("PREVIOUS_SECRET");
    if (argc != 2 || *rest || rest == argv[1] || port > 65535) {
        fprintf(stderr, "usage: SECRET=whsec_... [PREVIOUS_SECRET=...] %s PORT\n", argv[0]);
        return 2;
    }
    if (!has_secrets(&receiver))
        return 2;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before the thread, which inherits it */
    struct MHD_Daemon *daemon = start(&receiver, (unsigned short)port);
    if (!daemon) {
        perror("cannot listen");
        return 1;
    }
    fprintf(stderr, "listening on http://127.0.0.1:%u/\n",
            (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    sigwait(&ends, &number);
    MHD_stop_daemon(daemon);
    for (size_t i = 0; i < REMEMBERED; i++)
        free(receiver.seen[i]);
    return 0;
}
