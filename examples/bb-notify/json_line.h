/* Writes one JSON object on one line. Strings may hold anything: what is not
 * well-formed UTF-8 becomes U+FFFD. */
#ifndef BB_NOTIFY_JSON_LINE_H
#define BB_NOTIFY_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_line {
    FILE *out;
    const char *separator; /* what comes before the next member or element */
};

void json_line_begin(struct json_line *line, FILE *out);
void json_line_end(struct json_line *line);

void json_line_string(struct json_line *line, const char *name, const char *value);
void json_line_bytes(struct json_line *line, const char *name, const char *value, size_t length);
void json_line_integer(struct json_line *line, const char *name, int64_t value);
void json_line_flag(struct json_line *line, const char *name, bool value);

/* `json` is a JSON text already. */
void json_line_json(struct json_line *line, const char *name, const char *json);

/* A member that is an object ("{" and "}") or an array ("[" and "]"). */
void json_line_open(struct json_line *line, const char *name, const char *bracket);
void json_line_close(struct json_line *line, const char *bracket);
void json_line_open_element(struct json_line *line, const char *bracket);
void json_line_element(struct json_line *line, const char *value);

#endif
