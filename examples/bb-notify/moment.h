/* Moments in UTC, as people write them (RFC 3339). */
#ifndef BB_NOTIFY_MOMENT_H
#define BB_NOTIFY_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* "2026-01-02T03:04:05Z", or "2026-01-02" for the beginning of that day, in milliseconds since
 * 1970. False: it is neither, or not after the beginning of 1970. */
bool moment_read(const char *text, int64_t *ms);

/* The first form, without the milliseconds. */
#define MOMENT_SIZE 32
const char *moment_text(int64_t ms, char out[MOMENT_SIZE]);

#endif
