#include "event/message.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"

enum { NAME_MAX_BYTES = 4096 }; /* of a name that is looked at; rooms show 256 at most */

void bb_cuts_add(struct bb_cuts *cuts, const char *name) {
    for (size_t i = 0; i < cuts->count; i++)
        if (strcmp(cuts->names[i], name) == 0)
            return;
    if (cuts->count < sizeof cuts->names / sizeof *cuts->names)
        cuts->names[cuts->count++] = name;
}

/* Whether there is anything to see in it. */
static bool has(const char *text) {
    return text && !bb_text_is_invisible(text);
}

static bool is(const char *text, const char *expected) {
    return text && strcmp(text, expected) == 0;
}

/* ---- what happened: title and level ---- */

struct story {
    enum bb_title title;
    bb_level level;
    const char *a; /* for {a} and {b} of the title */
    const char *b;
    const char *subject; /* a name, or NULL */
    int64_t subject_id;  /* shown as #id when there is no name */
};

static void tell_issue_status(struct story *story, const bb_issue *issue) {
    switch (issue ? (int)issue->status : 0) {
    case BB_ISSUE_OPEN:
        story->title = BB_TITLE_ISSUE_REOPENED;
        break;
    case BB_ISSUE_DONE:
        story->title = BB_TITLE_ISSUE_RESOLVED;
        story->level = BB_SUCCESS;
        break;
    case BB_ISSUE_CANCELED:
        story->title = BB_TITLE_ISSUE_CANCELED;
        break;
    default:
        story->title = BB_TITLE_ISSUE_UPDATED;
    }
}

static void tell_assignee(struct story *story, const bb_field *field) {
    bool was = has(field->old_value), now = has(field->new_value);
    if (was && now && strcmp(field->old_value, field->new_value) != 0)
        story->title = BB_TITLE_REASSIGNED;
    else if (!was && now)
        story->title = BB_TITLE_ASSIGNED;
    else if (was && !now)
        story->title = BB_TITLE_UNASSIGNED;
    story->a = field->old_value;
    story->b = field->new_value;
}

static void tell_field(struct story *story, const bb_field *field) {
    story->title = BB_TITLE_ISSUE_UPDATED;
    if (!field)
        return;
    if (is(field->name, "assignee")) {
        tell_assignee(story, field);
    } else if (is(field->name, "description")) {
        story->title = BB_TITLE_DESCRIPTION_CHANGED;
    } else if (is(field->name, "name")) {
        story->title = BB_TITLE_NAME_CHANGED;
        if (has(field->new_value)) /* whatever the host has put into issue.name by now */
            story->subject = field->new_value;
    }
}

static void tell_stage(struct story *story, const bb_stage *stage) {
    story->title = BB_TITLE_STAGE_CHANGED;
    if (!stage)
        return;
    story->subject = stage->name;
    story->subject_id = stage->id;
    if (stage->status == BB_STAGE_BEGIN) {
        story->title = BB_TITLE_STAGE_BEGINS;
    } else if (stage->status == BB_STAGE_END) {
        story->title = stage->failed_tasks > 0 ? BB_TITLE_STAGE_FAILED : BB_TITLE_STAGE_ENDS;
        story->level = stage->failed_tasks > 0 ? BB_ERROR : BB_SUCCESS;
    }
}

static void tell_done_task(struct story *story, const bb_task *task) {
    bool skipped = has(task->skipped_reason) || is(task->status, BB_TASK_SKIPPED);
    story->title = skipped ? BB_TITLE_TASK_SKIPPED : BB_TITLE_TASK_COMPLETED;
    story->level = skipped ? BB_INFO : BB_SUCCESS;
}

static void tell_task(struct story *story, const bb_task *task) {
    story->title = BB_TITLE_TASK_CHANGED;
    if (!task)
        return;
    story->subject = task->name;
    story->subject_id = task->id;
    if (is(task->status, BB_TASK_DONE) || is(task->status, BB_TASK_SKIPPED)) {
        tell_done_task(story, task);
    } else if (is(task->status, BB_TASK_FAILED)) {
        story->title = BB_TITLE_TASK_FAILED;
        story->level = BB_ERROR;
    } else if (is(task->status, BB_TASK_RUNNING)) {
        story->title = BB_TITLE_TASK_STARTED;
    } else if (is(task->status, BB_TASK_CANCELED)) {
        story->title = BB_TITLE_TASK_CANCELED;
    } else if (is(task->status, BB_TASK_PENDING)) {
        if (is(task->old_status, BB_TASK_PENDING_APPROVAL))
            story->title = BB_TITLE_TASK_APPROVED;
        else if (is(task->old_status, BB_TASK_RUNNING))
            story->title = BB_TITLE_TASK_CANCELED;
    }
}

