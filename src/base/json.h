/*
 * JSON: written by pushing straight into a buffer (json_write.c), read through a
 * value (json.c, the only file that knows which library does it).
 */
#ifndef BB_BASE_JSON_H
#define BB_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

/* ---- writing ---- */

enum { BB_JSON_DEPTH = 16 };

/*
 * `key` is NULL inside an array and stands as it is: a literal with nothing to escape.
 * In strings only ", \ and controls are escaped; ill-formed UTF-8 passes through. A NULL
 * string, too deep a nesting and what does not fit are sticky: bb_json_finish tells.
 */
struct bb_json {
    struct bb_buf *out;
    size_t start; /* of the document, in `out` */
    int depth;
    char closing[BB_JSON_DEPTH]; /* the bracket that ends each level */
};

void bb_json_begin(struct bb_json *json, struct bb_buf *out); /* opens the root object */
void bb_json_end(struct bb_json *json);                       /* closes the innermost one */

/* For those below, which are here so that a literal key is measured by the compiler. */
struct bb_json_key {
    const char *text;
    size_t length;
};
static inline struct bb_json_key bb_json_key_of(const char *text) {
    return (struct bb_json_key){text, text ? strlen(text) : 0};
}
void bb_json_push_open(struct bb_json *json, struct bb_json_key key, const char brackets[2]);
void bb_json_push_text(struct bb_json *json, struct bb_json_key key, const char *text);
/* One of at most `max` bytes, all printable ASCII with nothing to escape, as nearly all are: one
 * look at each byte. False: it is not such a text, and nothing was written. */
bool bb_json_push_plain(struct bb_json *json, struct bb_json_key key, const char *text, size_t max);
void bb_json_push_integer(struct bb_json *json, struct bb_json_key key, int64_t number);
void bb_json_push_word(struct bb_json *json, struct bb_json_key key, const char *word);

static inline void bb_json_object(struct bb_json *json, const char *key) {
    bb_json_push_open(json, bb_json_key_of(key), "{}");
}

static inline void bb_json_array(struct bb_json *json, const char *key) {
    bb_json_push_open(json, bb_json_key_of(key), "[]");
}

static inline void bb_json_string(struct bb_json *json, const char *key, const char *text) {
    bb_json_push_text(json, bb_json_key_of(key), text);
}

static inline void bb_json_integer(struct bb_json *json, const char *key, int64_t number) {
    bb_json_push_integer(json, bb_json_key_of(key), number);
}

static inline void bb_json_bool(struct bb_json *json, const char *key, bool value) {
    bb_json_push_word(json, bb_json_key_of(key), value ? "true" : "false");
}

static inline void bb_json_null(struct bb_json *json, const char *key) {
    bb_json_push_word(json, bb_json_key_of(key), "null");
}

/* Closes what is open. When anything failed since bb_json_begin: false, the buffer has
 * nothing of the document and says too_large or no_memory (the latter also for a NULL
 * string, which is one that was not made). */
bool bb_json_finish(struct bb_json *json);

/* ---- reading ---- */

struct bb_value;

/*
 * NULL when `text` is not JSON or memory is out (then the arena says so). Big
 * integers keep 64 bits, U+0000 and U+0001 in a string are dropped, lone surrogates become U+FFFD,
 * ill-formed UTF-8 passes through. Member names are compared exactly.
 */
struct bb_value *bb_json_parse(struct bb_arena *scratch, const char *text, size_t length);
void bb_json_free(struct bb_value *value);

/* False when bb_json_parse would surely not give an object: far cheaper than asking it. */
bool bb_json_may_be_object(const char *text, size_t length);

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
