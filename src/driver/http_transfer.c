#include "driver/http_transfer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/digest.h"
#include "driver/http_flood.h"
#include "driver/http_identity.h"
#include "driver/http_proxy.h"

/* ---- libcurl's callbacks ---- */

static size_t on_header(char *line, size_t size, size_t count, void *user) {
    struct bb_transfer *transfer = user;
    size_t n = size * count;
    transfer->header_bytes += n; /* of all header blocks: 1xx without end, too */
    if (transfer->header_bytes > BB_HTTP_HEADERS_MAX)
        return 0;
    if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
        bb_buf_clear(&transfer->headers);
        transfer->is_head_complete = false;
    } else if (*line == '\r' || *line == '\n') { /* trailers may follow: it stays true */
        transfer->is_head_complete = true;
    }
    bb_buf_add(&transfer->headers, line, n);
    return bb_buf_failed(&transfer->headers) ? 0 : n;
}

static size_t on_body(char *data, size_t size, size_t count, void *user) {
    struct bb_transfer *transfer = user;
    size_t n = size * count, room = BB_HTTP_BODY_MAX - transfer->body.length;
    transfer->is_cut = n > room;
    bb_buf_add(&transfer->body, data, n < room ? n : room);
    return transfer->is_cut || bb_buf_failed(&transfer->body) ? 0 : n;
}

/* ---- the address guard ---- */

static void note_refused(struct bb_transfer *transfer, const char *address, const char *rule) {
    size_t used = strlen(transfer->refused), room = sizeof transfer->refused - used;
    int more =
        snprintf(transfer->refused + used, room, "%s%s (%s)", used ? ", " : "", address, rule);
    if (more < 0 || (size_t)more >= room) /* whole entries only */
        transfer->refused[used] = '\0';
}

static bool is_allowed(struct bb_transfer *transfer, const struct bb_address *address) {
    char text[INET6_ADDRSTRLEN];
    const struct bb_http_config *config = transfer->config;
    const char *rule = bb_http_guard_judge(
        config->guard, config->allow_private || transfer->allow_private, address);
    if (!rule && transfer->is_finding)
        bb_http_proxy_choose(transfer, address);
    if (rule &&
        inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->bytes, text, sizeof text))
        note_refused(transfer, text, rule);
    return !rule;
}

static bool is_allowed_place(struct bb_transfer *transfer, const struct bb_address *address,
                             in_port_t port) {
    return bb_http_proxy_is_asked(transfer, address, ntohs(port)) || is_allowed(transfer, address);
}

static bool is_allowed_socket(struct bb_transfer *transfer, const struct sockaddr *socket_address) {
    struct bb_address address = {.length = 4};
    if (socket_address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)socket_address;
        memcpy(address.bytes, &v4->sin_addr, 4);
        return is_allowed_place(transfer, &address, v4->sin_port);
    }
    if (socket_address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)socket_address;
        address.length = 16;
        memcpy(address.bytes, &v6->sin6_addr, 16);
        return is_allowed_place(transfer, &address, v6->sin6_port);
    }
    note_refused(transfer, "an address", "neither IPv4 nor IPv6");
    return false;
}

static bool is_allowed_peer(struct bb_transfer *transfer, const char *peer) {
    struct bb_address address;
    if (peer && bb_address_read(&address, peer, strlen(peer)))
        return is_allowed(transfer, &address);
    note_refused(transfer, "the peer of a connection", "not an address");
    return false;
}

static long count_connects(CURL *easy) {
    long connects = 0;
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects;
}

/* libcurl posts again by itself when a kept connection dies under a request: the first may have
 * arrived, so a second is never begun. So it does when HTTP/2 says that the first was refused,
 * which on a new connection is the only reason. A kept connection's peer is judged again: it may be
 * of another time, or of a webhook with other rules. */
