/* 1,000 new TLS connections at once, trusted by a bundle of all the usual authorities. */
#include "bench/background.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/server.h"

enum { CONNECTIONS = 1000 };

static bool append(FILE *to, const char *path) {
    FILE *from = fopen(path, "rb");
    char bytes[4096];
    size_t n;
    if (!from)
        return false;
    while ((n = fread(bytes, 1, sizeof bytes, from)) > 0)
        fwrite(bytes, 1, n, to);
    fclose(from);
    return true;
}

/* The system's bundle and the server's own certificate. */
static bool make_bundle(const char *path, const char *certificate) {
    const char *system = curl_version_info(CURLVERSION_NOW)->cainfo;
    FILE *bundle = fopen(path, "wb");
    if (!bundle)
        return false;
    bool ok = append(bundle, certificate) && system && append(bundle, system);
    return fclose(bundle) == 0 && ok;
}

static bool add_hooks(bb_dispatcher *dispatcher, const server *receiver) {
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        char name[32], url[64];
        bb_webhook hook = BB_WEBHOOK_INIT;
        snprintf(name, sizeof name, "%u", i);
        snprintf(url, sizeof url, "https://127.0.0.1:%d/%u", server_port(receiver), i);
        hook.name = name;
        hook.url = url;
        hook.type = BB_CUSTOM;
        hook.activities = BB_ACTIVITY_ALL;
        if (bb_dispatcher_add(dispatcher, &hook, NULL) != BB_OK)
            return false;
    }
    return true;
}

static bool connect_all(bb_dispatcher *dispatcher, server *receiver, double *cpu_ms,
                        double *bytes) {
    struct bench_sample sample;
    bench_sample_init(&sample);
    bench_sample_next(&sample, 1);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    double cpu = bench_cpu_s();
    bool ok = bb_webhook_enqueue(dispatcher, &sample.event, NULL, NULL, NULL) == BB_OK &&
              bb_dispatcher_start(dispatcher, NULL) == BB_OK &&
              server_wait_requests(receiver, CONNECTIONS, 60000);
    server_release(receiver);
    ok = ok && bb_dispatcher_flush(dispatcher, 60000, NULL) == BB_OK;
    *cpu_ms = (bench_cpu_s() - cpu) * 1e3 / CONNECTIONS;
    *bytes = (double)(mallinfo2().uordblks + mallinfo2().hblkhd - before) / CONNECTIONS;
    bb_dispatcher_stop(dispatcher, 0, NULL, NULL);
    return ok && server_connections(receiver) == CONNECTIONS;
}

/* The same connections by a bare multi handle, with a body of the same kind. */
static bool connect_bare(server *receiver, const char *bundle, double *cpu_ms) {
    static char text[CONNECTIONS][64];
    const char *urls[CONNECTIONS];
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        snprintf(text[i], sizeof text[i], "https://127.0.0.1:%d/%u", server_port(receiver), i);
        urls[i] = text[i];
    }
    bb_request *request = bench_bare_request(BB_CUSTOM);
    struct bench_bare *bare = bench_bare_open(&(struct bench_bare_config){.urls = urls,
                                                                          .url_count = CONNECTIONS,
                                                                          .at_once = CONNECTIONS,
                                                                          .request = request,
                                                                          .ca_file = bundle});
    double cpu = bench_cpu_s();
    bool ok = bench_bare_run(bare, CONNECTIONS);
    *cpu_ms = (bench_cpu_s() - cpu) * 1e3 / CONNECTIONS;
    bench_bare_close(bare);
    bb_request_free(request);
    return ok && server_connections(receiver) == CONNECTIONS;
}

static bool run_bare(double *cpu_ms) {
    char bundle[] = "/tmp/bench_bundle_XXXXXX";
    server *receiver =
        server_start(&(server_options){.tls_names = "IP:127.0.0.1", .own_process = 1});
    const server_step yes = {.status = 200, .body = "{\"code\":0}"};
    int fd = mkstemp(bundle);
    server_on(receiver, NULL, &yes, 1);
    bool ok = fd >= 0 && make_bundle(bundle, server_ca_file(receiver)) &&
              connect_bare(receiver, bundle, cpu_ms);
    server_stop(receiver);
    remove(bundle);
    return ok;
}

static bool run_once(double *cpu_ms, double *bytes) {
    char bundle[] = "/tmp/bench_bundle_XXXXXX";
    server *receiver =
        server_start(&(server_options){.tls_names = "IP:127.0.0.1", .own_process = 1});
    const server_step yes = {.status = 200, .hold = 1, .body = "{\"code\":0}"};
    bb_background_options background = BB_BACKGROUND_OPTIONS_INIT;
    bb_options options = BB_OPTIONS_INIT;
    bb_dispatcher *dispatcher = NULL;
    int fd = mkstemp(bundle);
    server_on(receiver, NULL, &yes, 1);
    background.max_in_flight = 2 * CONNECTIONS; /* an unknown webhook may not take the last ones */
    options.background = &background;
    options.ca_file = bundle;
    options.timeout_ms = options.connect_timeout_ms = 60000;
    options.insecure_allow_private_addresses = 1;
    bool ok = fd >= 0 && make_bundle(bundle, server_ca_file(receiver)) &&
              bb_dispatcher_new(&options, &dispatcher, NULL) == BB_OK &&
              add_hooks(dispatcher, receiver) && connect_all(dispatcher, receiver, cpu_ms, bytes);
    bb_dispatcher_free(dispatcher);
    server_stop(receiver);
    remove(bundle);
    return ok;
}

bool bench_tls(unsigned rounds) {
    double cpu_ms[BENCH_MAX_ROUNDS], bytes[BENCH_MAX_ROUNDS], bare_ms[BENCH_MAX_ROUNDS],
        ratios[BENCH_MAX_ROUNDS];
    for (unsigned i = 0; i < rounds; i++) {
        if (!run_bare(&bare_ms[i]) || !run_once(&cpu_ms[i], &bytes[i]))
            return false;
        ratios[i] = cpu_ms[i] / bare_ms[i];
    }
    printf("1,000 new TLS connections, each request answered\n    %.2f ms CPU each (at most 1.5), "
           "%.1f KiB each when idle (at most 64)\n    a bare multi handle %.2f ms: ratio %.2f\n\n",
           bench_median(cpu_ms, rounds), bench_median(bytes, rounds) / 1024,
           bench_median(bare_ms, rounds), bench_median(ratios, rounds));
    return true;
}
