#include "driver/http_engine.h"

#include <string.h>
#include <sys/resource.h>

#include <curl/curl.h>
#include <utlist.h>

#include "driver/http_flood.h"
#include "driver/http_proxy.h"
#include "driver/http_transfer.h"

enum {
    SHARDS = 4, /* for each of the BB_HTTP_RULES */
    ALL_SHARDS = SHARDS * BB_HTTP_RULES,
    KEPT_CONNECTIONS = 256,     /* at least, in a shard */
    IDLE_SHARD_MS = 120 * 1000, /* then its connections are dead, or a burden */
    FIRST_DESCRIPTORS = 256,
    MOST_NUDGES = 16
};

struct shard {
    struct bb_engine *engine;
    CURLM *multi;    /* NULL: not needed now */
    uint64_t number; /* of the multi handle: no other one had it */
    int64_t due_ms;
    int64_t idle_since_ms;
    struct bb_transfer *running;
    bool is_broken; /* `multi` has failed: what runs ends, then it is made anew */
};

/* What libcurl wants of a descriptor, and what is watched. A kept connection stays watched, because
 * two system calls per request are a quarter of its cost; of other descriptors (a look-up's) the
 * end is not told, so they do not. */
struct descriptor {
    struct shard *shard;
    bool is_connection;
    bool wants_read, wants_write;
    bool has_read, has_write;
};

struct bb_engine {
    struct bb_engine_config config;
    struct shard shards[ALL_SHARDS]; /* those of the configuration's rules first */
    size_t shards_in_use;            /* up to here */
    CURLSH *share;                   /* TLS sessions */
    struct descriptor *descriptors;  /* by number */
    size_t descriptor_count;
    struct bb_transfer *finished;
    uint64_t multi_count; /* that were ever made */
    int opened;           /* the last connection's descriptor of this action; -1: none */
    bool is_refused;      /* in this action a connection was not made */
    int64_t now_ms;
};

/* ---- descriptors ---- */

static struct descriptor *descriptor_of(struct bb_engine *engine, int fd) {
    size_t count = engine->descriptor_count ? engine->descriptor_count : FIRST_DESCRIPTORS;
    while (count <= (size_t)fd)
        count *= 2;
    if (count != engine->descriptor_count) {
        struct descriptor *more =
            bb_mem_resize(engine->config.http.mem, engine->descriptors, count * sizeof *more);
        if (!more)
            return NULL;
        memset(more + engine->descriptor_count, 0,
               (count - engine->descriptor_count) * sizeof *more);
        engine->descriptors = more;
        engine->descriptor_count = count;
    }
    return &engine->descriptors[fd];
}

static bool watch(struct bb_engine *engine, int fd, bool read, bool write) {
    struct descriptor *d = &engine->descriptors[fd];
    if (d->has_read == read && d->has_write == write)
        return true;
    if (!engine->config.watch(engine->config.watch_user, fd, read, write))
        return false;
    d->has_read = read;
    d->has_write = write;
    return true;
}

/* CURLMOPT_SOCKETFUNCTION */
static int on_interest(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user) {
    struct shard *shard = user;
    struct descriptor *d = descriptor_of(shard->engine, fd);
    (void)easy, (void)socket_user;
    if (!d)
        return -1;
    shard->engine->is_refused |= what == CURL_POLL_REMOVE && d->is_connection && d->wants_write;
    d->shard = shard;
    d->wants_read = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
    d->wants_write = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
    if (what == CURL_POLL_REMOVE && d->is_connection) /* perhaps closed, and another thread's now */
        return 0; /* until an event comes that nobody wants, or the next request */
    return watch(shard->engine, fd, d->wants_read, d->wants_write) ? 0 : -1;
}

/* Without memory it is watched and forgotten like those that libcurl keeps for itself. Where 7.88
 * has closed one that was not connected yet it tells so later, or, when the next one has the same
 * number and is to be watched for the same, not at all. */
static void on_opened(void *user, int fd) {
    struct bb_engine *engine = user;
    struct descriptor *d = descriptor_of(engine, fd), old;
    engine->opened = fd;
    if (!d)
        return;
    old = *d;
    watch(engine, fd, false, false);
    *d = (struct descriptor){.is_connection = true};
    d->shard = old.wants_read || old.wants_write ? old.shard : NULL;
    d->wants_read = old.wants_read;
    d->wants_write = old.wants_write;
    watch(engine, fd, d->wants_read, d->wants_write);
}

static void on_closing(void *user, int fd) {
    struct bb_engine *engine = user;
    if ((size_t)fd >= engine->descriptor_count)
        return;
    watch(engine, fd, false, false);
    engine->descriptors[fd] = (struct descriptor){0};
}

