/*
 * The files that outboxes of this process have open. SQLite keeps account of its locks on a file
 * per process, in memory that fork() copies: a child that opened the file once more would take its
 * parent's locks for its own, and both would write at once. (Closing does no harm: the parent's
 * connection is never closed there.) So a child may not open what its parent had open at the fork;
 * a program that is started by exec may.
 */
#ifndef BB_DRIVER_STORE_SQLITE_FILES_H
#define BB_DRIVER_STORE_SQLITE_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct bb_sqlite_file {
    uint64_t device, inode;             /* both 0: not known, or not a file */
    long process;                       /* getpid() of who opened it */
    struct bb_sqlite_file *prev, *next; /* utlist's names */
};

/* Whether a process that this one was forked from had the file open then. Any thread. */
bool bb_sqlite_file_is_inherited(const char *path);

/* Notes that the file is open, until it is forgotten. Any thread. */
void bb_sqlite_file_note(struct bb_sqlite_file *file, const char *path);
void bb_sqlite_file_forget(struct bb_sqlite_file *file); /* one that was not noted is fine */

#endif
