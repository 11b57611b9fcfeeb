#ifndef BB_API_REPORT_H
#define BB_API_REPORT_H

#include "base/arena.h"

struct bb_report_row {
    bb_attempt_report face; /* its outcome points to the next member */
    bb_outcome outcome;
};

struct bb_report {
    bb_allocator mem;
    struct bb_arena arena; /* the rows and their texts */
    struct bb_report_row *rows;
    size_t count;
};

/* A report of `count` empty rows. NULL when out of memory. */
struct bb_report *bb_report_new(const bb_allocator *mem, size_t count);

#endif