static int on_request(void *user, char *primary_ip, char *local_ip, int primary_port,
                      int local_port) {
    struct bb_transfer *transfer = user;
    (void)local_ip, (void)primary_port, (void)local_port;
    if (transfer->is_finding)
        return CURL_PREREQFUNC_ABORT;
    if (!transfer->proxy && transfer->requests == 0 && !is_allowed_peer(transfer, primary_ip))
        return CURL_PREREQFUNC_ABORT;
    if (transfer->requests == 0 && transfer->config->http2)
        transfer->is_on_new_connection = count_connects(transfer->easy) > 0;
    bb_http_flood_request();
    return ++transfer->requests > 1 ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* Judged here, on the address that is about to be connected to, because a name
 * can lead somewhere else at each look-up. */
static curl_socket_t on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
    struct bb_transfer *transfer = user;
    (void)purpose;
    if (!is_allowed_socket(transfer, &address->addr))
        return CURL_SOCKET_BAD;
    if (transfer->is_finding)
        return CURL_SOCKET_BAD;
    curl_socket_t made =
        socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (made == CURL_SOCKET_BAD) /* this machine's trouble: libcurl would blame the far side */
        transfer->socket_errno = errno;
    else if (transfer->config->opens)
        transfer->config->opens(transfer->config->descriptors_user, made);
    return made;
}

/* Of a connection that may have outlived its transfer. */
static int on_close(void *user, curl_socket_t fd) {
    const struct bb_http_config *config = user;
    config->closes(config->descriptors_user, fd);
    return close(fd);
}

/* ---- set-up ---- */

#define SET(option, value) ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok

/* As what it is, for libcurl would look up what it takes for a name. */
static bool set_source(const char *source, CURL *easy) {
    struct bb_address address;
    char text[64];
    bool is_address = bb_address_read(&address, source, strlen(source)), ok = true;
    snprintf(text, sizeof text, "%s!%s", is_address ? "host" : "if", source);
    SET(CURLOPT_INTERFACE, text);
    return ok;
}

static bool set_connection(const struct bb_http_config *config, CURL *easy) {
    bool ok = bb_http_trust_set(config->trust, easy);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name look-up that hangs */
    SET(CURLOPT_CONNECTTIMEOUT_MS, config->connect_timeout_ms);
    SET(CURLOPT_NOPROXY, "*"); /* nor look for one in the environment */
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_HTTP_VERSION,
        (long)(config->http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    SET(CURLOPT_PROTOCOLS_STR, config->allow_http ? "http,https" : "https");
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    if (config->closes) {
        SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
        SET(CURLOPT_CLOSESOCKETDATA, config);
    }
    /* Most answers are shorter than the 16 KiB it would take. Of one that comes over HTTP/2 and is
     * longer than the buffer libcurl 7.88 forgets the rest: all of what is read has to fit. */
    SET(CURLOPT_BUFFERSIZE, config->http2 ? (long)BB_HTTP_BODY_MAX : 1024L);
    if (config->proxies)
        ok = bb_http_proxy_set(config, easy) && ok;
    if (config->source)
        ok = set_source(config->source, easy) && ok;
    if (config->pins_names) /* its pruning looks at every name for each request */
        SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    return ok;
}

static bool set_http(CURL *easy) {
    bool ok = true;
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_PREREQFUNCTION, on_request);
    return ok;
}

size_t bb_transfer_rules(const struct bb_transfer *transfer, const struct bb_http_config *config) {
    return transfer->allow_private && !config->allow_private;
}

