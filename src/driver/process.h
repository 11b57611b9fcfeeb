/* What becomes of a process: it may be a child of fork() suddenly. */
#ifndef BB_DRIVER_PROCESS_H
#define BB_DRIVER_PROCESS_H

#include <signal.h>

/* How many forks lie between the process that called this first and this one. Any thread. */
unsigned bb_process_forks(void);

/* Blocks every signal of the calling thread; `before` receives what was blocked. */
void bb_process_block_signals(sigset_t *before);

/* A variable of the environment, where the host has asked for it; NULL: not set. Borrowed until
 * somebody changes it, so it is read when a dispatcher is made and not later. */
const char *bb_process_variable(const char *name);

#endif
