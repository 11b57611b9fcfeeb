/* Discord's webhooks. Lengths are code points of the trimmed text, as its staff say.
 * A URL without a version is served by API v6: milliseconds, and errors of another
 * shape. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "receiver_rules.h"

enum {
    MAX_CONTENT = 2000,
    MAX_EMBEDS = 10,
    MAX_EMBED_FIELDS = 25,
    MAX_EMBED_TOTAL = 6000,
    MAX_DESCRIPTION_BYTES = 9960, /* 2,490 signs of 4 bytes pass, more do not; measured */
    MAX_USERNAME = 80,
    MAX_MENTIONED = 100,
    MAX_COLOR = 0xffffff
};

static const char json_type[] = "application/json";

/* What is wrong with a form, and where: "embeds.0.fields.3.value". */
struct fault {
    char path[96];
    const char *code; /* NULL: nothing is wrong */
    char message[160];
};

struct text_rule {
    const char *key;
    size_t most;
    bool required;
};

static size_t trimmed_points(const char *text) {
    static const char blanks[] = " \t\r\n";
    text += strspn(text, blanks);
    size_t length = strlen(text);
    size_t trailing = 0;
    while (trailing < length && strchr(blanks, text[length - 1 - trailing]))
        trailing++;
    return code_points(text) - trailing;
}

static bool fail(struct fault *fault, const char *path, const char *code, const char *message) {
    snprintf(fault->path, sizeof(fault->path), "%s", path);
    fault->code = code;
    snprintf(fault->message, sizeof(fault->message), "%s", message);
    return false;
}

static bool fail_at(struct fault *fault, const char *path, const char *key, const char *code,
                    const char *message) {
    char whole[96];
    snprintf(whole, sizeof whole, "%s%s%s", path, *path ? "." : "", key);
    return fail(fault, whole, code, message);
}

static bool text_ok(const struct json *object, const char *path, const struct text_rule *rule,
                    struct fault *fault) {
    char limit[80];
    const struct json *value = json_member(object, rule->key);
    if (json_is(value, JSON_NULL) || (!value && !rule->required))
        return true;
    if (!json_is(value, JSON_STRING) || (rule->required && is_blank(value->text)))
        return fail_at(fault, path, rule->key, "BASE_TYPE_REQUIRED", "This field is required");
    if (trimmed_points(value->text) > rule->most) {
        snprintf(limit, sizeof limit, "Must be %zu or fewer in length.", rule->most);
        return fail_at(fault, path, rule->key, "BASE_TYPE_MAX_LENGTH", limit);
    }
    return true;
}

static bool url_ok(const struct json *object, const char *path, const char *key,
                   struct fault *fault) {
    const char *url = json_string(object, key);
    return !url || is_web_url(url) ||
           fail_at(fault, path, key, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
}

static bool color_ok(const struct json *embed, const char *path, struct fault *fault) {
    const struct json *color = json_member(embed, "color");
    return !color ||
           (json_is(color, JSON_NUMBER) && color->integer && color->number >= 0 &&
            color->number <= MAX_COLOR) ||
           fail_at(fault, path, "color", "NUMBER_TYPE_COERCE", "Value is not int.");
}

/* "2026-01-02T03:04:05Z", with a fraction or an offset if it likes. */
static bool is_iso_time(const char *text) {
    static const char shape[] = "0000-00-00T00:00:00";
    for (size_t i = 0; i + 1 < sizeof shape; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != shape[i])
            return false;
    }
    return strspn(text + sizeof shape - 1, ".0123456789Z+-:") == strlen(text + sizeof shape - 1);
}

static bool timestamp_ok(const struct json *embed, const char *path, struct fault *fault) {
    const struct json *time = json_member(embed, "timestamp");
    return !time || (json_is(time, JSON_STRING) && is_iso_time(time->text)) ||
           fail_at(fault, path, "timestamp", "DATE_TIME_TYPE_PARSE",
                   "Could not parse. Should be ISO8601.");
}

static bool fields_ok(const struct json *embed, const char *path, struct fault *fault) {
    static const struct text_rule rules[] = {{"name", 256, true}, {"value", 1024, true}};
    const struct json *fields = json_member(embed, "fields");
    size_t index = 0;
    if (json_count(fields) > MAX_EMBED_FIELDS) {
        return fail_at(fault, path, "fields", "BASE_TYPE_MAX_LENGTH",
                       "Must be 25 or fewer in length.");
    }
    for (const struct json *field = json_first(fields); field; field = field->next) {
        char at[64];
        snprintf(at, sizeof at, "%.40s.fields.%zu", path, index++);
        if (!text_ok(field, at, &rules[0], fault) || !text_ok(field, at, &rules[1], fault))
            return false;
    }
    return true;
}

