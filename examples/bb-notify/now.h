/* Clocks. */
#ifndef BB_NOTIFY_NOW_H
#define BB_NOTIFY_NOW_H

#include <stdint.h>

/* Milliseconds since 1970. */
int64_t now_ms(void);

/* Milliseconds of a clock that never goes back. */
int64_t ticks_ms(void);

#endif
