#include "bench/background.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { DESCRIPTORS = 16384 };

struct bench_bare {
    CURLM *multi;
    CURL **easies;
    CURLU **urls;
    unsigned url_count, next_url;
    unsigned at_once;
    struct curl_slist *headers;
    int epoll;
    uint32_t registered[DESCRIPTORS];
    bool wanted[DESCRIPTORS];
    double due_s; /* 0: none */
};

static size_t ignore(char *data, size_t size, size_t count, void *user) {
    (void)data, (void)user;
    return size * count;
}

static void set_interest(struct bench_bare *bare, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (bare->registered[fd] == events)
        return;
    int how = !events ? EPOLL_CTL_DEL : bare->registered[fd] ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    epoll_ctl(bare->epoll, how, fd, &event);
    bare->registered[fd] = events;
}

static int on_interest(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user) {
    struct bench_bare *bare = user;
    (void)easy, (void)socket_user;
    bare->wanted[fd] = what != CURL_POLL_REMOVE;
    if (what == CURL_POLL_REMOVE && !(bare->registered[fd] & EPOLLOUT))
        return 0;
    set_interest(bare, fd,
                 what == CURL_POLL_IN      ? EPOLLIN
                 : what == CURL_POLL_OUT   ? EPOLLOUT
                 : what == CURL_POLL_INOUT ? EPOLLIN | EPOLLOUT
                                           : 0);
    return 0;
}

static int on_close(void *user, curl_socket_t fd) {
    struct bench_bare *bare = user;
    bare->registered[fd] = 0;
    return close(fd);
}

static int on_timer(CURLM *multi, long timeout_ms, void *user) {
    struct bench_bare *bare = user;
    (void)multi;
    bare->due_s = timeout_ms < 0 ? 0 : bench_now_s() + (double)timeout_ms / 1e3;
    return 0;
}

static CURL *new_easy(struct bench_bare *bare, const struct bench_bare_config *config) {
    size_t length;
    const char *body = bb_request_body(config->request, BB_REAL, &length);
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, bare->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, bare);
    if (config->ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* else the bundle is read each time */
    }
    return easy;
}

static void add_headers(struct bench_bare *bare, const bb_request *request) {
    for (size_t i = 0; i < bb_request_header_count(request); i++) {
        char line[512];
        snprintf(line, sizeof line, "%s: %s", bb_request_header_name(request, i),
                 bb_request_header_value(request, i, BB_REAL));
        bare->headers = curl_slist_append(bare->headers, line);
    }
}

struct bench_bare *bench_bare_open(const struct bench_bare_config *config) {
    struct bench_bare *bare = calloc(1, sizeof *bare);
    bare->multi = curl_multi_init();
    bare->epoll = epoll_create1(0);
    bare->url_count = config->url_count;
    bare->at_once = config->at_once;
    bare->easies = calloc(config->at_once, sizeof *bare->easies);
    bare->urls = calloc(config->url_count, sizeof *bare->urls);
    add_headers(bare, config->request);
    curl_multi_setopt(bare->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(bare->multi, CURLMOPT_SOCKETDATA, bare);
    curl_multi_setopt(bare->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(bare->multi, CURLMOPT_TIMERDATA, bare);
    curl_multi_setopt(bare->multi, CURLMOPT_MAXCONNECTS, 2L * config->at_once + 64);
    for (unsigned i = 0; i < config->url_count; i++) {
        bare->urls[i] = curl_url();
        curl_url_set(bare->urls[i], CURLUPART_URL, config->urls[i], 0);
    }
    for (unsigned i = 0; i < config->at_once; i++)
        bare->easies[i] = new_easy(bare, config);
    return bare;
}

void bench_bare_close(struct bench_bare *bare) {
    for (unsigned i = 0; i < bare->at_once; i++)
        curl_easy_cleanup(bare->easies[i]);
    curl_multi_cleanup(bare->multi);
    for (unsigned i = 0; i < bare->url_count; i++)
        curl_url_cleanup(bare->urls[i]);
    curl_slist_free_all(bare->headers);
    close(bare->epoll);
    free(bare->easies);
    free(bare->urls);
    free(bare);
}

static void start(struct bench_bare *bare, CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_CURLU, bare->urls[bare->next_url++ % bare->url_count]);
    curl_multi_add_handle(bare->multi, easy);
}

/* Each handle posts again as soon as it is done. */
static bool collect(struct bench_bare *bare, unsigned *left, unsigned *running) {
    CURLMsg *message;
    int rest;
    bool ok = true;
    while ((message = curl_multi_info_read(bare->multi, &rest))) {
        CURL *easy = message->easy_handle;
        ok = ok && message->data.result == CURLE_OK;
        curl_multi_remove_handle(bare->multi, easy);
        (*running)--;
        if (*left > 0) {
            (*left)--;
            (*running)++;
            start(bare, easy);
        }
    }
    return ok;
}

static void turn(struct bench_bare *bare) {
    struct epoll_event events[64];
    int running, timeout_ms = bare->due_s == 0 ? 1000 : bare->due_s <= bench_now_s() ? 0 : 1;
    int count = epoll_wait(bare->epoll, events, 64, timeout_ms);
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
        if (bare->wanted[fd])
            curl_multi_socket_action(bare->multi, fd, what, &running);
        else
            set_interest(bare, fd, 0);
    }
    if (bare->due_s != 0 && bare->due_s <= bench_now_s()) {
        bare->due_s = 0;
        curl_multi_socket_action(bare->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

bb_request *bench_bare_request(bb_type type) {
    struct bench_sample sample;
    bb_options options = BB_OPTIONS_INIT;
    bb_webhook hook = BB_WEBHOOK_INIT;
    bb_request *request = NULL;
    options.insecure_allow_http = options.insecure_allow_private_addresses = 1;
    hook.name = "bench";
    hook.type = type;
    hook.url = "http://127.0.0.1/services/T0/B0/bench";
    hook.activities = BB_ACTIVITY_ALL;
    hook.allow_any_host = 1;
    bench_sample_init(&sample);
    bench_sample_next(&sample, 1);
    bb_webhook_prepare(&options, &hook, &sample.event, NULL, &request, NULL);
    return request;
}

bool bench_bare_run(struct bench_bare *bare, unsigned count) {
    unsigned left = count, running = 0;
    bool ok = true;
    for (; running < bare->at_once && left > 0; left--)
        start(bare, bare->easies[running++]);
    while (running > 0) {
        turn(bare);
        ok = collect(bare, &left, &running) && ok;
    }
    return ok;
}
