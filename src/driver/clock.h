#ifndef BB_DRIVER_CLOCK_H
#define BB_DRIVER_CLOCK_H

#include <stdint.h>

int64_t bb_clock_wall_ms(void);      /* since 1970 */
int64_t bb_clock_monotonic_ms(void); /* for durations and deadlines */

#endif
