/* Dead letters and the log of attempts. */
#ifndef BB_DRIVER_STORE_SQLITE_ARCHIVE_H
#define BB_DRIVER_STORE_SQLITE_ARCHIVE_H

#include "delivery/store.h"

extern const struct bb_store_archive bb_store_sqlite_archive;

#endif
