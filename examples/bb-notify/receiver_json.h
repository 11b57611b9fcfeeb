/* A reader of JSON text for the receiver and the page. It is not cJSON, because
 * cJSON_Parse writes a variable of the whole process: the receiver reads requests
 * on its thread while the library reads answers on another. */
#ifndef BB_NOTIFY_RECEIVER_JSON_H
#define BB_NOTIFY_RECEIVER_JSON_H

#include <stdbool.h>
#include <stddef.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    bool integer;     /* a number without fraction and exponent */
    double number;    /* a number's value; a boolean's 0 or 1 */
    const char *text; /* a string's; a number's as it was written */
    const char *key;  /* the name of a member of an object, else NULL */
    struct json *child;
    struct json *next;
};

/* `text[length]` is a NUL. NULL when it is not one JSON value of well-formed UTF-8, nests more than
 * 64 deep, or there is no memory. */
struct json *json_parse(const char *text, size_t length);
void json_free(struct json *value);

/* All of these take NULL for a value that is not there. */
const struct json *json_member(const struct json *object, const char *key);
const char *json_string(const struct json *object, const char *key); /* NULL: no such string */
bool json_says(const struct json *object, const char *key, const char *word);
const struct json *json_first(const struct json *container);
size_t json_count(const struct json *container);
bool json_is(const struct json *value, enum json_kind kind);

/* Follows object keys and array indices: json_at(card, "attachments.0.color"). */
const struct json *json_at(const struct json *value, const char *path);

#endif
