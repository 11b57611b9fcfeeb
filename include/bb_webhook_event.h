/*
 * bb_webhook_event.h: the words of bb_webhook. What can happen, to whom, and how
 * it is written down; the rules of bb_webhook.h hold here, too.
 */
#ifndef BB_WEBHOOK_EVENT_H
#define BB_WEBHOOK_EVENT_H

#include <stddef.h>
#include <stdint.h>

#if defined(BB_WEBHOOK_BUILD) && defined(__GNUC__)
#define BB_API __attribute__((visibility("default")))
#else
#define BB_API
#endif

#ifdef __cplusplus
/* C++11 has no designated initialisers: the same INIT macros work through this. */
template <typename T> inline T bb_init_struct() {
    T made = T();
    made.struct_size = sizeof(T);
    return made;
}
#define BB_INIT_STRUCT(type) bb_init_struct<type>()
extern "C" {
#else
#define BB_INIT_STRUCT(type)                                                                       \
    { .struct_size = sizeof(type) }
#endif

/* ---------------------------------------------------------------- codes -- */

typedef enum bb_code {
    BB_OK = 0,
    BB_ERR_NO_MEMORY = -1, /* an allocation failed; nothing was half done */
    BB_ERR_ARGUMENT = -2,  /* a required pointer is NULL or a value out of range */
    BB_ERR_STRUCT = -3,    /* struct_size not set, or newer fields in use */
    BB_ERR_EVENT = -4,     /* the event has no activity, or cannot be read */
    BB_ERR_WEBHOOK = -5,   /* a webhook's configuration is wrong */
    BB_ERR_URL = -6,       /* a webhook's URL is malformed or not allowed */
    BB_ERR_EXISTS = -7,    /* a webhook with this id is already there */
    BB_ERR_NOT_FOUND = -8, /* no webhook has this id */
    BB_ERR_TOO_LARGE = -9, /* the payload does not fit its limit */
    BB_ERR_SYSTEM = -10,   /* libcurl or the operating system refused */
    BB_ERR_FULL = -11,     /* the outbox has no room; nothing was taken */
    BB_ERR_BUSY = -12,     /* from a callback, or another thread drives or stops */
    BB_ERR_TIMEOUT = -13,  /* the time was over before the work was */
    BB_ERR_FORKED = -14,   /* a child of fork() used its parent's dispatcher */
    BB_ERR_OUTBOX = -15,   /* the outbox's database could not be read or written */

    /* of bb_webhook_verify alone */
    BB_ERR_SIGNATURE = -16, /* no signature is of any of the secrets */
    BB_ERR_TOO_OLD = -17,   /* the timestamp is further back than the tolerance */
    BB_ERR_TOO_NEW = -18,   /* the timestamp is further ahead than the tolerance */
    BB_ERR_MISSING = -19,   /* a header is not there */
    BB_ERR_MALFORMED = -20  /* a header cannot be read */
} bb_code;

typedef struct bb_error {
    size_t struct_size;
    bb_code code;
    int reserved;   /* zero */
    char text[512]; /* one sentence, UTF-8, safe to print */
} bb_error;
#define BB_ERROR_INIT BB_INIT_STRUCT(bb_error)

/* A fixed name such as "BB_ERR_URL". Static; never NULL. */
BB_API const char *bb_code_name(int code);

/* Zeroes `size` bytes at `object` and sets its struct_size: what the INIT macros
 * do, for callers that cannot use them. BB_ERR_ARGUMENT for NULL or a size
 * below sizeof(size_t). */
BB_API int bb_struct_init(void *object, size_t size);

/* The host's allocator. Called from any thread that calls the library. Memory
 * of libcurl, cJSON and OpenSSL is theirs and does not come from here. What
 * held a secret, a URL, a signature or an answer is wiped before it is freed. */
typedef struct bb_allocator {
    size_t struct_size;
    void *(*alloc)(size_t size, void *user);
    void *(*resize)(void *block, size_t size, void *user); /* as realloc */
    void (*free)(void *block, void *user);                 /* block may be NULL */
    void *user;
} bb_allocator;
#define BB_ALLOCATOR_INIT BB_INIT_STRUCT(bb_allocator)

/* ----------------------------------------------------------- vocabulary -- */

/* What happened. One bit each, so that a webhook's wish is a set of them. */
typedef enum bb_activity {
    BB_ISSUE_CREATE = 0x01,        /* bb.issue.create */
    BB_ISSUE_STATUS_UPDATE = 0x02, /* bb.issue.status.update */
    BB_STAGE_STATUS_UPDATE = 0x04, /* bb.pipeline.stage.status.update */
    BB_TASK_STATUS_UPDATE = 0x08,  /* bb.pipeline.task.status.update */
    BB_ISSUE_FIELD_UPDATE = 0x10,  /* bb.issue.field.update */
    BB_ISSUE_COMMENT_CREATE = 0x20 /* bb.issue.comment.create */
} bb_activity;
#define BB_ACTIVITY_ALL 0x3fu

typedef enum bb_level { BB_INFO = 1, BB_SUCCESS = 2, BB_WARN = 3, BB_ERROR = 4 } bb_level;

/* The kind of receiver. */
typedef enum bb_type {
    BB_SLACK = 1,
    BB_DISCORD = 2,
    BB_TEAMS = 3,
    BB_DINGTALK = 4,
    BB_FEISHU = 5, /* Feishu and Lark */
    BB_WECOM = 6,
    BB_CUSTOM = 7
} bb_type;

typedef enum bb_language { BB_ENGLISH = 1, BB_CHINESE = 2 } bb_language;

/* One bit each, so that a webhook's filter is a set of them. */
typedef enum bb_issue_status {
    BB_ISSUE_OPEN = 1,
    BB_ISSUE_DONE = 2,
    BB_ISSUE_CANCELED = 4
} bb_issue_status;

typedef enum bb_stage_status { BB_STAGE_BEGIN = 1, BB_STAGE_END = 2 } bb_stage_status;

/* Task statuses are text, because a host may have more of them than these; one
 * that is not listed is shown as it is. */
#define BB_TASK_PENDING "PENDING"
#define BB_TASK_PENDING_APPROVAL "PENDING_APPROVAL"
#define BB_TASK_RUNNING "RUNNING"
#define BB_TASK_DONE "DONE"
#define BB_TASK_FAILED "FAILED"
#define BB_TASK_CANCELED "CANCELED"
#define BB_TASK_SKIPPED "SKIPPED"

/* What an attempt's answer means for the delivery. */
typedef enum bb_verdict {
    BB_DELIVERED = 1, /* the receiver said yes */
    BB_RETRY = 2,     /* not now; the same request may succeed later */
    BB_DEAD = 3,      /* this delivery will never succeed as it is */
    BB_UNKNOWN = 4    /* sent, but the answer was lost: it may have arrived */
} bb_verdict;

/* What an attempt's answer means for the webhook itself. */
typedef enum bb_advice {
    BB_ADVICE_PAUSE = 1,    /* send nothing more for retry_after_ms */
    BB_ADVICE_OPERATOR = 2, /* somebody must mend its settings; later ones go on */
    BB_ADVICE_DISABLE = 3   /* it is gone: stop using it until it is set up anew */
} bb_advice;

/* Names as configuration and JSON spell them ("bb.issue.create", "INFO",
 * "slack", "en", "OPEN", "BEGIN", "delivered", "pause"). Static; "" for a value
 * that has none. */
BB_API const char *bb_activity_name(bb_activity activity);
BB_API const char *bb_level_name(bb_level level);
BB_API const char *bb_type_name(bb_type type);
BB_API const char *bb_language_name(bb_language language);
BB_API const char *bb_issue_status_name(bb_issue_status status);
BB_API const char *bb_stage_status_name(bb_stage_status status);
BB_API const char *bb_verdict_name(bb_verdict verdict);
BB_API const char *bb_advice_name(bb_advice advice);

/* The value of a name, 0 for one that is not known (or NULL). Exact spelling;
 * bb_type_from_name also takes "lark" for Feishu. */
BB_API bb_activity bb_activity_from_name(const char *name);
BB_API bb_level bb_level_from_name(const char *name);
BB_API bb_type bb_type_from_name(const char *name);
BB_API bb_language bb_language_from_name(const char *name);
BB_API bb_issue_status bb_issue_status_from_name(const char *name);
BB_API bb_stage_status bb_stage_status_from_name(const char *name);

/* --------------------------------------------------------------- events -- */

typedef struct bb_user {
    size_t struct_size;
    int64_t id;
    const char *name;
    const char *email; /* shown when there is no name */
} bb_user;
#define BB_USER_INIT BB_INIT_STRUCT(bb_user)

typedef struct bb_project {
    size_t struct_size;
    int64_t id; /* what webhooks' project_id is matched with */
    const char *name;
} bb_project;
#define BB_PROJECT_INIT BB_INIT_STRUCT(bb_project)

typedef struct bb_issue {
    size_t struct_size;
    int64_t id;
    const char *name; /* its first line names the issue in titles */
    const char *type; /* the host's own word, e.g. "bb.issue.database.schema.update" */
    const char *description;
    bb_issue_status status;
    int reserved; /* zero */
} bb_issue;
#define BB_ISSUE_INIT BB_INIT_STRUCT(bb_issue)

/* For BB_ISSUE_FIELD_UPDATE: "assignee", "description", "name" have titles of
 * their own. The values are display names, not ids. */
typedef struct bb_field {
    size_t struct_size;
    const char *name;
    const char *old_value;
    const char *new_value;
} bb_field;
#define BB_FIELD_INIT BB_INIT_STRUCT(bb_field)

typedef struct bb_stage {
    size_t struct_size;
    int64_t id;
    const char *name;
    int64_t failed_tasks; /* more than 0 at the end of a stage: it failed */
    bb_stage_status status;
    int reserved; /* zero */
} bb_stage;
#define BB_STAGE_INIT BB_INIT_STRUCT(bb_stage)

typedef struct bb_task {
    size_t struct_size;
    int64_t id;
    const char *name;
    const char *old_status; /* BB_TASK_... or the host's own word */
    const char *status;
    const char *detail; /* result detail, e.g. the error of a failed task */
    const char *skipped_reason;
} bb_task;
#define BB_TASK_INIT BB_INIT_STRUCT(bb_task)

/* Somebody to notify. Each product needs its own id; where the one it needs is
 * missing, or the product cannot notify from a webhook, the name is written as
 * text. Mentions come only from this list, never from any other text. */
typedef struct bb_mention {
    size_t struct_size;
    const char *name;
    const char *slack;    /* member id, "U0123ABCD" */
    const char *discord;  /* user id (snowflake), "80351110224678912" */
    const char *teams;    /* Entra object id or user principal name */
    const char *dingtalk; /* user id */
    const char *phone;    /* mainland China number, "+86" optional: DingTalk */
    const char *feishu;   /* open_id "ou_..." or user_id */
    const char *wecom;    /* userid */
    int everyone;         /* not 0: the whole room; the ids are ignored */
    int reserved;         /* zero */
} bb_mention;
#define BB_MENTION_INIT BB_INIT_STRUCT(bb_mention)

/* Something that happened. Only `activity` is required; every part that is
 * missing is simply not shown. */
typedef struct bb_event {
    size_t struct_size;
    const char *id; /* the event's own id; NULL: one is made (above 255
                       bytes a digest stands for it) */
    bb_activity activity;
    bb_level level;          /* 0: derived from what happened */
    const char *title;       /* NULL: derived, in each webhook's language */
    const char *description; /* NULL: the comment, for a comment */
    const char *link;        /* absolute http(s) URL of the page to open, up to
                                2,000 bytes; others are left out */
    const char *comment;     /* for BB_ISSUE_COMMENT_CREATE */
    int64_t created_ts;      /* seconds since 1970; 0: when it is posted */
    const bb_user *creator;  /* who did it */
    const bb_issue *issue;
    const bb_project *project;
    const bb_field *field;
    const bb_stage *stage;
    const bb_task *task;
    const bb_mention *const *mentions; /* array of pointers, or NULL */
    size_t mention_count;
} bb_event;
#define BB_EVENT_INIT BB_INIT_STRUCT(bb_event)

/* -------------------------------------------------------- event as JSON -- */

/* One event as a JSON object; the member names are those of docs/event-json.md.
 * Members may be missing or null, unknown ones are ignored, integers keep all 64
 * bits (also when written as strings), bytes that are not UTF-8 pass through. */
typedef struct bb_event_doc bb_event_doc;

/* `allocator` may be NULL. The event lives as long as the document. BB_ERR_EVENT
 * names the member that is wrong. */
BB_API int bb_event_parse(const bb_allocator *allocator, const char *json, size_t length,
                          bb_event_doc **document, bb_error *error);
BB_API const bb_event *bb_event_doc_event(const bb_event_doc *document);
BB_API void bb_event_doc_free(bb_event_doc *document);

/* Writes `event` as one line of JSON (each text up to 256 KiB) into `out` (NUL-terminated when
 * `size` is enough) and its length without the NUL into `*length`. BB_ERR_TOO_LARGE when `size` is
 * not enough: `*length` says what is needed. `out` may be NULL when `size` is 0. */
BB_API int bb_event_print(const bb_event *event, char *out, size_t size, size_t *length,
                          bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
