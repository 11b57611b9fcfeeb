#define _GNU_SOURCE /* sched_setaffinity */

#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "bench.h"

double bench_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int bench_compare(const void *a, const void *b) {
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double bench_median(double *values, size_t n) {
    qsort(values, n, sizeof *values, bench_compare);
    return values[n / 2];
}

unsigned bench_argument(int argc, char **argv, int index, unsigned usual, unsigned most) {
    long value = argc > index ? strtol(argv[index], NULL, 10) : (long)usual;
    return value > 0 && value <= (long)most ? (unsigned)value : usual;
}

void bench_pin_to_core(unsigned core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < 2; i++)
        if (core == i || core == BENCH_EVERY_CORE)
            CPU_SET(i, &set);
    sched_setaffinity(0, sizeof set, &set);
}
