#include "event/webhook.h"

#include <string.h>

#include "base/text.h"
#include "event/headers.h"
#include "event/names.h"

enum {
    ID_MAX = 255,
    NAME_MAX_BYTES = 1024,
    KEYWORD_MAX = 200, /* bytes: it is never cut */
    RATE_COUNT_MAX = 1000,
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
    static const char blanks[] = " \t\n\v\f\r";
    return secret && *secret &&
           (strchr(blanks, *secret) || strchr(blanks, secret[strlen(secret) - 1]));
}

static bool is_given(const char *text) {
    return text && *text;
}

/* "sha256//" and 32 bytes in base64; libcurl would compare with nothing else, in silence. */
static bool is_pin(const char *pin, size_t length) {
    static const char scheme[] = "sha256//";
    enum { SCHEME = sizeof scheme - 1, DIGITS = 43 };
    return length == SCHEME + DIGITS + 1 && strncmp(pin, scheme, SCHEME) == 0 &&
           strspn(pin + SCHEME, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "+/") == DIGITS &&
           pin[length - 1] == '=';
}

static bool are_pins(const char *pins) {
    for (;;) {
        size_t n = strcspn(pins, ";");
        if (!is_pin(pins, n))
            return false;
        if (!pins[n])
            return true;
        pins += n + 1;
    }
}

static const char *find_tls_mistake(const bb_webhook *w) {
    if (is_given(w->client_key) && !is_given(w->client_certificate))
        return "client_key: is given without client_certificate";
    if (is_given(w->client_key_password) && !is_given(w->client_certificate))
        return "client_key_password: is given without client_certificate";
    if (is_given(w->pinned_key) && !are_pins(w->pinned_key))
        return "pinned_key: is not sha256// and 44 characters of base64, or several with ; between";
    return NULL;
}

static const char *find_delivery_mistake(const bb_webhook *w) {
    if (w->order > BB_ORDER_WEBHOOK)
        return "order: is neither BB_ORDER_ISSUE nor BB_ORDER_WEBHOOK";
    if (w->when_unknown > BB_UNKNOWN_GIVE_UP)
        return "when_unknown: is not one of BB_UNKNOWN_RETRY, ...";
    if ((w->rate_count == 0) != (w->rate_period_ms == 0))
        return "rate_count and rate_period_ms: one is given without the other";
    if (w->rate_count > RATE_COUNT_MAX)
        return "rate_count: is more than 1,000";
    return NULL;
}

bool bb_webhook_has_tls(const bb_webhook *webhook) {
    return is_given(webhook->client_certificate) || is_given(webhook->pinned_key) ||
           is_given(webhook->ca_file);
}

/* What is wrong, or NULL. */
static const char *find_mistake(const bb_webhook *w) {
    const uint32_t statuses = BB_ISSUE_OPEN | BB_ISSUE_DONE | BB_ISSUE_CANCELED;
    if (!w->id || !*w->id)
        return "id and name are both missing: give it one";
    if (strlen(w->id) > ID_MAX)
        return "id: is longer than 255 bytes";
    if (!bb_text_is_utf8(w->id)) /* no database and no Prometheus would take it */
        return "id: is not UTF-8 (without an id the name serves as one)";
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
    if (is_sloppy(w->previous_secret))
        return "previous_secret: begins or ends with a blank or newline";
    if (w->previous_secret && *w->previous_secret && w->type != BB_CUSTOM)
        return "previous_secret: only Custom webhooks take a second one, remove it";
    if (w->keyword && strlen(w->keyword) > KEYWORD_MAX)
        return "keyword: is longer than 200 bytes";
    const char *mistake = find_tls_mistake(w);
    return mistake ? mistake : find_delivery_mistake(w);
}

int bb_webhook_read(bb_webhook *out, const bb_webhook *webhook, bb_error *error) {
    int code = bb_struct_read(out, sizeof *out, webhook, "webhook", error);
    if (code)
        return code;
    if (!out->id || !*out->id)
        out->id = out->name;
    const char *mistake = find_mistake(out);
    if (mistake)
        return bb_webhook_fail(error, BB_ERR_WEBHOOK, out, mistake);
    return bb_headers_check(out, error);
}

/* Texts one behind the other; without `to` they are only counted. */
struct packing {
    char *to;
    size_t size;
};

static void pack(struct packing *packing, const char **text) {
    if (!*text)
        return;
    size_t size = strlen(*text) + 1;
    if (packing->to)
        *text = memcpy(packing->to + packing->size, *text, size);
    packing->size += size;
}

/* Both lists are first, where they are aligned. */
static void pack_lists(struct packing *packing, bb_webhook *webhook) {
    size_t types_size = webhook->issue_type_count * sizeof *webhook->issue_types;
    size_t headers_size = webhook->header_count * sizeof *webhook->headers;
    const char **types = (void *)packing->to;
    bb_header *headers = packing->to ? (void *)(packing->to + types_size) : NULL;
    packing->size += types_size + headers_size;
    for (size_t i = 0; i < webhook->issue_type_count; i++) {
        const char *type = webhook->issue_types[i];
        pack(packing, &type);
        if (types)
            types[i] = type;
    }
    for (size_t i = 0; i < webhook->header_count; i++) {
        bb_header header = webhook->headers[i];
        pack(packing, &header.name);
        pack(packing, &header.value);
        if (headers)
            headers[i] = header;
    }
    if (!packing->to)
        return;
    webhook->issue_types = types_size ? types : NULL;
    webhook->headers = headers_size ? headers : NULL;
}

size_t bb_webhook_pack(bb_webhook *webhook, void *to) {
    struct packing packing = {.to = to};
    bool has_own_name = webhook->name && strcmp(webhook->name, webhook->id) != 0;
    pack_lists(&packing, webhook);
    pack(&packing, &webhook->id);
    if (has_own_name)
        pack(&packing, &webhook->name);
    else if (webhook->name)
        webhook->name = webhook->id;
    pack(&packing, &webhook->url);
    pack(&packing, &webhook->secret);
    pack(&packing, &webhook->previous_secret);
    pack(&packing, &webhook->authorization);
    pack(&packing, &webhook->keyword);
    pack(&packing, &webhook->button_text);
    pack(&packing, &webhook->client_certificate);
    pack(&packing, &webhook->client_key);
    pack(&packing, &webhook->client_key_password);
    pack(&packing, &webhook->pinned_key);
    pack(&packing, &webhook->ca_file);
    return packing.size;
}
