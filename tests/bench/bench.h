#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>

double bench_now_s(void);

/* Many webhooks: what a look-up costs, a change, and one that only waits. */
bool bench_webhooks(void);

#endif
