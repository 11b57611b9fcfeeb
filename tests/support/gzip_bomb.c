#include "support/gzip_bomb.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One block of fixed Huffman codes (RFC 1951, 3.2.6): the literal 'x', then matches of 258 bytes at
 * distance 1. Codes are written with their first bit first, i.e. reversed. */
enum {
    LITERAL_X = 0x15, /* 0x30 + 'x' = 10101000, reversed, 8 bits */
    MATCH_258 = 0xa3, /* length code 285 = 11000101, reversed, 8 bits; distance code 0: 5 bits */
    MATCH_BITS = 13,
    MATCH_LENGTH = 258
};

typedef struct bits {
    unsigned char *bytes;
    size_t count;
} bits;

static void put(bits *out, unsigned value, unsigned width) {
    for (unsigned i = 0; i < width; i++, out->count++)
        out->bytes[out->count / 8] |= (unsigned char)((value >> i & 1) << out->count % 8);
}

char *gzip_bomb(size_t unpacked, size_t *length) {
    static const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    size_t matches = unpacked / MATCH_LENGTH + 1;
    char *file = calloc(1, sizeof(header) + matches * MATCH_BITS / 8 + 16);
    if (file == NULL)
        abort();
    memcpy(file, header, sizeof(header));
    bits out = {(unsigned char *)file + sizeof(header), 0};
    put(&out, 3, 3); /* the last block, fixed codes */
    put(&out, LITERAL_X, 8);
    for (size_t i = 0; i < matches; i++)
        put(&out, MATCH_258, MATCH_BITS);
    put(&out, 0, 7);                                    /* end of block */
    *length = sizeof(header) + (out.count + 7) / 8 + 8; /* checksum and size: zero */
    return file;
}
