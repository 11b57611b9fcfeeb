/* What a run came to. */
#ifndef BB_NOTIFY_TALLY_H
#define BB_NOTIFY_TALLY_H

#include <bb_webhook.h>

struct tally {
    unsigned long events;                   /* lines that are events */
    unsigned long bad_lines;                /* lines that are not */
    unsigned long failed;                   /* events, or requests of a dry run, that failed here */
    unsigned long verdicts[BB_UNKNOWN + 1]; /* in the background, of deliveries that are over */
    unsigned long dropped;                  /* in the background, as the next */
    unsigned long left;                     /* deliveries that are not over */
};

#endif
