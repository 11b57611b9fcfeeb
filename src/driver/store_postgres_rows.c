/* Rows on their way to the server: an array for each of their columns. */
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "driver/store_postgres_db.h"

enum { MOST_ARRAY = 64 * 1024 * 1024 };

/* ---- arrays ---- */

static void begin_item(struct bb_buf *array) {
    bb_buf_add(array, array->length ? "," : "{", 1);
}

void bb_postgres_add_number(struct bb_buf *array, int64_t number) {
    char digits[BB_INTEGER_SIZE];
    begin_item(array);
    bb_buf_text(array, bb_text_digits(number, digits));
}

void bb_postgres_add_text(struct bb_buf *array, const char *text) {
    begin_item(array);
    bb_buf_add(array, "\"", 1);
    while (*text) {
        size_t plain = strcspn(text, "\"\\");
        bb_buf_add(array, text, plain);
        text += plain;
        if (*text) {
            bb_buf_add(array, "\\", 1);
            bb_buf_add(array, text++, 1);
        }
    }
    bb_buf_add(array, "\"", 1);
}

const char *bb_postgres_array(struct bb_buf *array) {
    if (array->length == 0)
        bb_buf_add(array, "{", 1);
    bb_buf_add(array, "}", 1);
    return bb_buf_failed(array) ? NULL : bb_buf_data(array);
}

/* ---- rows ---- */

void bb_postgres_rows_begin(struct bb_postgres_rows *rows, const bb_allocator *mem,
                            const char *format) {
    rows->format = format;
    rows->count = 0;
    for (size_t i = 0; format[i]; i++)
        bb_buf_init(&rows->columns[i], mem, MOST_ARRAY);
}

void bb_postgres_rows_add(struct bb_postgres_rows *rows, ...) {
    va_list args;
    va_start(args, rows);
    for (size_t i = 0; rows->format[i]; i++)
        if (rows->format[i] == 'i')
            bb_postgres_add_number(&rows->columns[i], va_arg(args, int64_t));
        else
            bb_postgres_add_text(&rows->columns[i], va_arg(args, const char *));
    va_end(args);
    rows->count++;
}

void bb_postgres_rows_free(struct bb_postgres_rows *rows) {
    for (size_t i = 0; rows->format[i]; i++)
        bb_buf_free(&rows->columns[i]);
    rows->count = 0;
}

bool bb_postgres_rows_send(struct bb_postgres_rows *rows, struct bb_postgres_db *db,
                           enum bb_pg which) {
    const char *arrays[BB_PG_COLUMNS];
    bool ok = true;
    for (size_t i = 0; rows->format[i]; i++)
        ok = (arrays[i] = bb_postgres_array(&rows->columns[i])) && ok;
    if (ok && rows->count > 0)
        bb_postgres_db_send_arrays(db, which, rows->format, arrays);
    bb_postgres_rows_free(rows);
    return ok;
}