static struct story tell(const bb_event *event) {
    struct story story = {.title = BB_TITLE_ISSUE_CREATED, .level = BB_INFO};
    if (event->issue) {
        story.subject = event->issue->name;
        story.subject_id = event->issue->id;
    }
    switch (event->activity) {
    case BB_ISSUE_CREATE:
        break;
    case BB_ISSUE_STATUS_UPDATE:
        tell_issue_status(&story, event->issue);
        break;
    case BB_STAGE_STATUS_UPDATE:
        tell_stage(&story, event->stage);
        break;
    case BB_TASK_STATUS_UPDATE:
        tell_task(&story, event->task);
        break;
    case BB_ISSUE_FIELD_UPDATE:
        tell_field(&story, event->field);
        break;
    case BB_ISSUE_COMMENT_CREATE:
        story.title = BB_TITLE_COMMENT_CREATED;
        break;
    }
    if (event->level)
        story.level = event->level;
    return story;
}

bb_level bb_event_level(const bb_event *event) {
    return tell(event).level;
}

/* ---- its words ---- */

/* One line that names something; "" when there is nothing. */
static char *name_line(struct bb_arena *arena, const char *name, int64_t id) {
    bool cut = false;
    char *line = bb_text_first_line(bb_text_repair(arena, name, NAME_MAX_BYTES, &cut));
    if (!line || !bb_text_is_invisible(line))
        return line;
    *line = '\0';
    return id != 0 ? bb_arena_print(arena, "#%" PRId64, id) : line;
}

static char *derived_title(struct bb_arena *arena, const struct story *story,
                           bb_language language) {
    const char *a = name_line(arena, story->a, 0), *b = name_line(arena, story->b, 0);
    char *what = bb_word_expand(arena, bb_word_title(language, story->title), a, b);
    const char *subject = name_line(arena, story->subject, story->subject_id);
    if (!what || !subject || !*subject)
        return subject ? what : NULL;
    return bb_arena_join(arena, "%s - %s", what, subject);
}

static const char *make_title(struct bb_message *message, struct bb_arena *arena,
                              const struct story *story) {
    const char *given = name_line(arena, message->event->title, 0);
    if (!given || *given)
        return given;
    return derived_title(arena, story, message->language);
}

/* "priority: LOW → HIGH", for fields of which no title speaks. */
static const char *change_of(struct bb_arena *arena, const bb_event *event) {
    const bb_field *field = event->field;
    if (!field || tell(event).title != BB_TITLE_ISSUE_UPDATED)
        return NULL;
    const char *name = name_line(arena, field->name, 0);
    const char *was = name_line(arena, field->old_value, 0);
    const char *is_now = name_line(arena, field->new_value, 0);
    if (!name || !was || !is_now || !*name || (!*was && !*is_now))
        return NULL;
    return bb_arena_join(arena, "%s: %s%s%s", name, was, *was ? " → " : "→ ", is_now);
}

static const char *make_description(struct bb_message *message, struct bb_arena *arena) {
    const bb_event *event = message->event;
    const char *text = event->description;
    if (!has(text) && event->activity == BB_ISSUE_COMMENT_CREATE)
        text = event->comment;
    if (!has(text) && event->activity == BB_ISSUE_FIELD_UPDATE)
        text = change_of(arena, event);
    bool cut = false;
    char *description = bb_text_trim(bb_text_repair(arena, text, BB_TEXT_MAX, &cut));
    if (cut)
        bb_cuts_add(&message->cuts, "description");
    if (description && bb_text_is_invisible(description))
        return "";
    return description;
}

/* ---- link ---- */

static bool is_web_link(const char *link) {
    size_t scheme = bb_text_begins_like(link, "https://")  ? 8
                    : bb_text_begins_like(link, "http://") ? 7
                                                           : 0;
    char host = link[scheme];
    return scheme > 0 &&
           (bb_is_letter(host) || bb_is_digit(host) || host == '[' || (unsigned char)host >= 0x80);
}

/* Whether it can stand in a link's every part: what would end a link in JSON, HTML or
 * any product's markup can not. */
