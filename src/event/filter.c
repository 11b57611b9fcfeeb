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
#include <utlist.h>

/* There is one for each project with a member. */
struct project {
    int64_t id;
    struct bb_member *members;
    UT_hash_handle hh;
};

struct bb_index {
    const bb_allocator *mem;
    struct project *projects;
};

struct bb_index *bb_index_new(const bb_allocator *mem) {
    struct bb_index *index = bb_mem_zalloc(mem, sizeof *index);
    if (index)
        index->mem = mem;
    return index;
}

static void drop_project(struct bb_index *index, struct project *project) {
    const bb_allocator *mem = index->mem;
    HASH_DEL(index->projects, project);
    bb_mem_free(mem, project);
}

void bb_index_free(struct bb_index *index) {
    if (!index)
        return;
    while (index->projects)
        drop_project(index, index->projects);
    bb_mem_free(index->mem, index);
}

static struct project *find_project(const struct bb_index *index, int64_t id) {
    struct project *project;
    HASH_FIND(hh, index->projects, &id, sizeof id, project);
    return project;
}

static struct project *new_project(struct bb_index *index, int64_t id) {
    const bb_allocator *mem = index->mem;
    struct project *project = bb_mem_zalloc(mem, sizeof *project);
    if (!project)
        return NULL;
    project->id = id;
    HASH_ADD(hh, index->projects, id, sizeof project->id, project);
    if (project->hh.tbl) /* NULL: uthash found no memory */
        return project;
    bb_mem_free(mem, project);
    return NULL;
}

bool bb_index_add(struct bb_index *index, int64_t project_id, struct bb_member *member) {
    struct project *project = find_project(index, project_id);
    if (!project)
        project = new_project(index, project_id);
    if (project)
        DL_APPEND(project->members, member);
    return project != NULL;
}

void bb_index_remove(struct bb_index *index, int64_t project_id, struct bb_member *member) {
    struct project *project = find_project(index, project_id);
    DL_DELETE(project->members, member);
    if (!project->members)
        drop_project(index, project);
}

bool bb_index_move(struct bb_index *index, int64_t from, int64_t to, struct bb_member *member) {
    if (from == to)
        return true;
    if (!find_project(index, to) && !new_project(index, to))
        return false;
    bb_index_remove(index, from, member);
    return bb_index_add(index, to, member); /* its project is there, so it cannot fail */
}

static void visit(const struct project *project, bb_member_visitor *found, void *user) {
    for (struct bb_member *m = project ? project->members : NULL; m; m = m->next)
        found(user, m);
}

void bb_index_find(const struct bb_index *index, const bb_event *event, bb_member_visitor *found,
                   void *user) {
    visit(find_project(index, 0), found, user);
    if (event->project && event->project->id != 0)
        visit(find_project(index, event->project->id), found, user);
}
