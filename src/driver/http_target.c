/* A URL that is parsed once for all its attempts. */
#include <stdio.h>
#include <string.h>

#include "driver/http_transfer.h"

/* FNV-1a. */
static uint32_t hash_of(const char *text) {
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static char *place_of(const bb_allocator *mem, const struct bb_url *url) {
    const char *port = *url->port ? url->port : strcmp(url->scheme, "https") == 0 ? "443" : "80";
    size_t size = strlen(url->host) + 1 + strlen(port) + 1;
    char *place = bb_mem_alloc(mem, size);
    if (place)
        snprintf(place, size, "%s:%s", url->host, port);
    return place;
}

struct bb_http_target *bb_http_target_new(const bb_allocator *mem, const struct bb_url *url,
                                          atomic_size_t *count) {
    struct bb_http_target *target = bb_mem_zalloc(mem, sizeof *target);
    if (!target)
        return NULL;
    target->mem = mem;
    target->count = count;
    atomic_fetch_add(count, 1);
    target->hash = hash_of(url->text);
    target->place = place_of(mem, url);
    target->url = curl_url();
    if (target->place && target->url &&
        curl_url_set(target->url, CURLUPART_URL, url->text, CURLU_PATH_AS_IS) == CURLUE_OK)
        return target;
    bb_http_target_free(target);
    return NULL;
}

void bb_http_target_free(struct bb_http_target *target) {
    if (!target)
        return;
    atomic_fetch_sub(target->count, 1);
    curl_url_cleanup(target->url);
    bb_mem_free(target->mem, target->place);
    bb_mem_free(target->mem, target);
}
