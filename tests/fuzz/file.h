/* For targets that read files: one file that is written anew for each input. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <stddef.h>

/* Its path, the same each time; it has no name in any folder. */
const char *fuzz_file(const void *bytes, size_t size);

#endif
