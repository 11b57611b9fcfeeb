#include "fuzz/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

/* In memory: a disk that others write to makes each input wait. */
static int open_nameless(void) {
    char name[64];
    snprintf(name, sizeof(name), "/bb_fuzz_%ld", (long)getpid());
    int descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (descriptor >= 0) {
        shm_unlink(name);
        return descriptor;
    }
    FILE *file = tmpfile();
    FUZZ_CHECK(file, "no temporary file");
    return fileno(file);
}

const char *fuzz_file(const void *bytes, size_t size) {
    static int descriptor = -1; /* for as long as the program runs */
    static char path[64];
    if (descriptor < 0) {
        descriptor = open_nameless();
        snprintf(path, sizeof(path), "/dev/fd/%d", descriptor);
    }
    bool is_written =
        ftruncate(descriptor, 0) == 0 && pwrite(descriptor, bytes, size, 0) == (ssize_t)size;
    FUZZ_CHECK(is_written, "cannot write the file");
    return path;
}
