/* Reads the members of a JSON object into a struct, by a table. Whatever the
 * table does not expect is a mistake: a typo in a configuration must be told. */
#ifndef BB_NOTIFY_MEMBERS_H
#define BB_NOTIFY_MEMBERS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong, told from the inside out: each level puts its place in front. */
struct mistake {
    char text[768];
};

/* Sets the text and returns false, so that readers can return it. */
bool mistaken(struct mistake *mistake, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "<place>: " in front of the text and returns false. */
bool mistaken_at(struct mistake *mistake, const char *place);

/* Reads `value` (never null) into `field`. */
typedef bool (*member_reader)(const cJSON *value, void *field, struct mistake *mistake);

struct member {
    const char *name;
    member_reader read;
    size_t offset; /* of the field in the target struct */
    bool required;
};

/* Members that are null count as not given, and leave their field as it is.
 * At most 64 members. */
bool members_read(const cJSON *object, const struct member *table, size_t count, void *target,
                  struct mistake *mistake);

/* Readers for the usual fields. Text is borrowed from the JSON. */
bool read_text(const cJSON *value, void *field, struct mistake *mistake);          /* char * */
bool read_filled_text(const cJSON *value, void *field, struct mistake *mistake);   /* char * */
bool read_readable_path(const cJSON *value, void *field, struct mistake *mistake); /* char * */
bool read_flag(const cJSON *value, void *field, struct mistake *mistake);          /* int */
bool read_opposite_flag(const cJSON *value, void *field, struct mistake *mistake); /* int */
bool read_integer(const cJSON *value, void *field, struct mistake *mistake);       /* int64_t */
bool read_milliseconds(const cJSON *value, void *field, struct mistake *mistake);  /* uint32_t */
bool read_count(const cJSON *value, void *field, struct mistake *mistake); /* uint32_t, >= 1 */

/* For readers of other ranges: an integer from 1 to `most`. */
bool read_up_to(const cJSON *value, int64_t most, int64_t *integer, struct mistake *mistake);

/* For readers of an enum whose constants count from 1: the place of a name in the list, which NULL
 * ends. */
bool read_choice(const cJSON *value, const char *const *names, unsigned *choice,
                 struct mistake *mistake);

#endif
