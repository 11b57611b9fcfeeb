/* Eight bytes looked at in one go: whether all are of the usual kind. */
#ifndef BB_BASE_SCAN_H
#define BB_BASE_SCAN_H

#include <stdint.h>
#include <string.h>

enum { BB_SCAN_SIZE = 8 };

#define BB_SCAN_EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

static inline uint64_t bb_scan_load(const char *at) {
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

/* Not zero when any byte is below `limit` (at most 128): the subtraction borrows
 * into the top bit of such a byte first. */
static inline uint64_t bb_scan_below(uint64_t bytes, unsigned char limit) {
    return (bytes - BB_SCAN_EACH(limit)) & ~bytes & BB_SCAN_EACH(0x80);
}

/* Not zero when any byte is `byte`. */
static inline uint64_t bb_scan_equal(uint64_t bytes, unsigned char byte) {
    return bb_scan_below(bytes ^ BB_SCAN_EACH(byte), 1);
}

/* Not zero when any byte is not ASCII. */
static inline uint64_t bb_scan_foreign(uint64_t bytes) {
    return bytes & BB_SCAN_EACH(0x80);
}

#endif