static bool part_ok(const struct json *embed, const char *path, const char *key,
                    const struct text_rule *rule, struct fault *fault) {
    char at[64];
    const struct json *part = json_member(embed, key);
    snprintf(at, sizeof at, "%.40s.%s", path, key);
    return !part || (text_ok(part, at, rule, fault) && url_ok(part, at, "icon_url", fault));
}

static bool description_ok(const struct json *embed, const char *path, struct fault *fault) {
    static const struct text_rule rule = {"description", 4096, false};
    const char *text = json_string(embed, "description");
    return text_ok(embed, path, &rule, fault) &&
           (!text || strlen(text) <= MAX_DESCRIPTION_BYTES ||
            fail_at(fault, path, "description", "BASE_TYPE_MAX_LENGTH",
                    "Must be 4096 or fewer in length."));
}

static bool embed_ok(const struct json *embed, const char *path, struct fault *fault) {
    static const struct text_rule title = {"title", 256, false};
    static const struct text_rule footer = {"text", 2048, true};
    static const struct text_rule author = {"name", 256, true};
    return text_ok(embed, path, &title, fault) && description_ok(embed, path, fault) &&
           url_ok(embed, path, "url", fault) && color_ok(embed, path, fault) &&
           timestamp_ok(embed, path, fault) && fields_ok(embed, path, fault) &&
           part_ok(embed, path, "footer", &footer, fault) &&
           part_ok(embed, path, "author", &author, fault);
}

static size_t points_of(const struct json *object, const char *key) {
    const char *text = json_string(object, key);
    return text ? trimmed_points(text) : 0;
}

static size_t embed_points(const struct json *embed) {
    const struct json *fields = json_member(embed, "fields");
    size_t sum = points_of(embed, "title") + points_of(embed, "description") +
                 points_of(json_member(embed, "footer"), "text") +
                 points_of(json_member(embed, "author"), "name");
    for (const struct json *field = json_first(fields); field; field = field->next)
        sum += points_of(field, "name") + points_of(field, "value");
    return sum;
}

static bool embeds_ok(const struct json *message, struct fault *fault) {
    const struct json *embeds = json_member(message, "embeds");
    size_t index = 0;
    size_t sum = 0;
    if (json_count(embeds) > MAX_EMBEDS)
        return fail(fault, "embeds", "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.");
    for (const struct json *embed = json_first(embeds); embed; embed = embed->next) {
        char path[24];
        snprintf(path, sizeof path, "embeds.%zu", index++);
        if (!embed_ok(embed, path, fault))
            return false;
        sum += embed_points(embed);
    }
    return sum <= MAX_EMBED_TOTAL || fail(fault, "embeds", "MAX_EMBED_SIZE_EXCEEDED",
                                          "Embed size exceeds maximum size of 6000");
}

