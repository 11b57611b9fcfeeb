#include <string.h>

#include "base/error.h"

const char *bb_webhook_version(void) {
    return BB_WEBHOOK_VERSION;
}

int bb_struct_init(void *object, size_t size) {
    if (!object || size < sizeof size)
        return BB_ERR_ARGUMENT;
    memset(object, 0, size);
    memcpy(object, &size, sizeof size);
    return BB_OK;
}
