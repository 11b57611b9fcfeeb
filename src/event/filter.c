#include "event/filter.h"

#include <string.h>

#include "event/message.h"

/* ---- the decision ---- */

static bool type_is_wanted(const bb_webhook *webhook, const char *type) {
    if (webhook->issue_type_count == 0)
        return true;
    for (size_t i = 0; type && i < webhook->issue_type_count; i++)
        if (strcmp(webhook->issue_types[i], type) == 0)
            return true;
    return false;
}

static bool project_is_wanted(const bb_webhook *webhook, const bb_event *event) {
    return webhook->project_id == 0 ||
           (event->project && event->project->id == webhook->project_id);
}

bool bb_filter_matches(const bb_webhook *webhook, const bb_event *event) {
    const bb_issue *issue = event->issue;
    return !webhook->disabled && (webhook->activities & (uint32_t)event->activity) &&
           project_is_wanted(webhook, event) &&
           (!webhook->min_level || bb_event_level(event) >= webhook->min_level) &&
           (!webhook->issue_statuses ||
            (issue && (webhook->issue_statuses & (uint32_t)issue->status))) &&
           type_is_wanted(webhook, issue ? issue->type : NULL);
}

/* ---- the index ---- */

/* uthash takes its memory through these; `mem` is in scope wherever it is used. */
#define uthash_malloc(size) bb_mem_alloc(mem, size)
#define uthash_free(block, size) bb_mem_free(mem, block)
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct key {
    int64_t project_id;
    int64_t activity;
};

struct bucket {
    struct key key;
    void **entries;
    size_t count;
    size_t capacity;
    UT_hash_handle hh;
};

struct bb_index {
    const bb_allocator *mem;
    struct bucket *buckets;
};

struct bb_index *bb_index_new(const bb_allocator *mem) {
    struct bb_index *index = bb_mem_zalloc(mem, sizeof *index);
    if (index)
        index->mem = mem;
    return index;
}

static void drop_bucket(struct bb_index *index, struct bucket *bucket) {
    const bb_allocator *mem = index->mem;
    HASH_DEL(index->buckets, bucket);
    bb_mem_free(mem, bucket->entries);
    bb_mem_free(mem, bucket);
}

void bb_index_free(struct bb_index *index) {
    if (!index)
        return;
    while (index->buckets)
        drop_bucket(index, index->buckets);
    bb_mem_free(index->mem, index);
}

static struct bucket *find_bucket(const struct bb_index *index, int64_t project_id,
                                  uint32_t activity) {
    struct key key = {.project_id = project_id, .activity = activity};
    struct bucket *bucket;
    HASH_FIND(hh, index->buckets, &key, sizeof key, bucket);
    return bucket;
}

static struct bucket *new_bucket(struct bb_index *index, int64_t project_id, uint32_t activity) {
    const bb_allocator *mem = index->mem;
    struct bucket *bucket = bb_mem_zalloc(mem, sizeof *bucket);
    if (!bucket)
        return NULL;
    bucket->key = (struct key){.project_id = project_id, .activity = activity};
    HASH_ADD(hh, index->buckets, key, sizeof bucket->key, bucket);
    if (bucket->hh.tbl) /* NULL: uthash found no memory */
        return bucket;
    bb_mem_free(mem, bucket);
    return NULL;
}

static bool append(struct bb_index *index, struct bucket *bucket, void *entry) {
    if (bucket->count == bucket->capacity) {
        size_t capacity = bucket->capacity ? 2 * bucket->capacity : 2;
        void **entries =
            bb_mem_resize(index->mem, bucket->entries, capacity * sizeof *bucket->entries);
        if (!entries)
            return false;
        bucket->entries = entries;
        bucket->capacity = capacity;
    }
    bucket->entries[bucket->count++] = entry;
    return true;
}

static bool add_under(struct bb_index *index, int64_t project_id, uint32_t activity, void *entry) {
    struct bucket *bucket = find_bucket(index, project_id, activity);
    if (!bucket)
        bucket = new_bucket(index, project_id, activity);
    if (!bucket)
        return false;
    bool added = append(index, bucket, entry);
    if (bucket->count == 0)
        drop_bucket(index, bucket);
    return added;
}

static void remove_under(struct bb_index *index, int64_t project_id, uint32_t activity,
                         const void *entry) {
    struct bucket *bucket = find_bucket(index, project_id, activity);
    for (size_t i = 0; bucket && i < bucket->count; i++) {
        if (bucket->entries[i] != entry)
            continue;
        bucket->entries[i] = bucket->entries[--bucket->count];
        if (bucket->count == 0)
            drop_bucket(index, bucket);
        return;
    }
}

bool bb_index_add(struct bb_index *index, const bb_webhook *webhook, void *entry) {
    if (webhook->disabled)
        return true;
    for (uint32_t bit = 1; bit & BB_ACTIVITY_ALL; bit <<= 1) {
        if ((webhook->activities & bit) && !add_under(index, webhook->project_id, bit, entry)) {
            bb_index_remove(index, webhook, entry);
            return false;
        }
    }
    return true;
}

void bb_index_remove(struct bb_index *index, const bb_webhook *webhook, void *entry) {
    for (uint32_t bit = 1; bit & BB_ACTIVITY_ALL; bit <<= 1)
        if (webhook->activities & bit)
            remove_under(index, webhook->project_id, bit, entry);
}

static void visit(const struct bucket *bucket, void (*found)(void *user, void *entry), void *user) {
    for (size_t i = 0; bucket && i < bucket->count; i++)
        found(user, bucket->entries[i]);
}

void bb_index_find(const struct bb_index *index, const bb_event *event,
                   void (*found)(void *user, void *entry), void *user) {
    uint32_t activity = (uint32_t)event->activity;
    visit(find_bucket(index, 0, activity), found, user);
    if (event->project && event->project->id != 0)
        visit(find_bucket(index, event->project->id, activity), found, user);
}
