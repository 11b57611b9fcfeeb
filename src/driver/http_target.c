/* A URL that is parsed once for all its attempts. */
#include <string.h>

#include "driver/http_transfer.h"

/* FNV-1a. */
static uint32_t hash_of(const char *text) {
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static bool parse(struct bb_http_target *target, const char *text) {
    const struct bb_url *parts = &target->parts;
    if (!bb_url_split(&target->arena, text, &target->parts))
        return false;
    const char *usual = strcmp(parts->scheme, "https") == 0 ? "443" : "80";
    target->hash = hash_of(text);
    target->place =
        bb_arena_join(&target->arena, "%s:%s", parts->host, *parts->port ? parts->port : usual);
    target->url = curl_url();
    return target->place && target->url &&
           curl_url_set(target->url, CURLUPART_URL, text, CURLU_PATH_AS_IS) == CURLUE_OK;
}

struct bb_http_target *bb_http_target_new(const bb_allocator *mem, const char *text,
                                          atomic_size_t *count) {
    enum { USUAL_PARTS = 192 };
    struct bb_http_target *target = bb_mem_zalloc(mem, sizeof *target);
    if (!target)
        return NULL;
    target->count = count;
    atomic_fetch_add(count, 1);
    bb_arena_init_secret(&target->arena, mem);
    bb_arena_expect(&target->arena, USUAL_PARTS);
    if (parse(target, text))
        return target;
    bb_http_target_free(target);
    return NULL;
}

const struct bb_url *bb_http_target_parts(const struct bb_http_target *target) {
    return &target->parts;
}

void bb_http_target_free(struct bb_http_target *target) {
    if (!target)
        return;
    atomic_fetch_sub(target->count, 1);
    curl_url_cleanup(target->url);
    bb_arena_free(&target->arena);
    bb_mem_free(target->arena.mem, target);
}
