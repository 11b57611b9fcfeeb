#include "event/webhook.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "event/names.h"

enum {
    ID_MAX = 255,
    NAME_MAX_BYTES = 1024,
    KEYWORD_MAX = 200, /* bytes: it is never cut */
};

const char *bb_webhook_called(const bb_webhook *webhook) {
    return webhook->name && *webhook->name ? webhook->name : webhook->id;
}

const char *bb_webhook_label(const bb_webhook *webhook, char out[104]) {
    const char *name = bb_webhook_called(webhook);
    bb_text_copy(out, 101, name ? name : "?");
    bb_text_safe(out);
    return out;
}

int bb_webhook_fail(bb_error *error, bb_code code, const bb_webhook *webhook, const char *what) {
    char label[104];
    return bb_fail(error, code, "webhook \"%s\": %s", bb_webhook_label(webhook, label), what);
}

static bool has_null_type(const bb_webhook *w) {
    for (size_t i = 0; i < w->issue_type_count; i++)
        if (!w->issue_types || !w->issue_types[i])
            return true;
    return false;
}

/* Pasted or read from a file: a signature with it would never be right. */
static bool is_sloppy(const char *secret) {
    return secret && *secret &&
           (isspace((unsigned char)*secret) || isspace((unsigned char)secret[strlen(secret) - 1]));
}

/* What is wrong, or NULL. */
static const char *find_mistake(const bb_webhook *w) {
    const uint32_t statuses = BB_ISSUE_OPEN | BB_ISSUE_DONE | BB_ISSUE_CANCELED;
    if (!w->id || !*w->id)
        return "id and name are both missing: give it one";
    if (strlen(w->id) > ID_MAX)
        return "id: is longer than 255 bytes";
    if (w->name && strnlen(w->name, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
        return "name: is longer than 1024 bytes";
    if (w->issue_types && w->issue_type_count == 0)
        return "issue_types: is empty, which would match nothing: give NULL for any";
    if (!*bb_type_name(w->type))
        return "type: is not one of BB_SLACK, BB_DISCORD, ...";
    if (w->activities & ~BB_ACTIVITY_ALL)
        return "activities: has a bit that is no activity";
    if (!bb_language_is_valid((int)w->language))
        return "language: is neither BB_ENGLISH nor BB_CHINESE";
    if (!bb_level_is_valid((int)w->min_level))
        return "min_level: is not one of BB_INFO, BB_SUCCESS, BB_WARN, BB_ERROR";
    if (w->issue_statuses & ~statuses)
        return "issue_statuses: has a bit that is no issue status";
    if (has_null_type(w))
        return "issue_types: has an entry that is NULL";
    if (is_sloppy(w->secret))
        return "secret: begins or ends with a blank or newline";
    if (w->keyword && strlen(w->keyword) > KEYWORD_MAX)
        return "keyword: is longer than 200 bytes";
    return NULL;
}

int bb_webhook_read(bb_webhook *out, const bb_webhook *webhook, bb_error *error) {
    int code = bb_struct_read(out, sizeof *out, webhook, "webhook", error);
    if (code)
        return code;
    if (!out->id || !*out->id)
        out->id = out->name;
    const char *mistake = find_mistake(out);
    return mistake ? bb_webhook_fail(error, BB_ERR_WEBHOOK, out, mistake) : BB_OK;
}

static void keep(const char **text, struct bb_arena *arena) {
    if (*text)
        *text = bb_arena_copy(arena, *text, strlen(*text));
}

static void keep_types(bb_webhook *webhook, struct bb_arena *arena) {
    size_t count = webhook->issue_type_count;
    const char **types = count ? bb_arena_alloc(arena, count * sizeof *types) : NULL;
    for (size_t i = 0; types && i < count; i++) {
        types[i] = webhook->issue_types[i];
        keep(&types[i], arena);
    }
    webhook->issue_types = types;
}

bool bb_webhook_keep(bb_webhook *webhook, struct bb_arena *arena) {
    keep(&webhook->id, arena);
    keep(&webhook->name, arena);
    keep(&webhook->url, arena);
    keep(&webhook->secret, arena);
    keep(&webhook->keyword, arena);
    keep(&webhook->button_text, arena);
    keep_types(webhook, arena);
    return !arena->failed;
}
