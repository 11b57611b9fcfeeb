/* SIGINT and SIGTERM as something to poll for: the first one of either is told, the second one ends
 * the program at once, whatever it is doing. */
#ifndef BB_NOTIFY_STOP_SIGNAL_H
#define BB_NOTIFY_STOP_SIGNAL_H

/* A descriptor that is readable once a signal has come, for the rest of the program; -1 with errno
 * set. A signal that was ignored when the program began stays so (nohup, a shell's `&`). */
int stop_signal_watch(void);

#endif
