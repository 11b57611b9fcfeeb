#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

static void *default_alloc(size_t size, void *user) {
    (void)user;
    return malloc(size);
}

static void *default_resize(void *block, size_t size, void *user) {
    (void)user;
    return realloc(block, size);
}

static void default_free(void *block, void *user) {
    (void)user;
    free(block);
}

const bb_allocator bb_mem_default = {
    .struct_size = sizeof(bb_allocator),
    .alloc = default_alloc,
    .resize = default_resize,
    .free = default_free,
};

void *bb_mem_alloc(const bb_allocator *mem, size_t size) {
    return mem->alloc(size, mem->user);
}

void *bb_mem_zalloc(const bb_allocator *mem, size_t size) {
    void *block = bb_mem_alloc(mem, size);
    if (block)
        memset(block, 0, size);
    return block;
}

void *bb_mem_resize(const bb_allocator *mem, void *block, size_t size) {
    return mem->resize(block, size, mem->user);
}

char *bb_mem_strdup(const bb_allocator *mem, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = bb_mem_alloc(mem, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void bb_mem_free(const bb_allocator *mem, void *block) {
    if (block)
        mem->free(block, mem->user);
}

void bb_mem_free_secret(const bb_allocator *mem, void *block, size_t size) {
    if (block)
        bb_wipe(block, size);
    bb_mem_free(mem, block);
}
