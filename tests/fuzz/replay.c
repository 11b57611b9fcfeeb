/*
 * Runs a fuzz target once over every file of its corpus: an ordinary test, on any compiler.
 * What a run by libFuzzer has found stays found.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int is_input(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* In a block of its own size, as libFuzzer gives it. */
static bool replay(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    uint8_t *data = size >= 0 ? malloc((size_t)size + !size) : NULL;
    if (data)
        rewind(file);
    bool is_read = data && fread(data, 1, (size_t)size, file) == (size_t)size;
    if (is_read) {
        fprintf(stderr, "%s\n", path); /* the last one that is told is the one that failed */
        LLVMFuzzerTestOneInput(data, (size_t)size);
    } else {
        perror(path);
    }
    free(data);
    if (file)
        fclose(file);
    return is_read;
}

int main(int argc, char **argv) {
    struct dirent **entries = NULL;
    int count = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : 0;
    bool is_whole = count > 0;
    for (int i = 0; i < count; i++) {
        is_whole = replay(argv[1], entries[i]->d_name) && is_whole;
        free(entries[i]);
    }
    free(entries);
    printf("%d inputs\n", count > 0 ? count : 0);
    if (count <= 0)
        fprintf(stderr, "usage: %s FOLDER, one with inputs in it\n", argv[0]);
    return is_whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
