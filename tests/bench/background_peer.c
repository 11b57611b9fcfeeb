/* A program of another kind, run next to the library where its compiler is installed. */
#define _GNU_SOURCE /* mkdtemp */
#include "bench/background.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double children_cpu_s(void) {
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool run_program(char *const arguments[]) {
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(arguments[0], arguments);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static double peer_cpu_us(const char *program, const char *type, unsigned port, const char *path,
                          unsigned count) {
    char url[128], number[16], name[16];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    snprintf(number, sizeof number, "%u", count);
    snprintf(name, sizeof name, "%s", type);
    char *arguments[] = {(char *)(uintptr_t)program, name, url, number, NULL};
    double cpu = children_cpu_s();
    return run_program(arguments) ? (children_cpu_s() - cpu) * 1e6 / count : -1;
}

static double own_cpu_us(const struct bench_fleet *fleet, unsigned count) {
    struct bench_sender sender;
    bool ok = bench_sender_open(&sender, fleet) && bench_sender_run(&sender, fleet, 2000);
    double cpu = bench_cpu_s();
    ok = ok && bench_sender_run(&sender, fleet, count);
    cpu = (bench_cpu_s() - cpu) * 1e6 / count;
    bench_sender_close(&sender);
    return ok ? cpu : -1;
}

static bool compare(const char *program, const struct bench_fleet *fleet, unsigned rounds,
                    unsigned count) {
    double own[BENCH_MAX_ROUNDS], peer[BENCH_MAX_ROUNDS], ratios[BENCH_MAX_ROUNDS];
    for (unsigned i = 0; i < rounds; i++) {
        own[i] = own_cpu_us(fleet, count);
        peer[i] = peer_cpu_us(program, bb_type_name(fleet->type), fleet->port, fleet->path, count);
        ratios[i] = own[i] / peer[i];
        if (own[i] < 0 || peer[i] < 0)
            return false;
    }
    printf("a Go program, one goroutine a post: %s\n    %.1f us CPU a post; the library %.1f us: "
           "ratio %.2f (at most 0.67)\n\n",
           bb_type_name(fleet->type), bench_median(peer, rounds), bench_median(own, rounds),
           bench_median(ratios, rounds));
    return true;
}

bool bench_peer(unsigned port, unsigned rounds, unsigned count) {
    char directory[] = P_tmpdir "/bench_peer_XXXXXX", program[64];
    char *build[] = {"go", "build", "-o", program, TESTS_DIR "/bench/peer.go", NULL};
    const struct bench_fleet slack = {
        .type = BB_SLACK, .count = 64, .port = port, .path = "/services/T0/B0", .by_project = true};
    const struct bench_fleet custom = {
        .type = BB_CUSTOM, .count = 64, .port = port, .path = "/hooks", .by_project = true};
    if (!mkdtemp(directory))
        return false;
    snprintf(program, sizeof program, "%s/peer", directory);
    bool ok = run_program(build);
    if (!ok)
        puts("a Go program: there is no go here, so it was not compared\n");
    ok = !ok ||
         (compare(program, &slack, rounds, count) && compare(program, &custom, rounds, count));
    remove(program);
    remove(directory);
    return ok;
}