CURL *bb_transfer_new_handle(const struct bb_http_config *config) {
    CURL *easy = curl_easy_init();
    if (!easy || (set_connection(config, easy) && set_http(easy)))
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

/* libcurl only reads the list, so it lies in one block: the nodes, then their texts. */
static bool make_headers(struct bb_transfer *transfer) {
    const struct bb_request *request = transfer->request;
    size_t count = request->header_count, size = count * sizeof(struct curl_slist);
    for (size_t i = 0; i < count; i++)
        size += strlen(request->headers[i].name) + 2 + strlen(request->headers[i].value) + 1;
    struct curl_slist *nodes = bb_mem_alloc(transfer->config->mem, size);
    if (!nodes)
        return false;
    char *text = (char *)(nodes + count);
    for (size_t i = 0; i < count; i++) {
        const struct bb_request_header *header = &request->headers[i];
        nodes[i] = (struct curl_slist){.data = text, .next = i + 1 < count ? &nodes[i + 1] : NULL};
        text = stpcpy(stpcpy(stpcpy(text, header->name), ": "), header->value) + 1;
    }
    transfer->header_list = nodes;
    transfer->header_list_size = size;
    return true;
}

/* Path and query, as they stand at the end of the whole. */
static const char *request_target(const struct bb_url *url) {
    return strchr(url->text + strlen(url->scheme) + strlen("://"), '/');
}

static bool set_url(const struct bb_transfer *transfer, CURL *easy) {
    const struct bb_url *url = &transfer->request->url;
    bool ok = true, is_parsed = transfer->target && !transfer->is_signed_url;
    SET(CURLOPT_CURLU, is_parsed ? transfer->target->url : NULL);
    if (!is_parsed)
        SET(CURLOPT_URL, url->text);
    /* libcurl 7.88 drops the query, and the token in it, when memory is short */
    SET(CURLOPT_REQUEST_TARGET, *url->query ? request_target(url) : NULL);
    return ok;
}

/* "host:port:addresses" for libcurl's cache of names, which keeps it until the next one; given only
 * when the multi handle does not have this version yet. */
static bool set_addresses(struct bb_transfer *transfer, CURL *easy) {
    struct bb_http_target *target = transfer->target;
    bool ok = true;
    if (transfer->addresses && target && target->loaded_version != transfer->addresses_version) {
        size_t size = strlen(target->place) + 1 + strlen(transfer->addresses) + 1;
        char *line = bb_mem_alloc(transfer->config->mem, size);
        if (!line)
            return false;
        snprintf(line, size, "%s:%s", target->place, transfer->addresses);
        transfer->resolve_list = curl_slist_append(NULL, line);
        bb_mem_free(transfer->config->mem, line);
        ok = transfer->resolve_list != NULL;
    }
    SET(CURLOPT_RESOLVE, transfer->resolve_list);
    return ok;
}

bool bb_transfer_arm(struct bb_transfer *transfer, const struct bb_http_config *config,
                     CURL *easy) {
    const struct bb_request *request = transfer->request;
    transfer->config = config;
    transfer->easy = easy;
    transfer->headers.mem = transfer->body.mem = config->mem;
    transfer->headers.is_secret = transfer->body.is_secret = true; /* answers repeat them */
    transfer->headers.cap = BB_HTTP_HEADERS_MAX;
    transfer->body.cap = BB_HTTP_BODY_MAX;
    bool ok = make_headers(transfer) && set_url(transfer, easy) && set_addresses(transfer, easy);
    SET(CURLOPT_POSTFIELDS, request->body);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->length);
    SET(CURLOPT_HTTPHEADER, transfer->header_list);
    SET(CURLOPT_TIMEOUT_MS, transfer->timeout_ms);
    if (transfer->connect_timeout_ms)
        SET(CURLOPT_CONNECTTIMEOUT_MS, transfer->connect_timeout_ms);
    if (config->proxies)
        ok = bb_http_proxy_arm(transfer, easy) && ok;
    if (transfer->tls)
        ok = bb_http_identity_set(transfer, easy) && ok;
    return ok;
}

bool bb_transfer_bind(struct bb_transfer *transfer, CURL *easy) {
    bool ok = true;
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_PREREQDATA, transfer);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    return ok;
}

/* ---- results ---- */

static int64_t get_time(CURL *easy, CURLINFO info) {
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return us;
}

/* By how far it had come; the transfer's own times may not be wanted. The time of the connection
 * is only there when TLS is, its port before. */
