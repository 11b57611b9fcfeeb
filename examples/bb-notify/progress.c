#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 20, BAR_WIDTH = 30 };

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

void progress_show(struct progress *progress, unsigned long done) {
    char bar[BAR_WIDTH + 1] = "";
    if (!is_worth_showing(progress, done))
        return;
    progress->shown = true;
    if (!progress->total) {
        fprintf(stderr, "\r%lu lines", done);
        return;
    }
    int part = percent(done, progress->total);
    memset(bar, '#', (size_t)(part * BAR_WIDTH / 100));
    fprintf(stderr, "\r[%-*s] %3d %%  line %lu of %lu", BAR_WIDTH, bar, part, done,
            progress->total);
}

void progress_hide(struct progress *progress) {
    if (progress->shown)
        fputs("\r\x1b[K", stderr);
    progress->shown = false;
}
