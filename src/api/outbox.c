/* An outbox without a dispatcher: what is dead, what was attempted. */
#include "api/outbox.h"

#include <unistd.h>

/* That is what an outbox is. */
static struct bb_store *store_of(bb_outbox *outbox) {
    return (struct bb_store *)outbox;
}

int bb_outbox_check(const struct bb_store *store, bb_error *error) {
    if (store->vtable->version != BB_STORE_VERSION)
        return bb_fail(error, BB_ERR_ARGUMENT, "the outbox is of another version of this library");
    if (store->process != (long)getpid())
        return bb_fail(error, BB_ERR_FORKED,
                       "the outbox belongs to the parent process: open another one");
    return BB_OK;
}

/* A child of fork() would say goodbye to the database in its parent's name. */
void bb_outbox_free(bb_outbox *outbox) {
    if (outbox && bb_outbox_check(store_of(outbox), NULL) == BB_OK)
        store_of(outbox)->vtable->free(store_of(outbox));
}

static int find_archive(bb_outbox *outbox, const struct bb_store_archive **archive, size_t *count,
                        bb_error *error) {
    if (count)
        *count = 0;
    if (!outbox)
        return bb_fail(error, BB_ERR_ARGUMENT, "outbox is NULL");
    int code = bb_outbox_check(store_of(outbox), error);
    if (code)
        return code;
    *archive = store_of(outbox)->vtable->archive;
    return *archive ? BB_OK : bb_fail(error, BB_ERR_ARGUMENT, "the outbox keeps no dead letters");
}

static int read_filter(bb_dead_filter *own, const bb_dead_filter *filter, bb_error *error) {
    *own = (bb_dead_filter)BB_DEAD_FILTER_INIT;
    return filter ? bb_struct_read(own, sizeof *own, filter, "dead filter", error) : BB_OK;
}

int bb_outbox_dead(bb_outbox *outbox, const bb_dead_filter *filter, bb_dead_visitor visit,
                   void *user, size_t *count, bb_error *error) {
    const struct bb_store_archive *archive;
    bb_dead_filter own;
    size_t ignored;
    int code = find_archive(outbox, &archive, count, error);
    code = code ? code : read_filter(&own, filter, error);
    return code ? code
                : archive->dead(store_of(outbox), &own, visit, user, count ? count : &ignored,
                                error);
}

int bb_outbox_replay(bb_outbox *outbox, const bb_dead_filter *filter, size_t *count,
                     bb_error *error) {
    const struct bb_store_archive *archive;
    bb_dead_filter own;
    size_t ignored;
    int code = find_archive(outbox, &archive, count, error);
    code = code ? code : read_filter(&own, filter, error);
    return code ? code : archive->replay(store_of(outbox), &own, count ? count : &ignored, error);
}

int bb_outbox_attempts(bb_outbox *outbox, int64_t number, bb_attempt_visitor visit, void *user,
                       bb_error *error) {
    const struct bb_store_archive *archive;
    int code = find_archive(outbox, &archive, NULL, error);
    if (code == BB_OK && !visit)
        code = bb_fail(error, BB_ERR_ARGUMENT, "visit is NULL");
    return code ? code : archive->attempts(store_of(outbox), number, visit, user, error);
}

int bb_outbox_purge(bb_outbox *outbox, int64_t before_ms, size_t *count, bb_error *error) {
    const struct bb_store_archive *archive;
    size_t ignored;
    int code = find_archive(outbox, &archive, count, error);
    return code ? code
                : archive->purge(store_of(outbox), before_ms, count ? count : &ignored, error);
}

int bb_outbox_cancel(bb_outbox *outbox, const char *key, size_t *count, bb_error *error) {
    const struct bb_store_archive *archive;
    size_t ignored;
    int code = find_archive(outbox, &archive, count, error);
    if (code == BB_OK && (!key || !*key))
        code = bb_fail(error, BB_ERR_ARGUMENT, "key is NULL or empty");
    return code ? code : archive->cancel(store_of(outbox), key, count ? count : &ignored, error);
}