/* CURLMOPT_TIMERFUNCTION */
static int on_timer(CURLM *multi, long timeout_ms, void *user) {
    struct shard *shard = user;
    (void)multi;
    shard->due_ms = timeout_ms < 0 ? INT64_MAX : shard->engine->now_ms + timeout_ms;
    return 0;
}

/* ---- shards ---- */

/* Of one shard, those in use too. All together leave half of the process's descriptors to others.
 */
static long most_kept(const struct bb_engine *engine) {
    const struct bb_engine_config *config = &engine->config;
    rlim_t share = 2 * engine->shards_in_use;
    long most =
        config->max_in_flight > KEPT_CONNECTIONS ? (long)config->max_in_flight : KEPT_CONNECTIONS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / share < (rlim_t)most)
        most = (long)(limit.rlim_cur / share);
    return most > 0 ? most : 1;
}

static bool open_shard(struct shard *shard) {
    if (shard->multi)
        return !shard->is_broken;
    shard->multi = curl_multi_init();
    if (!shard->multi)
        return false;
    shard->number = ++shard->engine->multi_count;
    shard->is_broken = false;
    shard->due_ms = INT64_MAX;
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(shard->multi, CURLMOPT_SOCKETDATA, shard);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(shard->multi, CURLMOPT_TIMERDATA, shard);
    /* over HTTP/2, requests that share a connection hang in libcurl 7.88, and share its fate */
    curl_multi_setopt(shard->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    /* by default it shrinks when few transfers run, and connections are lost */
    curl_multi_setopt(shard->multi, CURLMOPT_MAXCONNECTS, most_kept(shard->engine));
    return true;
}

static struct shard *shard_for(struct bb_engine *engine, const struct bb_transfer *transfer) {
    size_t first = bb_transfer_rules(transfer, &engine->config.http) * SHARDS;
    if (first + SHARDS > engine->shards_in_use) { /* the others have to share with these */
        engine->shards_in_use = first + SHARDS;
        for (size_t i = 0; i < first; i++)
            if (engine->shards[i].multi)
                curl_multi_setopt(engine->shards[i].multi, CURLMOPT_MAXCONNECTS, most_kept(engine));
    }
    return &engine->shards[first + transfer->target->hash % SHARDS];
}

static void close_shard(struct shard *shard) {
    if (shard->multi)
        curl_multi_cleanup(shard->multi);
    shard->multi = NULL;
    shard->due_ms = INT64_MAX;
}

/* ---- life ---- */

struct bb_engine *bb_engine_new(const struct bb_engine_config *config) {
    struct bb_engine *engine = bb_mem_zalloc(config->http.mem, sizeof *engine);
    if (!engine)
        return NULL;
    engine->config = *config;
    engine->config.http.opens = on_opened;
    engine->config.http.closes = on_closing;
    engine->config.http.descriptors_user = engine;
    engine->shards_in_use = SHARDS;
    for (size_t i = 0; i < ALL_SHARDS; i++)
        engine->shards[i] = (struct shard){.engine = engine, .due_ms = INT64_MAX};
    engine->share = curl_share_init();
    if (engine->share && descriptor_of(engine, 0) &&
        curl_share_setopt(engine->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK)
        return engine;
    bb_engine_free(engine);
    return NULL;
}

void bb_engine_free(struct bb_engine *engine) {
    if (!engine)
        return;
    for (size_t i = 0; i < ALL_SHARDS; i++)
        close_shard(&engine->shards[i]);
    curl_share_cleanup(engine->share);
    bb_mem_free(engine->config.http.mem, engine->descriptors);
    bb_mem_free(engine->config.http.mem, engine);
}

/* ---- transfers ---- */

/* A transfer's own, made at its first start: most of its options never change. */
static CURL *handle_of(struct bb_engine *engine, struct bb_transfer *transfer) {
    if (transfer->kept_handle)
        return transfer->kept_handle;
    CURL *easy = bb_transfer_new_handle(&engine->config.http);
    if (!easy)
        return NULL;
    if (bb_transfer_bind(transfer, easy) &&
        curl_easy_setopt(easy, CURLOPT_SHARE, engine->share) == CURLE_OK)
        return transfer->kept_handle = easy;
    curl_easy_cleanup(easy);
    return NULL;
}

bool bb_engine_start(struct bb_engine *engine, struct bb_transfer *transfer) {
    struct shard *shard = shard_for(engine, transfer);
    CURL *easy = open_shard(shard) ? handle_of(engine, transfer) : NULL;
    if (!easy)
        return false;
    transfer->shard = shard;
    if (transfer->target->loaded_in != shard->number) { /* a new handle knows no names */
        transfer->target->loaded_in = shard->number;
        transfer->target->loaded_version = 0;
    }
    if (bb_transfer_arm(transfer, &engine->config.http, easy) &&
        curl_multi_add_handle(shard->multi, easy) == CURLM_OK) {
        DL_APPEND2(shard->running, transfer, previous, next);
        return true;
    }
    bb_transfer_free(transfer);
    return false;
}

static void finish(struct shard *shard, struct bb_transfer *transfer, CURLcode result) {
    struct bb_engine *engine = shard->engine;
    CURL *easy = transfer->easy;
    bb_transfer_settle(transfer, easy, result);
    curl_multi_remove_handle(shard->multi, easy);
    DL_DELETE2(shard->running, transfer, previous, next);
    if (shard->is_broken) {
        curl_easy_cleanup(easy);
        transfer->kept_handle = NULL;
    }
    DL_APPEND2(engine->finished, transfer, previous, next);
    if (!shard->running)
        shard->idle_since_ms = engine->now_ms;
}

static bool go_on(struct shard *shard, struct bb_transfer *transfer, CURLcode result) {
    if (!transfer->proxy || !bb_http_proxy_goes_on(transfer, transfer->easy, result))
        return false;
    curl_multi_remove_handle(shard->multi, transfer->easy);
    return bb_http_proxy_go_on(transfer, transfer->easy) &&
           curl_multi_add_handle(shard->multi, transfer->easy) == CURLM_OK;
}

static void collect(struct shard *shard) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(shard->multi, &left))) {
        struct bb_transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (!go_on(shard, transfer, result))
            finish(shard, transfer, result);
    }
}

