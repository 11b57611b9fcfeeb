#include "webhook_ids.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POSITION_SIZE 24 /* "#", 20 digits, NUL, with room to spare */

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

enum added { ADDED, TAKEN, NO_MEMORY };

/* `tree` holds const char * (tsearch). */
static enum added add_id(void **tree, const char *id) {
    const void **node = tsearch(id, tree, compare);
    if (!node)
        return NO_MEMORY;
    return *node == id ? ADDED : TAKEN;
}

static void free_tree(void *tree) {
    while (tree)
        tdelete(*(const void **)tree, &tree, compare);
}

static bool add_given(void **tree, const bb_webhook *webhook, struct mistake *mistake) {
    switch (add_id(tree, webhook->id)) {
    case ADDED:
        return true;
    case TAKEN:
        return mistaken(mistake, "webhook \"%s\": id: \"%s\" is another webhook's too",
                        webhook->name, webhook->id);
    default:
        return mistaken(mistake, "out of memory");
    }
}

/* "<id>#<position>", owned by `json`. */
static const char *numbered_id(cJSON *json, const char *id, size_t position) {
    size_t size = strlen(id) + POSITION_SIZE;
    char *text = malloc(size);
    if (!text)
        return NULL;
    snprintf(text, size, "%s#%zu", id, position);
    const cJSON *kept = cJSON_AddStringToObject(json, "id", text);
    free(text);
    return kept ? kept->valuestring : NULL;
}

static bool add_made(void **tree, bb_webhook *webhook, cJSON *json, size_t position,
                     struct mistake *mistake) {
    webhook->id = webhook->name;
    enum added added = add_id(tree, webhook->id);
    while (added == TAKEN) {
        webhook->id = numbered_id(json, webhook->id, position);
        added = webhook->id ? add_id(tree, webhook->id) : NO_MEMORY;
    }
    return added == ADDED || mistaken(mistake, "out of memory");
}

static bool assign(void **tree, bb_webhook *webhooks, size_t count, const cJSON *list,
                   struct mistake *mistake) {
    cJSON *json = list->child;
    for (size_t i = 0; i < count; i++) /* first, so that no made id takes a given one */
        if (webhooks[i].id && !add_given(tree, &webhooks[i], mistake))
            return false;
    for (size_t i = 0; i < count; i++, json = json->next)
        if (!webhooks[i].id && !add_made(tree, &webhooks[i], json, i + 1, mistake))
            return false;
    return true;
}

bool webhook_ids_assign(bb_webhook *webhooks, size_t count, const cJSON *list,
                        struct mistake *mistake) {
    void *tree = NULL;
    bool assigned = assign(&tree, webhooks, count, list, mistake);
    free_tree(tree);
    return assigned;
}
