/* A disk that gets into trouble when a test says so: SQLite's usual VFS, with a finger on it. For
 * every file that the program opens after disk_use. */
#ifndef SUPPORT_DISK_H
#define SUPPORT_DISK_H

#include <stddef.h>

/* Takes the place of the default VFS; once, before SQLite opens anything. */
void disk_use(void);

/* The `nth` write (from 1; 0: none) of any file and all that follow it, and flushes to the disk as
 * well then, fail with this code of SQLite's, until it is called again. Counts from here. */
void disk_fail_from(size_t nth, int code);

/* Writes and flushes since then; those that failed. */
size_t disk_writes(void);
size_t disk_failures(void);

/* Files can be opened to be read only. */
void disk_make_read_only(int is_read_only);

#endif
