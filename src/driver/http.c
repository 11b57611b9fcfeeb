/* Sessions: which transfers run, and until when. One transfer is http_transfer.c. */
#include "driver/http.h"

#include <pthread.h>
#include <string.h>

#include <curl/curl.h>

#include "driver/http_flood.h"
#include "driver/http_proxy.h"
#include "driver/http_transfer.h"

enum {
    WARM_SESSIONS = 16, /* kept when not in use */
    IDLE_MAX_MS = 60 * 1000,
    IDLE_HANDLES = 64, /* easy handles kept in a session */
    KEPT_CONNECTIONS = 256
};

/* What transfers by the same rules for addresses have in common. */
struct circle {
    CURLSH *share; /* TLS sessions: libcurl keeps them by easy handle otherwise; NULL at first */
    CURL *idle[IDLE_HANDLES];
    size_t idle_count;
};

struct bb_session {
    struct bb_session *next;
    int64_t given_ms;                    /* back to the pool */
    const struct bb_http_config *config; /* the pool's */
    CURLM *multi;
    struct circle circles[BB_HTTP_RULES];
    struct bb_transfer *running; /* a list, for the day when `multi` fails */
    bool is_broken;              /* it has: not used again */
};

struct bb_http {
    struct bb_http_config config;
    pthread_mutex_t lock;
    struct bb_session *warm;
    size_t warm_count;
};

