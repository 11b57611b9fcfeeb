#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 20, BAR_WIDTH = 30, REDRAW_MS = 100 };

bool progress_wanted(void) {
    return isatty(STDERR_FILENO);
}

void progress_start(struct progress *progress, unsigned long total) {
    *progress = (struct progress){.terminal = isatty(STDERR_FILENO), .total = total};
}

static bool is_worth_showing(const struct progress *progress, unsigned long done) {
    return progress->terminal && (progress->total > MANY || (!progress->total && done > MANY));
}

/* A file that grows while it is read may have more lines than were counted. */
static int percent(unsigned long done, unsigned long total) {
    return done >= total ? 100 : (int)(done * 100 / total);
}

static void print_bar(unsigned long done, unsigned long total) {
    char bar[BAR_WIDTH + 1] = "";
    int part = percent(done, total);
    memset(bar, '#', (size_t)(part * BAR_WIDTH / 100));
    fprintf(stderr, "[%-*s] %3d %%  ", BAR_WIDTH, bar, part);
}

void progress_show(struct progress *progress, unsigned long done) {
    if (!is_worth_showing(progress, done))
        return;
    progress->shown = true;
    fputc('\r', stderr);
    if (!progress->total) {
        fprintf(stderr, "%lu lines", done);
        return;
    }
    print_bar(done, progress->total);
    fprintf(stderr, "line %lu of %lu", done, progress->total);
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The counts may become shorter, so what stood there is wiped. */
static void print_counts(const struct progress_counts *c) {
    unsigned long over = c->delivered + c->over, all = over + c->waiting + c->retrying;
    fputc('\r', stderr);
    if (!c->more && all > 0)
        print_bar(over, all);
    fprintf(stderr, "%lu delivered, %lu waiting, %lu retrying, %lu dead\x1b[K", c->delivered,
            c->waiting, c->retrying, c->over);
}

static bool is_nothing(const struct progress_counts *c) {
    return c->delivered + c->waiting + c->retrying + c->over == 0;
}

int progress_show_counts(struct progress *progress, const struct progress_counts *counts) {
    if (!progress->terminal || is_nothing(counts) ||
        (progress->shown && memcmp(&progress->counts, counts, sizeof *counts) == 0))
        return -1;
    int64_t now = now_ms(), next_ms = progress->shown_ms + REDRAW_MS;
    if (now < next_ms)
        return (int)(next_ms - now);
    progress->counts = *counts;
    progress->shown_ms = now;
    progress->shown = true;
    print_counts(counts);
    return -1;
}

void progress_hide(struct progress *progress) {
    if (progress->shown)
        fputs("\r\x1b[K", stderr);
    progress->shown = false;
}
