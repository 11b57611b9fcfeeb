/* What the benchmarks share: time, a receiver in a process of its own, an event that is different
 * each time. A machine that refuses ends the program. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bb_webhook.h"

enum { BENCH_MAX_ROUNDS = 101 };

double bench_now_s(void);
double bench_cpu_s(void); /* of this process, user and system */
double bench_median(double *values, size_t n);
unsigned bench_argument(int argc, char **argv, int index, unsigned usual, unsigned most);

/* Without a second core, or the right to choose, everything stays as it is. */
void bench_pin_to_core(unsigned core);
enum { BENCH_EVERY_CORE = 1 << 16 };

int bench_compare(const void *a, const void *b); /* of doubles, for qsort */

/* Many webhooks: what a look-up costs, a change, and one that only waits. */
bool bench_webhooks(void);

/* ---- receiver.c: answers on every address of the loopback net, pinned to the second core.
 *
 *   /services/...  200 "ok", as Slack does    /late/...   the same after 5 ms
 *   /hang/...      nothing, ever              /later/...  200 {"code":0} after 100 ms
 *                                             else        200 {"code":0,"message":"ok"}
 */
struct bench_receiver {
    pid_t pid;
    unsigned port;
};

struct bench_receiver bench_receiver_start(void);
void bench_receiver_stop(struct bench_receiver *receiver);

/* ---- sample.c: a task event of about 1.4 KiB as a Slack message */
struct bench_sample {
    bb_event event;
    bb_issue issue;
    bb_project project;
    bb_task task;
    bb_user creator;
    char name[64];
    char detail[512];
};

void bench_sample_init(struct bench_sample *sample);
void bench_sample_next(struct bench_sample *sample, unsigned number);

#endif