bool bb_http_global_start(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void bb_http_global_stop(void) {
    curl_global_cleanup();
}

struct bb_http *bb_http_new(const struct bb_http_config *config) {
    struct bb_http *http = bb_mem_zalloc(config->mem, sizeof *http);
    if (!http)
        return NULL;
    http->config = *config;
    pthread_mutex_init(&http->lock, NULL);
    return http;
}

static void session_free(struct bb_session *session) {
    for (struct circle *c = session->circles; c < session->circles + BB_HTTP_RULES; c++)
        while (c->idle_count > 0)
            curl_easy_cleanup(c->idle[--c->idle_count]);
    curl_multi_cleanup(session->multi);
    for (size_t i = 0; i < BB_HTTP_RULES; i++)
        curl_share_cleanup(session->circles[i].share);
    bb_mem_free(session->config->mem, session);
}

static void free_all(struct bb_session *session) {
    while (session) {
        struct bb_session *next = session->next;
        session_free(session);
        session = next;
    }
}

void bb_http_free(struct bb_http *http) {
    if (!http)
        return;
    free_all(http->warm);
    pthread_mutex_destroy(&http->lock);
    bb_mem_free(http->config.mem, http);
}

/* The first circle's connections are the multi handle's own; the other ones have theirs with their
 * share, where no other transfer finds them. */
static bool open_circle(struct circle *circle, bool is_first) {
    if (circle->share)
        return true;
    CURLSH *share = curl_share_init();
    if (share &&
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
        (is_first ||
         curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == CURLSHE_OK)) {
        circle->share = share;
        return true;
    }
    curl_share_cleanup(share);
    return false;
}

static struct bb_session *session_new(const struct bb_http_config *config) {
    struct bb_session *session = bb_mem_zalloc(config->mem, sizeof *session);
    if (!session)
        return NULL;
    session->config = config;
    session->multi = curl_multi_init();
    if (!session->multi || !open_circle(session->circles, true)) {
        session_free(session);
        return NULL;
    }
    /* by default it shrinks when few transfers run, and connections are lost */
    long most = config->max_parallel > KEPT_CONNECTIONS ? config->max_parallel : KEPT_CONNECTIONS;
    curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, most);
    /* over HTTP/2, requests that share a connection hang in libcurl 7.88, and share its fate */
    curl_multi_setopt(session->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return session;
}

struct bb_session *bb_http_take(struct bb_http *http) {
    pthread_mutex_lock(&http->lock);
    struct bb_session *session = http->warm;
    if (session) {
        http->warm = session->next;
        http->warm_count--;
    }
    pthread_mutex_unlock(&http->lock);
    return session ? session : session_new(&http->config);
}

/* Cuts off the list's end: the last given stands first, so it is sorted by age. */
static struct bb_session *take_stale(struct bb_http *http, int64_t now_ms) {
    struct bb_session **at = &http->warm;
    size_t kept = 0;
    while (*at && now_ms - (*at)->given_ms <= IDLE_MAX_MS) {
        at = &(*at)->next;
        kept++;
    }
    struct bb_session *stale = *at;
    *at = NULL;
    http->warm_count = kept;
    return stale;
}

void bb_http_give(struct bb_http *http, struct bb_session *session, int64_t now_ms) {
    pthread_mutex_lock(&http->lock);
    struct bb_session *stale = take_stale(http, now_ms);
    bool keep = !session->is_broken && http->warm_count < WARM_SESSIONS;
    if (keep) {
        session->given_ms = now_ms;
        session->next = http->warm;
        http->warm = session;
        http->warm_count++;
    }
    pthread_mutex_unlock(&http->lock);
    free_all(stale);
    if (!keep)
        session_free(session);
}

/* ---- transfers ---- */

static void list_add(struct bb_session *session, struct bb_transfer *transfer) {
    transfer->next = session->running;
    session->running = transfer;
}

static void list_remove(struct bb_session *session, const struct bb_transfer *transfer) {
    struct bb_transfer **at = &session->running;
    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
}

static struct circle *circle_of(struct bb_session *session, const struct bb_transfer *transfer) {
    return &session->circles[bb_transfer_rules(transfer, session->config)];
}

static CURL *take_handle(struct bb_session *session, struct circle *circle) {
    if (circle->idle_count > 0)
        return circle->idle[--circle->idle_count];
    CURL *easy = open_circle(circle, circle == session->circles)
                     ? bb_transfer_new_handle(session->config)
                     : NULL;
    if (easy)
        curl_easy_setopt(easy, CURLOPT_SHARE, circle->share);
    return easy;
}

static void give_handle(struct circle *circle, CURL *easy) {
    if (circle->idle_count < IDLE_HANDLES)
        circle->idle[circle->idle_count++] = easy;
    else
        curl_easy_cleanup(easy);
}

bool bb_session_start(struct bb_session *session, struct bb_transfer *transfer) {
    CURL *easy = session->is_broken ? NULL : take_handle(session, circle_of(session, transfer));
    if (!easy)
        return false;
    if (bb_transfer_bind(transfer, easy) && bb_transfer_arm(transfer, session->config, easy) &&
        curl_multi_add_handle(session->multi, easy) == CURLM_OK) {
        list_add(session, transfer);
        return true;
    }
    bb_transfer_free(transfer);
    curl_easy_cleanup(easy);
    return false;
}

static struct bb_transfer *finish(struct bb_session *session, CURL *easy, CURLcode result) {
    struct bb_transfer *transfer = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    bb_transfer_settle(transfer, easy, result);
    curl_multi_remove_handle(session->multi, easy);
    list_remove(session, transfer);
    if (session->is_broken)
        curl_easy_cleanup(easy);
    else
        give_handle(circle_of(session, transfer), easy);
    return transfer;
}

static bool go_on(struct bb_session *session, CURL *easy, CURLcode result) {
    struct bb_transfer *transfer = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    if (!transfer->proxy || !bb_http_proxy_goes_on(transfer, easy, result))
        return false;
    curl_multi_remove_handle(session->multi, easy);
    return bb_http_proxy_go_on(transfer, easy) &&
           curl_multi_add_handle(session->multi, easy) == CURLM_OK;
}

static struct bb_transfer *next_finished(struct bb_session *session) {
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(session->multi, &left))) {
        CURLcode result = message->data.result;
        CURL *easy = message->easy_handle;
        if (message->msg == CURLMSG_DONE && !go_on(session, easy, result))
            return finish(session, easy, result);
    }
    if (session->is_broken && session->running)
        return finish(session, session->running->easy, CURLE_OUT_OF_MEMORY);
    return NULL;
}

static struct bb_transfer *drive(struct bb_session *session) {
    int running;
    bb_http_flood_begin();
    if (curl_multi_perform(session->multi, &running) != CURLM_OK)
        session->is_broken = true;
    return next_finished(session);
}

struct bb_transfer *bb_session_wait(struct bb_session *session, int timeout_ms) {
    struct bb_transfer *transfer = next_finished(session);
    if (!transfer && session->running)
        transfer = drive(session);
    if (transfer || !session->running)
        return transfer;
    if (curl_multi_poll(session->multi, NULL, 0, timeout_ms, NULL) != CURLM_OK)
        session->is_broken = true;
    return drive(session);
}