static bb_failure failure_of_timeout(CURL *easy) {
    long port = 0;
    if (get_time(easy, CURLINFO_NAMELOOKUP_TIME_T) == 0)
        return BB_FAILURE_RESOLVE;
    curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port);
    return port > 0 ? BB_FAILURE_TLS : BB_FAILURE_CONNECT;
}

static bb_failure failure_before_request(const struct bb_transfer *transfer, CURLcode result) {
    switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return BB_FAILURE_RESOLVE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return BB_FAILURE_CERTIFICATE;
    case CURLE_SSL_CACERT_BADFILE: /* the bundle of this machine, not the receiver's */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return BB_FAILURE_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return failure_of_timeout(transfer->easy);
    case CURLE_INTERFACE_FAILED:
        return BB_FAILURE_SETTINGS;
    default:
        return *transfer->refused ? BB_FAILURE_REFUSED_ADDRESS : BB_FAILURE_CONNECT;
    }
}

/* The time that finding the receiver's address took; what was not reached stays 0. */
static void add_finding(struct bb_transfer *transfer) {
    int64_t *times[] = {&transfer->connect_us, &transfer->tls_us, &transfer->first_byte_us,
                        &transfer->total_us};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (*times[i])
            *times[i] += transfer->finding_us;
    if (!transfer->is_reused)
        transfer->dns_us = transfer->finding_dns_us;
}

static void read_times(struct bb_transfer *transfer, CURL *easy) {
    transfer->is_reused = transfer->requests > 0 && count_connects(easy) == 0;
    if (!transfer->is_reused) {
        transfer->dns_us = get_time(easy, CURLINFO_NAMELOOKUP_TIME_T);
        transfer->connect_us = get_time(easy, CURLINFO_CONNECT_TIME_T);
        transfer->tls_us = get_time(easy, CURLINFO_APPCONNECT_TIME_T);
    }
    transfer->first_byte_us = get_time(easy, CURLINFO_STARTTRANSFER_TIME_T);
    transfer->total_us = get_time(easy, CURLINFO_TOTAL_TIME_T);
    if (transfer->proxy && !transfer->is_finding)
        add_finding(transfer);
}

static bool is_refused_request(const struct bb_transfer *transfer) {
    return transfer->requests > 1 && transfer->is_on_new_connection;
}

/* libcurl and nghttp2 have limits of their own for headers, and tell of them as of a lack of
 * memory, or of a callback that failed. */
static bool is_too_much(const struct bb_transfer *transfer, CURLcode result) {
    return result == CURLE_OUT_OF_MEMORY || strstr(transfer->error, "returned -902");
}

/* Where libcurl's words are of no use to a person; else NULL. */
static const char *better_words(const struct bb_transfer *transfer, CURLcode result) {
    if (is_refused_request(transfer))
        return "HTTP/2 REFUSED_STREAM or HTTP_1_1_REQUIRED";
    if (transfer->requests > 1)
        return "the kept connection was closed under the request";
    if (transfer->header_bytes > BB_HTTP_HEADERS_MAX)
        return "its headers are longer than 32 KiB";
    if (result == CURLE_OK)
        return "the connection was closed within the headers";
    if (bb_http_flood_has_cut() && transfer->config->http2)
        return "the connection was cut, for it brought frames without end";
    if (transfer->is_sent && is_too_much(transfer, result))
        return "a line of its headers or all of them are too long, or memory was short";
    if (result == CURLE_SSL_CONNECT_ERROR && strstr(transfer->error, "SSL_ERROR_SYSCALL"))
        return "the connection was closed within the handshake";
    if (result == CURLE_INTERFACE_FAILED)
        return "the source of connections (egress.source) could not be used";
    if (result == CURLE_SSL_CACERT_BADFILE)
        return "the bundle of trusted authorities (ca_file) could not be read";
    return NULL;
}

