#include "fuzz/file.h"

#include <stdio.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

const char *fuzz_file(const void *bytes, size_t size) {
    static FILE *file; /* for as long as the program runs */
    static char path[64];
    if (!file) {
        file = tmpfile();
        FUZZ_CHECK(file, "no temporary file");
        snprintf(path, sizeof(path), "/dev/fd/%d", fileno(file));
    }
    bool is_written =
        ftruncate(fileno(file), 0) == 0 && pwrite(fileno(file), bytes, size, 0) == (ssize_t)size;
    FUZZ_CHECK(is_written, "cannot write the temporary file");
    return path;
}
