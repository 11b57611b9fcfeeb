/* Memory comes from the host's allocator, handed along as `mem`. */
#ifndef BB_BASE_MEM_H
#define BB_BASE_MEM_H

#include "bb_webhook.h"

/* malloc, realloc and free. */
extern const bb_allocator bb_mem_default;

/* Each returns NULL when the host's allocator does. */
void *bb_mem_alloc(const bb_allocator *mem, size_t size);
void *bb_mem_zalloc(const bb_allocator *mem, size_t size);
void *bb_mem_resize(const bb_allocator *mem, void *block, size_t size);
char *bb_mem_strdup(const bb_allocator *mem, const char *text);
void bb_mem_free(const bb_allocator *mem, void *block);

/* Of a block of that size which holds a secret: nothing of it is given back. */
void bb_mem_free_secret(const bb_allocator *mem, void *block, size_t size);

#endif