static bool is_harmless(char c) {
    static const bool ends_links[128] = {
        ['"'] = true, ['<'] = true, ['>'] = true, ['\\'] = true, ['^'] = true,
        ['`'] = true, ['{'] = true, ['|'] = true, ['}'] = true};
    return c > ' ' && c < 0x7F && !ends_links[(unsigned char)c];
}

/* Percent-encodes what is not harmless; of what is not ASCII, all behind the host. */
static const char *encode_link(struct bb_arena *arena, const char *link) {
    const char *end = link;
    while (is_harmless(*end))
        end++;
    if (!*end) /* nearly always */
        return link;
    const char *authority = strstr(link, "://");
    const char *path = authority ? authority + 3 + strcspn(authority + 3, "/?#") : link;
    char *out = bb_arena_reserve(arena, 3 * strlen(link) + 1);
    if (!out)
        return NULL;
    char *to = out;
    for (; *link; link++) {
        unsigned char c = (unsigned char)*link;
        if (is_harmless(*link) || (c >= 0x80 && link < path)) {
            *to++ = *link;
        } else {
            *to++ = '%';
            *to++ = "0123456789ABCDEF"[c >> 4];
            *to++ = "0123456789ABCDEF"[c & 15];
        }
    }
    *to = '\0';
    bb_arena_commit(arena, (size_t)(to - out) + 1);
    return out;
}

static size_t markdown_length(const char *link) {
    size_t length = 0;
    for (; *link; link++)
        length += *link == '(' || *link == ')' ? 3 : 1;
    return length;
}

static const char *make_link(struct bb_message *message, struct bb_arena *arena) {
    bool cut = false;
    char *text = bb_text_trim(bb_text_repair(arena, message->event->link, BB_LINK_MAX + 1, &cut));
    const char *link = text ? encode_link(arena, text) : NULL;
    if (!link || !*link)
        return link;
    if (!cut && is_web_link(link) && markdown_length(link) <= BB_LINK_MAX)
        return link;
    bb_cuts_add(&message->cuts, "link");
    return "";
}

/* ---- facts ---- */

static const char *const fact_names[BB_LABEL_COUNT] = {
    "project", "issue", "issue_description", "stage", "task", "status", "result_detail", "by",
};

static struct bb_fact *add_fact(struct bb_message *message, enum bb_label kind, const char *value,
                                bool is_long) {
    if (!has(value))
        return NULL;
    struct bb_fact *fact = &message->facts[message->fact_count++];
    *fact = (struct bb_fact){
        .kind = kind,
        .label = bb_word_label(message->language, kind),
        .name = fact_names[kind],
        .value = value,
        .is_long = is_long,
    };
    return fact;
}

static void add_excerpt(struct bb_message *message, struct bb_arena *arena, enum bb_label kind,
                        const char *text) {
    enum { ENOUGH = 64 * 1024 }; /* bytes; 450 graphemes are seldom a hundredth of it */
    bool cut = false;
    char *lines = bb_text_trim(bb_text_repair(arena, text, ENOUGH, &cut));
    const char *excerpt = bb_text_excerpt(arena, lines, BB_EXCERPT_GRAPHEMES, &cut);
    struct bb_fact *fact = add_fact(message, kind, excerpt, true);
    if (fact)
        fact->is_cut = cut;
}

static const char *status_of(const bb_event *event) {
    if (event->activity == BB_TASK_STATUS_UPDATE && event->task)
        return event->task->status;
    if (event->activity == BB_STAGE_STATUS_UPDATE && event->stage)
        return bb_stage_status_name(event->stage->status);
    return event->issue ? bb_issue_status_name(event->issue->status) : NULL;
}

static const char *detail_of(const bb_task *task) {
    bool is_done = is(task->status, BB_TASK_DONE) || is(task->status, BB_TASK_SKIPPED);
    const char *first = is_done ? task->skipped_reason : task->detail;
    return has(first) ? first : is_done ? task->detail : task->skipped_reason;
}

static const char *person_of(const bb_user *user) {
    return has(user->name) ? user->name : user->email;
}

