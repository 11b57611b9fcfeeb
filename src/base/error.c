#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#undef bb_fail
#undef bb_fail_memory

int bb_fail(bb_error *error, bb_code code, const char *format, ...) {
    if (!error || error->struct_size < sizeof *error)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    bb_text_safe(error->text);
    error->code = code;
    return code;
}

int bb_fail_memory(bb_error *error) {
    return bb_fail(error, BB_ERR_NO_MEMORY, "out of memory");
}

static size_t claimed_size(const void *object) {
    size_t size;
    memcpy(&size, object, sizeof size);
    return size;
}

static bool is_zero(const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Far above any struct of any version: a size beyond it was never set. */
enum { MAX_STRUCT = 64 * 1024 };

static int check_size(size_t claimed, const char *type, bb_error *error) {
    if (claimed >= sizeof(size_t) && claimed <= MAX_STRUCT)
        return BB_OK;
    return bb_fail(error, BB_ERR_STRUCT, "%s.struct_size is not set: begin it with its INIT macro",
                   type);
}

int bb_struct_read(void *out, size_t size, const void *in, const char *type, bb_error *error) {
    if (!in)
        return bb_fail(error, BB_ERR_ARGUMENT, "%s is NULL", type);
    size_t claimed = claimed_size(in);
    int code = check_size(claimed, type, error);
    if (code)
        return code;
    if (claimed > size && !is_zero((const char *)in + size, claimed - size))
        return bb_fail(error, BB_ERR_STRUCT,
                       "%s uses fields that this library (%s) does not know: update the library",
                       type, BB_WEBHOOK_VERSION);
    memset(out, 0, size);
    memcpy(out, in, claimed < size ? claimed : size);
    memcpy(out, &size, sizeof size);
    return BB_OK;
}

int bb_struct_write(void *out, const void *in, size_t size, const char *type, bb_error *error) {
    if (!out)
        return bb_fail(error, BB_ERR_ARGUMENT, "%s is NULL", type);
    size_t claimed = claimed_size(out);
    int code = check_size(claimed, type, error);
    if (code)
        return code;
    size_t head = sizeof claimed, most = claimed < size ? claimed : size;
    memcpy((char *)out + head, (const char *)in + head, most - head);
    memset((char *)out + most, 0, claimed - most);
    return BB_OK;
}

int bb_allocator_read(bb_allocator *mem, const bb_allocator *allocator, bb_error *error) {
    *mem = bb_mem_default;
    if (!allocator)
        return BB_OK;
    int code = bb_struct_read(mem, sizeof *mem, allocator, "allocator", error);
    if (code)
        return code;
    if (!mem->alloc || !mem->resize || !mem->free)
        return bb_fail(error, BB_ERR_ARGUMENT, "allocator: alloc, resize or free is NULL");
    return BB_OK;
}
