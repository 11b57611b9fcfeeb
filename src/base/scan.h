/* Sixteen bytes looked at in one go: whether all are of the usual kind. */
#ifndef BB_BASE_SCAN_H
#define BB_BASE_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BB_SCAN_SIZE = 16 };

/* GCC's and Clang's vectors: what the processor has of them, or the same byte by byte. A comparison
 * gives 0xFF for each byte of which it is true. */
typedef uint8_t bb_scan __attribute__((vector_size(BB_SCAN_SIZE)));

static inline bb_scan bb_scan_load(const char *at) {
    bb_scan bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static inline bool bb_scan_any(bb_scan found) {
    uint64_t halves[2];
    memcpy(halves, &found, sizeof halves);
    return halves[0] | halves[1];
}

/* How many bytes of a text belong to blocks in which `unusual` finds nothing. The last block is
 * loaded again from the end rather than looked at byte by byte: nearly always all are usual. */
static inline size_t bb_scan_usual(const char *text, size_t length,
                                   bb_scan (*unusual)(bb_scan bytes)) {
    size_t i = 0;
    for (; length - i >= BB_SCAN_SIZE; i += BB_SCAN_SIZE)
        if (bb_scan_any(unusual(bb_scan_load(text + i))))
            return i;
    if (length < BB_SCAN_SIZE)
        return 0;
    return bb_scan_any(unusual(bb_scan_load(text + length - BB_SCAN_SIZE))) ? i : length;
}

#endif
