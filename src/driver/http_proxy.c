#include "driver/http_proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET(option, value) ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok

/* ---- set-up ---- */

bool bb_http_proxy_set(const struct bb_http_config *config, CURL *easy) {
    const struct bb_proxies *proxies = config->proxies;
    bool ok = true;
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* the receiver's are none of its business */
    SET(CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC);
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (proxies->user)
        SET(CURLOPT_PROXYUSERNAME, proxies->user);
    if (proxies->password)
        SET(CURLOPT_PROXYPASSWORD, proxies->password);
    return ok;
}

static bool set_limits(const struct bb_transfer *transfer, CURL *easy) {
    const struct bb_http_config *config = transfer->config;
    long used_ms = (long)(transfer->finding_us / 1000), total = transfer->timeout_ms - used_ms;
    long connect =
        transfer->connect_timeout_ms ? transfer->connect_timeout_ms : config->connect_timeout_ms;
    bool ok = true;
    connect -= used_ms;
    SET(CURLOPT_TIMEOUT_MS, total > 0 ? total : 1L); /* 0 would be none */
    SET(CURLOPT_CONNECTTIMEOUT_MS, connect > 0 ? connect : 1L);
    return ok;
}

/* Without a socket there is no request either; that no kept connection is used is to be said. */
static bool set_directly(const struct bb_transfer *transfer, CURL *easy) {
    bool ok = set_limits(transfer, easy);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_CONNECT_TO, NULL);
    SET(CURLOPT_FRESH_CONNECT, transfer->is_finding ? 1L : 0L);
    return ok;
}

bool bb_http_proxy_arm(struct bb_transfer *transfer, CURL *easy) {
    transfer->proxy = bb_proxy_for(transfer->config->proxies, transfer->request->url.scheme);
    transfer->is_finding = transfer->proxy != NULL;
    return set_directly(transfer, easy);
}

/* ---- from one part to the other ---- */

void bb_http_proxy_choose(struct bb_transfer *transfer, const struct bb_address *address) {
    bool is_v6 = address->length == 16;
    char *to = !*transfer->chosen ? transfer->chosen : transfer->spare;
    if (*to || (to == transfer->spare && is_v6 == (strchr(transfer->chosen, ':') != NULL)))
        return;
    inet_ntop(is_v6 ? AF_INET6 : AF_INET, address->bytes, to, sizeof transfer->chosen);
}

static void note_times(struct bb_transfer *transfer, CURL *easy) {
    curl_off_t dns_us = 0, total_us = 0;
    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &dns_us);
    curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total_us);
    if (transfer->is_finding)
        transfer->finding_dns_us = dns_us;
    transfer->finding_us += total_us;
}

/* From here on libcurl knows the receiver by an address alone, so whatever it connects to is this
 * one, which was judged, or the proxy. */
static bool set_through_proxy(struct bb_transfer *transfer, CURL *easy) {
    const struct bb_proxies *proxies = transfer->config->proxies;
    char place[INET6_ADDRSTRLEN + sizeof "::[]:"];
    bool is_v6 = strchr(transfer->chosen, ':') != NULL;
    /* any host and port, to this one and the same */
    snprintf(place, sizeof place, "::%s%s%s:", is_v6 ? "[" : "", transfer->chosen,
             is_v6 ? "]" : "");
    transfer->connect_list = curl_slist_append(NULL, place);
    bool ok = transfer->connect_list && set_limits(transfer, easy);
    SET(CURLOPT_CONNECT_TO, transfer->connect_list);
    SET(CURLOPT_PROXY, transfer->proxy);
    SET(CURLOPT_NOPROXY, proxies->except ? proxies->except : "");
    SET(CURLOPT_FRESH_CONNECT, 0L);
    return ok;
}

void bb_http_proxy_clear(struct bb_transfer *transfer, CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
    curl_slist_free_all(transfer->connect_list);
    transfer->connect_list = NULL;
}

/* Whether the proxy says of the tunnel that it did not get there. */
static bool is_out_of_reach(CURL *easy, CURLcode result) {
    long connected = 0, socks = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connected);
    curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &socks);
    return connected == 502 || connected == 503 || connected == 504 ||
           (result == CURLE_PROXY &&
            (socks == CURLPX_REPLY_NETWORK_UNREACHABLE || socks == CURLPX_REPLY_HOST_UNREACHABLE ||
             socks == CURLPX_REPLY_CONNECTION_REFUSED || socks == CURLPX_REPLY_TTL_EXPIRED));
}

bool bb_http_proxy_goes_on(const struct bb_transfer *transfer, CURL *easy, CURLcode result) {
    if (transfer->is_finding)
        return *transfer->chosen;
    return *transfer->spare && transfer->requests == 0 && is_out_of_reach(easy, result);
}

