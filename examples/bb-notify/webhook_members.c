#include "webhook_members.h"

#include <stdlib.h>
#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* The number of a name; 0 for a name that there is not. */
typedef unsigned (*name_number)(const char *name);

static unsigned activity_number(const char *name) {
    return (unsigned)bb_activity_from_name(name);
}

static unsigned issue_status_number(const char *name) {
    return (unsigned)bb_issue_status_from_name(name);
}

static unsigned type_number(const char *name) {
    return (unsigned)bb_type_from_name(name);
}

static unsigned language_number(const char *name) {
    return (unsigned)bb_language_from_name(name);
}

static unsigned level_number(const char *name) {
    return (unsigned)bb_level_from_name(name);
}

static bool read_number(const cJSON *value, name_number number_of, unsigned *number,
                        struct mistake *mistake) {
    const char *name;
    if (!read_text(value, &name, mistake))
        return false;
    *number = number_of(name);
    return *number != 0 || mistaken(mistake, "\"%s\" is not known", name);
}

static bool read_type(const cJSON *value, void *field, struct mistake *mistake) {
    unsigned number = 0;
    bool known = read_number(value, type_number, &number, mistake);
    *(bb_type *)field = (bb_type)number;
    return known;
}

static bool read_language(const cJSON *value, void *field, struct mistake *mistake) {
    unsigned number = 0;
    bool known = read_number(value, language_number, &number, mistake);
    *(bb_language *)field = (bb_language)number;
    return known;
}

static bool read_level(const cJSON *value, void *field, struct mistake *mistake) {
    unsigned number = 0;
    bool known = read_number(value, level_number, &number, mistake);
    *(bb_level *)field = (bb_level)number;
    return known;
}

static bool read_order(const cJSON *value, void *field, struct mistake *mistake) {
    static const char *const names[] = {"issue", "webhook", NULL};
    unsigned choice = 0;
    bool known = read_choice(value, names, &choice, mistake);
    *(bb_order *)field = (bb_order)choice;
    return known;
}

static bool read_when_unknown(const cJSON *value, void *field, struct mistake *mistake) {
    static const char *const names[] = {"retry", "once_more", "give_up", NULL};
    unsigned choice = 0;
    bool known = read_choice(value, names, &choice, mistake);
    *(bb_when_unknown *)field = (bb_when_unknown)choice;
    return known;
}

static bool read_set(const cJSON *list, name_number number_of, uint32_t *set,
                     struct mistake *mistake) {
    const cJSON *value;
    unsigned bit;
    *set = 0;
    cJSON_ArrayForEach(value, list) {
        if (!read_number(value, number_of, &bit, mistake))
            return false;
        *set |= bit;
    }
    return true;
}

/* An empty list is a wish too: it matches nothing. */
static bool read_activities(const cJSON *value, void *field, struct mistake *mistake) {
    uint32_t *set = field;
    if (cJSON_IsArray(value))
        return read_set(value, activity_number, set, mistake);
    *set = BB_ACTIVITY_ALL;
    return (cJSON_IsString(value) && strcmp(value->valuestring, "all") == 0) ||
           mistaken(mistake, "must be a list of activity types, or \"all\"");
}

/* For the library an empty set here means any, which no one means by []. */
static bool is_filled_list(const cJSON *value, struct mistake *mistake) {
    return (cJSON_IsArray(value) && value->child) ||
           mistaken(mistake, "must be a list of at least one; leave it out for any");
}

static bool read_issue_statuses(const cJSON *value, void *field, struct mistake *mistake) {
    return is_filled_list(value, mistake) && read_set(value, issue_status_number, field, mistake);
}

/* `field` is the whole webhook: the list and its count are two members of it. */
static bool read_issue_types(const cJSON *value, void *field, struct mistake *mistake) {
    bb_webhook *webhook = field;
    const cJSON *element;
    if (!is_filled_list(value, mistake))
        return false;
    const char **types = calloc((size_t)cJSON_GetArraySize(value), sizeof *types);
    if (!types)
        return mistaken(mistake, "out of memory");
    webhook->issue_types = types;
    cJSON_ArrayForEach(element, value) {
        if (!read_text(element, &types[webhook->issue_type_count], mistake))
            return false;
        webhook->issue_type_count++;
    }
    return true;
}

/* {"X-Key": "value"}; `field` as above. What may stand there the library checks. */
static bool read_headers(const cJSON *value, void *field, struct mistake *mistake) {
    bb_webhook *webhook = field;
    const cJSON *element;
    if (!cJSON_IsObject(value))
        return mistaken(mistake, "must be an object");
    bb_header *headers = calloc((size_t)cJSON_GetArraySize(value) + 1, sizeof *headers);
    if (!headers)
        return mistaken(mistake, "out of memory");
    webhook->headers = headers;
    cJSON_ArrayForEach(element, value) {
        bb_header *header = &headers[webhook->header_count++];
        header->name = element->string;
        if (!read_text(element, &header->value, mistake))
            return false; /* without the name: it may be a line with its secret */
    }
    return true;
}

#define AT(field) offsetof(bb_webhook, field)

static const struct member members[] = {
    {"id", read_filled_text, AT(id), false},
    {"name", read_filled_text, AT(name), true},
    {"project_id", read_integer, AT(project_id), false},
    {"type", read_type, AT(type), true},
    {"url", read_filled_text, AT(url), true},
    {"activities", read_activities, AT(activities), true},
    {"secret", read_text, AT(secret), false},
    {"previous_secret", read_text, AT(previous_secret), false},
    {"authorization", read_text, AT(authorization), false},
    {"headers", read_headers, 0, false},
    {"client_certificate", read_readable_path, AT(client_certificate), false},
    {"client_key", read_readable_path, AT(client_key), false},
    {"client_key_password", read_text, AT(client_key_password), false},
    {"pinned_key", read_filled_text, AT(pinned_key), false},
    {"ca_file", read_readable_path, AT(ca_file), false},
    {"language", read_language, AT(language), false},
    {"enabled", read_opposite_flag, AT(disabled), false},
    {"min_level", read_level, AT(min_level), false},
    {"issue_statuses", read_issue_statuses, AT(issue_statuses), false},
    {"issue_types", read_issue_types, 0, false},
    {"insecure_allow_private_addresses", read_flag, AT(insecure_allow_private_addresses), false},
    {"allow_any_2xx", read_flag, AT(allow_any_2xx), false},
    {"teams_connector", read_flag, AT(teams_connector), false},
    {"dingtalk_action_card", read_flag, AT(dingtalk_action_card), false},
    {"order", read_order, AT(order), false},
    {"when_unknown", read_when_unknown, AT(when_unknown), false},
    {"max_in_flight", read_count, AT(max_in_flight), false},
    {"rate_count", read_count, AT(rate_count), false},
    {"rate_period_ms", read_milliseconds, AT(rate_period_ms), false},
    {"no_rate", read_flag, AT(no_rate), false},
    {"age_limit_s", read_count, AT(age_limit_s), false},
    {"max_attempts", read_count, AT(max_attempts), false},
};

bool webhook_read(const cJSON *json, bb_webhook *webhook, struct mistake *mistake) {
    return members_read(json, members, LENGTH(members), webhook, mistake);
}

void webhook_clear(bb_webhook *webhook) {
    free((void *)webhook->issue_types);
    free((void *)webhook->headers);
}
