#include "members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXACT_INTEGERS 9007199254740992.0 /* 2^53: a double holds every integer up to here */

bool mistaken(struct mistake *mistake, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(mistake->text, sizeof mistake->text, format, arguments);
    va_end(arguments);
    return false;
}

bool mistaken_at(struct mistake *mistake, const char *place) {
    struct mistake inner = *mistake;
    return mistaken(mistake, "%s: %s", place, inner.text);
}

/* `count` for a name that the table does not have. */
static size_t find_member(const struct member *table, size_t count, const char *name) {
    size_t i = 0;
    while (i < count && strcmp(table[i].name, name) != 0)
        i++;
    return i;
}

static bool read_member(const struct member *member, const cJSON *value, void *target,
                        struct mistake *mistake) {
    if (member->read(value, (char *)target + member->offset, mistake))
        return true;
    return mistaken_at(mistake, member->name);
}

static bool all_required(const struct member *table, size_t count, uint64_t given,
                         struct mistake *mistake) {
    for (size_t i = 0; i < count; i++)
        if (table[i].required && !(given >> i & 1))
            return mistaken(mistake, "%s: is missing", table[i].name);
    return true;
}

bool members_read(const cJSON *object, const struct member *table, size_t count, void *target,
                  struct mistake *mistake) {
    uint64_t given = 0;
    const cJSON *value;
    if (!cJSON_IsObject(object))
        return mistaken(mistake, "must be an object");
    cJSON_ArrayForEach(value, object) {
        size_t i = find_member(table, count, value->string);
        if (i == count)
            return mistaken(mistake, "%s: there is no such member", value->string);
        if (given >> i & 1)
            return mistaken(mistake, "%s: is given twice", value->string);
        if (cJSON_IsNull(value))
            continue;
        given |= UINT64_C(1) << i;
        if (!read_member(&table[i], value, target, mistake))
            return false;
    }
    return all_required(table, count, given, mistake);
}

bool read_text(const cJSON *value, void *field, struct mistake *mistake) {
    if (!cJSON_IsString(value))
        return mistaken(mistake, "must be a string");
    *(const char **)field = value->valuestring;
    return true;
}

bool read_filled_text(const cJSON *value, void *field, struct mistake *mistake) {
    if (!read_text(value, field, mistake))
        return false;
    return value->valuestring[0] != '\0' || mistaken(mistake, "must not be empty");
}

/* One that cannot be read would fail each delivery with a sentence about certificates. */
bool read_readable_path(const cJSON *value, void *field, struct mistake *mistake) {
    const char **path = field;
    if (!read_filled_text(value, path, mistake))
        return false;
    return access(*path, R_OK) == 0 || mistaken(mistake, "%s: %s", *path, strerror(errno));
}

bool read_flag(const cJSON *value, void *field, struct mistake *mistake) {
    if (!cJSON_IsBool(value))
        return mistaken(mistake, "must be true or false");
    *(int *)field = cJSON_IsTrue(value);
    return true;
}

bool read_opposite_flag(const cJSON *value, void *field, struct mistake *mistake) {
    int flag = 0;
    if (!read_flag(value, &flag, mistake))
        return false;
    *(int *)field = !flag;
    return true;
}

static bool parse_integer(const char *text, int64_t *integer) {
    char *end;
    size_t digits = strspn(text + (*text == '-'), "0123456789");
    if (digits == 0)
        return false;
    errno = 0;
    *integer = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

bool read_integer(const cJSON *value, void *field, struct mistake *mistake) {
    int64_t *integer = field;
    if (cJSON_IsString(value) && parse_integer(value->valuestring, integer))
        return true;
    if (cJSON_IsNumber(value) && value->valuedouble >= -EXACT_INTEGERS &&
        value->valuedouble <= EXACT_INTEGERS) {
        *integer = (int64_t)value->valuedouble;
        if ((double)*integer == value->valuedouble)
            return true;
    }
    return mistaken(mistake, "must be an integer of at most 64 bits");
}

bool read_milliseconds(const cJSON *value, void *field, struct mistake *mistake) {
    int64_t integer;
    if (!read_integer(value, &integer, mistake))
        return false;
    if (integer < 1 || integer > UINT32_MAX)
        return mistaken(mistake, "must be from 1 to %" PRIu32 " milliseconds", UINT32_MAX);
    *(uint32_t *)field = (uint32_t)integer;
    return true;
}

bool read_up_to(const cJSON *value, int64_t most, int64_t *integer, struct mistake *mistake) {
    if (!read_integer(value, integer, mistake))
        return false;
    return (*integer >= 1 && *integer <= most) ||
           mistaken(mistake, "must be from 1 to %" PRId64, most);
}

bool read_count(const cJSON *value, void *field, struct mistake *mistake) {
    int64_t integer;
    if (!read_up_to(value, UINT32_MAX, &integer, mistake))
        return false;
    *(uint32_t *)field = (uint32_t)integer;
    return true;
}

bool read_choice(const cJSON *value, const char *const *names, unsigned *choice,
                 struct mistake *mistake) {
    const char *name = NULL;
    if (!read_text(value, &name, mistake))
        return false;
    for (unsigned i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0) {
            *choice = i + 1;
            return true;
        }
    return mistaken(mistake, "\"%s\" is not known", name);
}