bool bb_http_proxy_go_on(struct bb_transfer *transfer, CURL *easy) {
    note_times(transfer, easy);
    transfer->error[0] = transfer->refused[0] = '\0';
    if (!transfer->is_finding) {
        bb_http_proxy_clear(transfer, easy);
        memcpy(transfer->chosen, transfer->spare, sizeof transfer->chosen);
        transfer->spare[0] = '\0';
    }
    transfer->is_finding = false;
    return set_through_proxy(transfer, easy);
}

static unsigned port_of(const struct bb_url *url) {
    if (*url->port)
        return (unsigned)strtoul(url->port, NULL, 10);
    return strcmp(url->scheme, "https") == 0 ? 443 : 80;
}

bool bb_http_proxy_is_asked(struct bb_transfer *transfer, const struct bb_address *address,
                            unsigned port) {
    char text[sizeof transfer->chosen];
    if (!transfer->proxy || transfer->is_finding)
        return false;
    inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->bytes, text, sizeof text);
    transfer->is_past_proxy =
        port == port_of(&transfer->request->url) && strcmp(text, transfer->chosen) == 0;
    return !transfer->is_past_proxy;
}

/* ---- what the proxy fails at ---- */

static bool is_socks(const struct bb_transfer *transfer) {
    return strncmp(transfer->proxy, "socks", 5) == 0;
}

static const char *tunnel_failure(long code) {
    switch (code) {
    case 407:
        return "it wants another user name or password (407)";
    case 403:
        return "it does not allow this (403)";
    default:
        return "it refused the request for a tunnel";
    }
}

static const char *socks_failure(long code) {
    switch (code) {
    case CURLPX_REPLY_NOT_ALLOWED:
        return "it does not allow this";
    case CURLPX_NO_AUTH:
    case CURLPX_USER_REJECTED:
        return "it wants another user name or password";
    default:
        return "it refused the request for a tunnel";
    }
}

/* Of a SOCKS proxy libcurl does not tell when the tunnel was there. */
static const char *late(const struct bb_transfer *transfer, CURL *easy, bb_failure *failure) {
    long port = 0;
    curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &port);
    if (port <= 0)
        return "it could not be connected to in time";
    if (!is_socks(transfer) || strcmp(transfer->request->url.scheme, "https") != 0)
        return "it did not answer in time";
    *failure = BB_FAILURE_TLS;
    return "neither the proxy nor what is behind it answered in time";
}

static const char *tls_failure(CURLcode result) {
    switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return "its certificate was not accepted";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        return "there was no TLS session with it";
    default:
        return NULL;
    }
}

/* Before it has said anything of the tunnel. */
static const char *early_failure(const struct bb_transfer *transfer, CURLcode result) {
    if (result == CURLE_COULDNT_RESOLVE_PROXY)
        return "its name has no address";
    if (result == CURLE_COULDNT_CONNECT)
        return "it could not be connected to";
    if (is_socks(transfer))
        return NULL;
    if (result == CURLE_RECV_ERROR || result == CURLE_SEND_ERROR || result == CURLE_GOT_NOTHING)
        return "it closed the connection, or its answer could not be read";
    return strncmp(transfer->proxy, "https", 5) == 0 ? tls_failure(result) : NULL;
}

/* libcurl's words for these are of the receiver; for others they may name the proxy. */
static bool is_of_tls(CURLcode result) {
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR ||
           result == CURLE_SSL_ISSUER_ERROR || result == CURLE_SSL_INVALIDCERTSTATUS ||
           result == CURLE_SSL_CIPHER || result == CURLE_SSL_CERTPROBLEM;
}

const char *bb_http_proxy_failure(struct bb_transfer *transfer, CURL *easy, CURLcode result,
                                  bb_failure *failure) {
    long connected = 0, socks = 0;
    *failure = BB_FAILURE_PROXY;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connected);
    curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &socks);
    if (!transfer->proxy || transfer->is_finding || transfer->is_past_proxy || connected / 100 == 2)
        return NULL;
    if (!transfer->connect_list) { /* the second part could not be armed */
        *failure = BB_FAILURE_NOT_STARTED;
        return "out of memory";
    }
    if (result == CURLE_OPERATION_TIMEDOUT)
        return late(transfer, easy, failure);
    if (is_out_of_reach(easy, result)) {
        *failure = BB_FAILURE_CONNECT;
        return "the proxy could not reach it";
    }
    if (connected)
        return tunnel_failure(connected);
    if (result == CURLE_PROXY)
        return socks_failure(socks);
    const char *words = early_failure(transfer, result);
    if (!words && !is_of_tls(result))
        transfer->error[0] = '\0';
    return words;
}
