#include "delivery/identity.h"

#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "event/event_json.h"

enum { ID_BYTES = 16 };

static const char *digest_id(struct bb_arena *arena, const char *prefix, const char *data,
                             size_t length) {
    unsigned char digest[BB_SHA256_SIZE];
    char hex[2 * ID_BYTES + 1];
    if (!bb_sha256(data, length, digest))
        return arena->failed = true, NULL;
    bb_hex(digest, ID_BYTES, hex);
    return bb_arena_join(arena, "%s%s", prefix, hex);
}

const char *bb_identity_of_event(struct bb_arena *arena, const bb_event *event) {
    struct bb_buf json;
    const char *id = NULL;
    bb_buf_init(&json, arena->mem, BB_EVENT_JSON_MAX);
    if (bb_event_json(event, arena, &json))
        id = digest_id(arena, "evt_", json.data, json.length);
    bb_buf_free(&json);
    return id;
}

const char *bb_identity_of_id(struct bb_arena *arena, const char *id) {
    if (strnlen(id, BB_EVENT_ID_MAX + 1) <= BB_EVENT_ID_MAX)
        return id;
    return digest_id(arena, "evt_", id, strlen(id));
}

const char *bb_identity_of_delivery(struct bb_arena *arena, const char *event_id,
                                    const char *webhook_id) {
    /* a length before the first id: "a" + "bc" is not "ab" + "c" */
    char room[BB_INTEGER_SIZE];
    const char *length = bb_text_digits((int64_t)strlen(event_id), room);
    const char *both = bb_arena_join(arena, "%s:%s%s", length, event_id, webhook_id);
    return both ? digest_id(arena, "msg_", both, strlen(both)) : NULL;
}
