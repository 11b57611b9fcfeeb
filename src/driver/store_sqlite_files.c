#include "driver/store_sqlite_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <utlist.h>

#include "base/global.h"

static struct bb_sqlite_file *files;

static struct bb_sqlite_file read_file(const char *path) {
    struct stat is;
    struct bb_sqlite_file file = {.process = (long)getpid()};
    if (stat(path, &is) == 0) {
        file.device = (uint64_t)is.st_dev;
        file.inode = (uint64_t)is.st_ino;
    }
    return file;
}

bool bb_sqlite_file_is_inherited(const char *path) {
    const struct bb_sqlite_file file = read_file(path);
    const struct bb_sqlite_file *other = NULL;
    bool is_inherited = false;
    if (file.inode == 0)
        return false;
    bb_global_lock(BB_GLOBAL_FILES);
    DL_FOREACH(files, other) {
        is_inherited |= other->device == file.device && other->inode == file.inode &&
                        other->process != file.process;
    }
    bb_global_unlock(BB_GLOBAL_FILES);
    return is_inherited;
}

void bb_sqlite_file_note(struct bb_sqlite_file *file, const char *path) {
    *file = read_file(path);
    bb_global_lock(BB_GLOBAL_FILES);
    DL_APPEND(files, file);
    bb_global_unlock(BB_GLOBAL_FILES);
}

void bb_sqlite_file_forget(struct bb_sqlite_file *file) {
    if (file->process == 0)
        return;
    bb_global_lock(BB_GLOBAL_FILES);
    DL_DELETE(files, file);
    bb_global_unlock(BB_GLOBAL_FILES);
    *file = (struct bb_sqlite_file){0};
}
