#include "driver/store_postgres_work.h"

void bb_postgres_begin_columns(struct bb_postgres_columns *c, const bb_allocator *mem,
                               size_t width) {
    c->width = width;
    c->rows = 0;
    for (size_t i = 0; i < width; i++)
        bb_buf_init(&c->arrays[i], mem, BB_PG_ARRAY_MAX);
}

void bb_postgres_add_row(struct bb_postgres_columns *c, const int64_t *values) {
    for (size_t i = 0; i < c->width; i++)
        bb_postgres_add_number(&c->arrays[i], values[i]);
    c->rows++;
}

void bb_postgres_free_columns(struct bb_postgres_columns *c) {
    for (size_t i = 0; i < c->width; i++)
        bb_buf_free(&c->arrays[i]);
}

bool bb_postgres_send_columns(struct bb_postgres_db *db, enum bb_pg which,
                              struct bb_postgres_columns *c) {
    static const char formats[] = "tttttt";
    const char *texts[BB_PG_COLUMNS] = {NULL};
    bool ok = true;
    for (size_t i = 0; i < c->width; i++)
        ok = (texts[i] = bb_postgres_array(&c->arrays[i])) && ok;
    if (ok && c->rows > 0)
        bb_postgres_db_send(db, which, formats + BB_PG_COLUMNS - c->width, texts[0], texts[1],
                            texts[2], texts[3], texts[4], texts[5]);
    bb_postgres_free_columns(c);
    return ok;
}
