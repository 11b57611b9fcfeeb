/* Progress on standard error, when that is a terminal and there is something to wait
 * for. */
#ifndef BB_NOTIFY_PROGRESS_H
#define BB_NOTIFY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* How deliveries in the background stand. */
struct progress_counts {
    unsigned long delivered;
    unsigned long waiting;  /* for their first attempt, or in it */
    unsigned long retrying; /* for a further one */
    unsigned long over;     /* dead, or dropped */
    unsigned long more;     /* not 0: further events are being read */
};

struct progress {
    bool terminal;
    bool shown;
    unsigned long total; /* 0: not known */
    struct progress_counts counts;
    int64_t shown_ms; /* when they were */
};

/* Whether a total is worth finding out. */
bool progress_wanted(void);

void progress_start(struct progress *progress, unsigned long total);
void progress_show(struct progress *progress, unsigned long done);

/* Shows them where they have changed, but not faster than an eye follows: returns after how many
 * milliseconds to call again, -1 for when they change. */
int progress_show_counts(struct progress *progress, const struct progress_counts *counts);

/* Makes way for other output; progress_show draws it again. */
void progress_hide(struct progress *progress);

#endif