/* One that was refused while it was made, or at once, before it was watched. */
static bool has_refused_connection(const struct bb_engine *engine) {
    size_t opened = (size_t)engine->opened;
    return engine->is_refused || (engine->opened >= 0 && opened < engine->descriptor_count &&
                                  !engine->descriptors[opened].shard);
}

static CURLMcode look_at_all(CURLM *multi) {
    int running;
    CURLMcode code;
    CURL_IGNORE_DEPRECATION(code = curl_multi_socket_all(multi, &running);)
    return code;
}

/* libcurl 7.88 goes on to a host's next address when a timer of several seconds runs out, unless it
 * is asked to look at all transfers, which nothing but this function does. */
static CURLMcode go_on_to_next_addresses(struct shard *shard) {
    struct bb_engine *engine = shard->engine;
    CURLMcode code = CURLM_OK;
    for (int i = 0; i < MOST_NUDGES && code == CURLM_OK && has_refused_connection(engine); i++) {
        engine->is_refused = false;
        engine->opened = -1;
        code = look_at_all(shard->multi);
    }
    return code;
}

static void act(struct shard *shard, curl_socket_t fd, int events) {
    int running;
    shard->engine->is_refused = false;
    shard->engine->opened = -1;
    bb_http_flood_begin();
    CURLMcode code = curl_multi_socket_action(shard->multi, fd, events, &running);
    collect(shard);
    if (code == CURLM_OK && shard->running)
        code = go_on_to_next_addresses(shard);
    if (code != CURLM_OK)
        shard->is_broken = true;
    collect(shard);
    if (!shard->is_broken)
        return;
    while (shard->running)
        finish(shard, shard->running, CURLE_OUT_OF_MEMORY);
    close_shard(shard);
}

void bb_engine_cancel(struct bb_engine *engine, struct bb_transfer *transfer) {
    (void)engine;
    finish(transfer->shard, transfer, CURLE_ABORTED_BY_CALLBACK);
}

void bb_engine_ready(struct bb_engine *engine, int fd, bool read, bool write) {
    struct descriptor *d = (size_t)fd < engine->descriptor_count ? &engine->descriptors[fd] : NULL;
    if (!d || !d->shard || !d->shard->multi)
        return;
    int events = (read ? CURL_CSELECT_IN : 0) | (write ? CURL_CSELECT_OUT : 0);
    if (d->wants_read || d->wants_write)
        act(d->shard, fd, events);
    else /* an idle connection: its end is seen when it would be used again */
        watch(engine, fd, false, false);
}

void bb_engine_run(struct bb_engine *engine, int64_t now_ms) {
    engine->now_ms = now_ms;
    for (struct shard *shard = engine->shards; shard < engine->shards + ALL_SHARDS; shard++) {
        if (shard->due_ms <= now_ms) {
            shard->due_ms = INT64_MAX;
            act(shard, CURL_SOCKET_TIMEOUT, 0);
        }
        if (shard->multi && !shard->running && now_ms - shard->idle_since_ms > IDLE_SHARD_MS)
            close_shard(shard);
    }
}

int64_t bb_engine_due_ms(const struct bb_engine *engine) {
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < ALL_SHARDS; i++)
        due = engine->shards[i].due_ms < due ? engine->shards[i].due_ms : due;
    return due;
}

struct bb_transfer *bb_engine_finished(struct bb_engine *engine) {
    struct bb_transfer *transfer = engine->finished;
    if (transfer)
        DL_DELETE2(engine->finished, transfer, previous, next);
    return transfer;
}
