/*
 * JSON, written by pushing and read through a value. The only file that knows
 * which library does it.
 */
#ifndef BB_BASE_JSON_H
#define BB_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

/* ---- writing ---- */

struct cJSON;
enum { BB_JSON_DEPTH = 16 };

/*
 * Keys must be literals and strings must stay until bb_json_print: neither is
 * copied. `key` is NULL inside an array and for the root. A NULL string and an
 * allocation that fails are sticky: bb_json_print tells.
 */
struct bb_json {
    struct cJSON *open[BB_JSON_DEPTH];
    int depth;
    bool failed;
};

void bb_json_begin(struct bb_json *json); /* opens the root object */
void bb_json_object(struct bb_json *json, const char *key);
void bb_json_array(struct bb_json *json, const char *key);
void bb_json_end(struct bb_json *json); /* closes the innermost one */
void bb_json_string(struct bb_json *json, const char *key, const char *text);
void bb_json_integer(struct bb_json *json, const char *key, int64_t number);
void bb_json_bool(struct bb_json *json, const char *key, bool value);
void bb_json_null(struct bb_json *json, const char *key);

/* Appends the document, without white space, to `out`, and frees it. False when
 * anything failed since bb_json_begin; `out` then says too_large or no_memory. */
bool bb_json_print(struct bb_json *json, struct bb_buf *out);

/* ---- reading ---- */

struct bb_value;

/*
 * NULL when `text` is not JSON or memory is out (then the arena says so). Big
 * integers keep 64 bits, U+0000 and U+0001 in a string are dropped, lone surrogates become U+FFFD,
 * ill-formed UTF-8 passes through. Member names are compared exactly.
 */
struct bb_value *bb_json_parse(struct bb_arena *scratch, const char *text, size_t length);
void bb_json_free(struct bb_value *value);

/* All of them take NULL: a missing member. */
const struct bb_value *bb_json_get(const struct bb_value *object, const char *name);
const struct bb_value *bb_json_first(const struct bb_value *array); /* also of an object */
const struct bb_value *bb_json_next(const struct bb_value *value);
const char *bb_json_text(const struct bb_value *value); /* NULL unless a string */
bool bb_json_is_object(const struct bb_value *value);
bool bb_json_is_array(const struct bb_value *value);
bool bb_json_is_null(const struct bb_value *value); /* also when missing */
bool bb_json_is_true(const struct bb_value *value);
bool bb_json_is_bool(const struct bb_value *value);

/* An integer, or a string that is one. False for anything else. */
bool bb_json_int64(const struct bb_value *value, int64_t *number);

/* A number, or a string that is an integer (1e19 for one beyond 64 bits). */
bool bb_json_number(const struct bb_value *value, double *number);

#endif
