/* A small gzip file that unpacks to very much. */
#ifndef SUPPORT_GZIP_BOMB_H
#define SUPPORT_GZIP_BOMB_H

#include <stddef.h>

/* Unpacks to at least `unpacked` times 'x', of which it is about 1/160. Its checksum is wrong,
 * which nobody learns before it is unpacked. Freed with free. */
char *gzip_bomb(size_t unpacked, size_t *length);

#endif
