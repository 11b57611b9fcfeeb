#include "support/disk.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct disk_file {
    sqlite3_file face;  /* first */
    sqlite3_file *real; /* behind this struct */
} disk_file;

static sqlite3_vfs *usual;
static sqlite3_vfs disk;
static sqlite3_io_methods methods;
static atomic_size_t writes, failures, fail_from;
static atomic_int fail_code, read_only;

static sqlite3_file *real_of(sqlite3_file *file) {
    return ((disk_file *)file)->real;
}

/* ---- trouble ---- */

static int trouble(void) {
    size_t nth = atomic_fetch_add(&writes, 1) + 1, from = atomic_load(&fail_from);
    if (from == 0 || nth < from)
        return SQLITE_OK;
    atomic_fetch_add(&failures, 1);
    return atomic_load(&fail_code);
}

static int disk_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
    int code = trouble();
    return code ? code : real_of(file)->pMethods->xWrite(real_of(file), bytes, size, offset);
}

static int disk_sync(sqlite3_file *file, int flags) {
    int code = trouble();
    return code ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

/* ---- the rest is passed on ---- */

static int disk_close(sqlite3_file *file) {
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int disk_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
    return real_of(file)->pMethods->xRead(real_of(file), bytes, size, offset);
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int disk_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int disk_lock(sqlite3_file *file, int lock) {
    return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int disk_unlock(sqlite3_file *file, int lock) {
    return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int disk_check_lock(sqlite3_file *file, int *is_reserved) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_reserved);
}

static int disk_control(sqlite3_file *file, int what, void *argument) {
    return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}

static int disk_sector_size(sqlite3_file *file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int disk_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int disk_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **map) {
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, map);
}

static int disk_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void disk_shm_barrier(sqlite3_file *file) {
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int disk_shm_unmap(sqlite3_file *file, int is_deleted) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), is_deleted);
}

/* ---- open ---- */

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out_flags) {
    disk_file *made = (disk_file *)file;
    (void)vfs;
    made->real = (sqlite3_file *)(made + 1);
    if (atomic_load(&read_only) && (flags & SQLITE_OPEN_MAIN_DB))
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    int code = usual->xOpen(usual, name, made->real, flags, out_flags);
    made->face.pMethods = made->real->pMethods ? &methods : NULL;
    return code;
}

void disk_use(void) {
    usual = sqlite3_vfs_find(NULL);
    methods = (sqlite3_io_methods){
        .iVersion = 2,
        .xClose = disk_close,
        .xRead = disk_read,
        .xWrite = disk_write,
        .xTruncate = disk_truncate,
        .xSync = disk_sync,
        .xFileSize = disk_file_size,
        .xLock = disk_lock,
        .xUnlock = disk_unlock,
        .xCheckReservedLock = disk_check_lock,
        .xFileControl = disk_control,
        .xSectorSize = disk_sector_size,
        .xDeviceCharacteristics = disk_characteristics,
        .xShmMap = disk_shm_map,
        .xShmLock = disk_shm_lock,
        .xShmBarrier = disk_shm_barrier,
        .xShmUnmap = disk_shm_unmap,
    };
    disk = *usual;
    disk.zName = "disk";
    disk.szOsFile = (int)sizeof(disk_file) + usual->szOsFile;
    disk.xOpen = disk_open;
    if (sqlite3_vfs_register(&disk, 1) != SQLITE_OK)
        abort();
}

void disk_fail_from(size_t nth, int code) {
    atomic_store(&fail_from, 0);
    atomic_store(&writes, 0);
    atomic_store(&failures, 0);
    atomic_store(&fail_code, code);
    atomic_store(&fail_from, nth);
}

size_t disk_writes(void) {
    return atomic_load(&writes);
}

size_t disk_failures(void) {
    return atomic_load(&failures);
}

void disk_make_read_only(int is_read_only) {
    atomic_store(&read_only, is_read_only);
}