static bool mentions_ok(const struct json *message, struct fault *fault) {
    const struct json *allowed = json_member(message, "allowed_mentions");
    const struct json *parse = json_member(allowed, "parse");
    size_t users = json_count(json_member(allowed, "users"));
    if (users > MAX_MENTIONED) {
        return fail(fault, "allowed_mentions.users", "BASE_TYPE_MAX_LENGTH",
                    "Must be 100 or fewer in length.");
    }
    return users == 0 || !holds_text(parse, "users") ||
           fail(fault, "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                "parse:[\\\"users\\\"] and users: [ids...] are mutually exclusive.");
}

static bool contains_word(const char *text, const char *word) {
    size_t length = strlen(word);
    while (*text && strncasecmp(text, word, length) != 0)
        text++;
    return *text != '\0';
}

static bool username_ok(const struct json *message, struct fault *fault) {
    static const struct text_rule rule = {"username", MAX_USERNAME, false};
    const char *name = json_string(message, "username");
    return text_ok(message, "", &rule, fault) &&
           (!name || (!contains_word(name, "discord") && !contains_word(name, "clyde")) ||
            fail(fault, "username", "USERNAME_INVALID_CONTAINS",
                 "Username cannot contain \\\"discord\\\""));
}

static bool form_ok(const struct json *message, struct fault *fault) {
    static const struct text_rule content = {"content", MAX_CONTENT, false};
    return text_ok(message, "", &content, fault) && username_ok(message, fault) &&
           embeds_ok(message, fault) && mentions_ok(message, fault);
}

/* {"embeds":{"0":{"title":{"_errors":[...]}}}} */
static void answer_form_fault(struct receiver_answer *answer, const struct fault *fault) {
    char open[256] = "";
    char close[32] = "";
    size_t depth = 0;
    for (const char *at = fault->path; *at; at += *at == '.') {
        size_t length = strcspn(at, ".");
        size_t used = strlen(open);
        snprintf(open + used, sizeof open - used, "\"%.*s\":{", (int)length, at);
        if (depth + 1 < sizeof close)
            close[depth++] = '}';
        at += length;
    }
    answer_with(answer, 400, json_type,
                "{\"message\":\"Invalid Form Body\",\"code\":50035,\"errors\":{%s\"_errors\":"
                "[{\"code\":\"%s\",\"message\":\"%s\"}]%s}}",
                open, fault->code, fault->message, close);
}

/* v6 names the first part of the path and says the next, or what is wrong. */
static void answer_old_form_fault(struct receiver_answer *answer, const struct fault *fault) {
    size_t first = strcspn(fault->path, ".");
    const char *rest = fault->path + first + (fault->path[first] == '.');
    answer_with(answer, 400, json_type, "{\"%.*s\":[\"%.*s\"]}", (int)first, fault->path,
                *rest ? (int)strcspn(rest, ".") : (int)strlen(fault->message),
                *rest ? rest : fault->message);
}

static bool is_versioned(const struct receiver_request *request) {
    return strncmp(request->target, "/api/v", 6) == 0;
}

static void answer_accepted(const struct receiver_call *call) {
    char wait[8] = "";
    query_value(call->request->target, "wait", wait, sizeof wait);
    if (strcmp(wait, "true") != 0) {
        answer_with(call->answer, 204, json_type, "%s", "");
        return;
    }
    answer_with(call->answer, 200, json_type,
                "{\"id\":\"1384211060932837376\",\"type\":0,\"content\":\"\",\"channel_id\":"
                "\"1381967421034004480\",\"webhook_id\":\"1382011520038440960\",\"author\":{"
                "\"id\":\"1382011520038440960\",\"username\":\"Bytebase\",\"bot\":true},"
                "\"embeds\":[],\"attachments\":[],\"mentions\":[],\"mention_everyone\":false,"
                "\"pinned\":false,\"tts\":false,\"flags\":0}");
}

static void answer_message(const struct receiver_call *call) {
    struct fault fault = {"", NULL, ""};
    if (is_blank(json_string(call->message, "content")) &&
        json_count(json_member(call->message, "embeds")) == 0) {
        answer_with(call->answer, 400, json_type,
                    "{\"message\":\"Cannot send an empty message\",\"code\":50006}");
    } else if (form_ok(call->message, &fault)) {
        answer_accepted(call);
    } else if (is_versioned(call->request)) {
        answer_form_fault(call->answer, &fault);
    } else {
        answer_old_form_fault(call->answer, &fault);
    }
}

void discord_check(const struct receiver_call *call) {
    static const struct fault bad_type = {
        "", "CONTENT_TYPE_INVALID",
        "Expected \\\"Content-Type\\\" header to be one of {'application/json'}."};
    const struct receiver_request *request = call->request;
    struct receiver_answer *answer = call->answer;
    if (!request_header(request, "User-Agent")) {
        answer_with(answer, 403, "text/plain", "error code: 1010");
    } else if (!path_matches(request->target, "/api/v10/webhooks/*/*") &&
               !path_matches(request->target, "/api/webhooks/*/*")) {
        answer_with(answer, 404, json_type, "{\"message\":\"404: Not Found\",\"code\":0}");
    } else if (!is_post(request)) {
        answer_with(answer, 405, json_type, "{\"message\":\"405: Method Not Allowed\",\"code\":0}");
    } else if (!has_json_type(request)) {
        answer_form_fault(answer, &bad_type);
    } else if (!call->message) {
        answer_with(answer, 400, json_type,
                    "{\"message\":\"The request body contains invalid JSON.\",\"code\":50109}");
    } else {
        answer_message(call);
    }
}

/* v6 counts in milliseconds, in the header too. */
void discord_too_many(const struct receiver_call *call, int64_t wait_ms) {
    static const char format[] =
        "{\"message\":\"You are being rate limited.\",\"retry_after\":%.*f,\"global\":false}";
    bool versioned = is_versioned(call->request);
    double wait = versioned ? (double)wait_ms / 1000 : (double)wait_ms;
    answer_retry_after(call->answer, versioned ? wait_ms : wait_ms * 1000);
    answer_with(call->answer, 429, json_type, format, versioned ? 3 : 0, wait);
}
