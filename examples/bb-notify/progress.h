/* A progress bar on standard error, when that is a terminal and there is much to
 * wait for. */
#ifndef BB_NOTIFY_PROGRESS_H
#define BB_NOTIFY_PROGRESS_H

#include <stdbool.h>

struct progress {
    bool terminal;
    bool shown;
    unsigned long total; /* 0: not known */
};

/* Whether a total is worth finding out. */
bool progress_wanted(void);

void progress_start(struct progress *progress, unsigned long total);
void progress_show(struct progress *progress, unsigned long done);

/* Makes way for other output; progress_show draws it again. */
void progress_hide(struct progress *progress);

#endif