static void add_facts(struct bb_message *message, struct bb_arena *arena) {
    const bb_event *e = message->event;
    if (e->project)
        add_fact(message, BB_LABEL_PROJECT, name_line(arena, e->project->name, e->project->id),
                 false);
    if (e->issue) {
        add_fact(message, BB_LABEL_ISSUE, name_line(arena, e->issue->name, e->issue->id), false);
        add_excerpt(message, arena, BB_LABEL_ISSUE_DESCRIPTION, e->issue->description);
    }
    if (e->stage)
        add_fact(message, BB_LABEL_STAGE, name_line(arena, e->stage->name, e->stage->id), false);
    if (e->task)
        add_fact(message, BB_LABEL_TASK, name_line(arena, e->task->name, e->task->id), false);
    add_fact(message, BB_LABEL_STATUS, name_line(arena, status_of(e), 0), false);
    if (e->task)
        add_excerpt(message, arena, BB_LABEL_RESULT_DETAIL, detail_of(e->task));
    if (e->creator)
        add_fact(message, BB_LABEL_BY, name_line(arena, person_of(e->creator), 0), false);
}

/* ---- mentions ---- */

/* Words that are nobody's id, and would call a whole room. */
static bool is_room(const char *id) {
    static const char *const rooms[] = {"all", "everyone", "here", "channel"};
    id += *id == '@';
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        if (bb_text_is_like(id, rooms[i]))
            return true;
    return false;
}

/* An id that is put between markup characters must have none of them in it; `more`
 * are those that do no harm to its product. */
static const char *clean_id(struct bb_arena *arena, const char *id, const char *more) {
    enum { ID_MAX = 128 };
    if (!has(id) || strnlen(id, ID_MAX + 1) > ID_MAX || is_room(id))
        return NULL;
    for (const char *c = id; *c; c++)
        if (!bb_is_letter(*c) && !bb_is_digit(*c) && !strchr("_.@+-", *c) && !strchr(more, *c))
            return NULL;
    return bb_arena_copy(arena, id, strlen(id));
}

/* Eleven digits, as both products want a mainland number; NULL for others. */
static const char *clean_phone(struct bb_arena *arena, const char *phone) {
    enum { DIGITS = 11 };
    char digits[DIGITS + 1];
    size_t n = 0;
    if (!has(phone))
        return NULL;
    if (strncmp(phone, "+86", 3) == 0)
        phone += 3;
    for (; *phone; phone++) {
        if (*phone >= '0' && *phone <= '9' && n < DIGITS)
            digits[n++] = *phone;
        else if (*phone != ' ' && *phone != '-')
            return NULL;
    }
    return n == DIGITS ? bb_arena_copy(arena, digits, n) : NULL;
}

static void clean_mention(bb_mention *to, struct bb_arena *arena, const bb_mention *from) {
    to->name = name_line(arena, from->name, 0);
    to->slack = clean_id(arena, from->slack, "");
    to->discord = clean_id(arena, from->discord, "");
    to->teams = clean_id(arena, from->teams, "'");
    to->dingtalk = clean_id(arena, from->dingtalk, "");
    to->phone = clean_phone(arena, from->phone);
    to->feishu = clean_id(arena, from->feishu, "");
    to->wecom = clean_id(arena, from->wecom, "");
}

static void add_mentions(struct bb_message *message, struct bb_arena *arena) {
    const bb_event *event = message->event;
    if (event->mention_count == 0)
        return;
    bb_mention *mentions = bb_arena_zalloc(arena, event->mention_count * sizeof *mentions);
    if (!mentions)
        return;
    for (size_t i = 0; i < event->mention_count; i++) {
        if (event->mentions[i]->everyone)
            message->everyone = true;
        else
            clean_mention(&mentions[message->mention_count++], arena, event->mentions[i]);
    }
    message->mentions = mentions;
}

bool bb_message_begin(struct bb_message *message, struct bb_arena *arena, const bb_event *event,
                      bb_language language) {
    *message = (struct bb_message){.event = event, .language = language};
    struct story story = tell(event);
    message->level = story.level;
    message->created_ts = event->created_ts;
    message->title = make_title(message, arena, &story);
    message->description = make_description(message, arena);
    message->link = make_link(message, arena);
    return !arena->failed;
}

bool bb_message_complete(struct bb_message *message, struct bb_arena *arena) {
    if (message->is_complete)
        return true;
    add_facts(message, arena);
    add_mentions(message, arena);
    message->is_complete = !arena->failed;
    return message->is_complete;
}

bool bb_message_make(struct bb_message *message, struct bb_arena *arena, const bb_event *event,
                     bb_language language) {
    return bb_message_begin(message, arena, event, language) && bb_message_complete(message, arena);
}
