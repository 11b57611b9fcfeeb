/* Error sentences, and structs whose size the caller's compilation decided. */
#ifndef BB_BASE_ERROR_H
#define BB_BASE_ERROR_H

#include "bb_webhook.h"

/* Fills `error` (may be NULL) with the code and the sentence; returns `code`. */
int bb_fail(bb_error *error, bb_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int bb_fail_memory(bb_error *error);

#ifdef BB_ANALYSER /* tests/lint.sh: they cannot look into it, and take what it returns for BB_OK  \
                    */
#define bb_fail(error, code, ...) (bb_fail(error, code, __VA_ARGS__), (int)(code))
#define bb_fail_memory(error) (bb_fail_memory(error), (int)BB_ERR_NO_MEMORY)
#endif

/*
 * Copies a caller's struct into one of this library's size: what the caller's
 * compilation did not know is zero; what this library does not know must be.
 * `type` names it in the error. BB_ERR_STRUCT, BB_ERR_ARGUMENT (in is NULL).
 */
int bb_struct_read(void *out, size_t size, const void *in, const char *type, bb_error *error);

/* The reverse, for structs that the library fills in: writes as much as the
 * caller's struct_size has room for, and leaves struct_size as it is. */
int bb_struct_write(void *out, const void *in, size_t size, const char *type, bb_error *error);

/* A checked copy of `allocator`, or the default one for NULL. */
int bb_allocator_read(bb_allocator *mem, const bb_allocator *allocator, bb_error *error);

#endif