/* What is classed by more than libcurl's code, or NULL. */
static const char *classed_words(struct bb_transfer *transfer, CURLcode result,
                                 bb_failure *failure) {
    const char *words = NULL;
    *failure = BB_FAILURE_REFUSED_REQUEST;
    if (transfer->requests == 1 && count_connects(transfer->easy) > 0 &&
        bb_http_identity_is_refused(transfer, result))
        return "it wants a client certificate, or another one";
    if (!transfer->is_sent && transfer->proxy)
        words = bb_http_proxy_failure(transfer, transfer->easy, result, failure);
    if (!transfer->is_sent && !words)
        words = bb_http_identity_failure(transfer, result, failure);
    return words;
}

static void note_failure(struct bb_transfer *transfer, CURLcode result) {
    bb_failure classed;
    const char *words = classed_words(transfer, result, &classed);
    bool is_classed = words != NULL;
    char system[128];
    if (!words)
        words = better_words(transfer, result);
    if (!words)
        words = transfer->error;
    if (transfer->socket_errno && !transfer->is_sent &&
        strerror_r(transfer->socket_errno, system, sizeof system) == 0)
        words = system;
    else if (!*words)
        words = curl_easy_strerror(result);
    transfer->failure = is_classed                     ? classed
                        : is_refused_request(transfer) ? BB_FAILURE_REFUSED_REQUEST
                        : transfer->is_sent            ? BB_FAILURE_ANSWER_LOST
                                                       : failure_before_request(transfer, result);
    snprintf(transfer->failure_text, sizeof transfer->failure_text, "%s", words);
}

static void free_lists(struct bb_transfer *transfer) {
    if (transfer->header_list)
        bb_mem_free_secret(transfer->config->mem, transfer->header_list,
                           transfer->header_list_size);
    curl_slist_free_all(transfer->resolve_list);
    curl_slist_free_all(transfer->connect_list);
    transfer->header_list = transfer->resolve_list = transfer->connect_list = NULL;
}

void bb_transfer_settle(struct bb_transfer *transfer, CURL *easy, CURLcode result) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->is_sent = transfer->requests > 0;
    if (!transfer->config->needs_no_times)
        read_times(transfer, easy);
    if (!transfer->kept_handle) /* it outlives the transfer: it must not write into it any more */
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    /* libcurl takes headers that end with the connection for whole ones */
    if ((result == CURLE_OK && transfer->is_head_complete) || transfer->is_cut)
        transfer->status = (int)status;
    else
        note_failure(transfer, result);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    if (transfer->connect_list)
        bb_http_proxy_clear(transfer, easy);
    if (transfer->tls)
        bb_http_identity_clear(transfer, easy);
    if (transfer->resolve_list) {
        curl_easy_setopt(easy, CURLOPT_RESOLVE, NULL);
        if (transfer->is_sent)
            transfer->target->loaded_version = transfer->addresses_version;
    }
    free_lists(transfer);
}

static void empty(struct bb_buf *buf) {
    enum { KEPT_MAX = 4 * 1024 };
    if (buf->capacity > KEPT_MAX)
        bb_buf_free(buf);
    bb_buf_clear(buf);
}

void bb_transfer_reset(struct bb_transfer *transfer) {
    free_lists(transfer);
    memset(transfer, 0, offsetof(struct bb_transfer, kept_handle));
    empty(&transfer->headers);
    empty(&transfer->body);
    transfer->failure_text[0] = transfer->error[0] = transfer->refused[0] = '\0';
}

void bb_transfer_free(struct bb_transfer *transfer) {
    free_lists(transfer);
    curl_easy_cleanup(transfer->kept_handle);
    transfer->kept_handle = NULL;
    bb_buf_free(&transfer->headers);
    bb_buf_free(&transfer->body);
    bb_wipe(transfer->error, sizeof transfer->error);
    bb_wipe(transfer->failure_text, sizeof transfer->failure_text);
}
