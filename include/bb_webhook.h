/*
 * bb_webhook: webhook dispatch for programs that manage issues and pipelines.
 *
 * The host says what happened (bb_webhook_post); every configured webhook that
 * asked to know is told, in the shape which its product shows best, and the
 * answer is understood: delivered, to be retried, dead, or unknown.
 *
 * Rules that hold for the whole header
 *
 *   Return value   0 (BB_OK) or a negative bb_code. It says whether the library
 *                  could do its work; what the far side did is a bb_outcome.
 *   bb_error       optional last argument, owned by the caller. When the call
 *                  fails it receives the code and one sentence that names the
 *                  field or the webhook. Untouched when the call succeeds.
 *   Strings        UTF-8, NUL-terminated, borrowed for the length of the call
 *                  and copied where kept. Ill-formed UTF-8 is repaired (U+FFFD),
 *                  never refused. NULL and "" mean the same unless said.
 *   Structs        plain, filled in by the host, begun with the matching
 *                  BB_..._INIT (other languages: bb_struct_init). struct_size
 *                  is the size the caller was compiled with: an older, smaller
 *                  struct is accepted; a newer, larger one too as long as the
 *                  part this library does not know is all zero, else
 *                  BB_ERR_STRUCT. Zero in any field means the usual case.
 *   Ownership      what a _new or an out parameter hands over is freed with the
 *                  function of that type; every _free accepts NULL. When a call
 *                  fails, what it would have handed over is NULL.
 *   Threads        one dispatcher may be used by any number of threads at once.
 *                  A report, a request and an event document belong to one
 *                  thread at a time. After fork() the child makes a dispatcher
 *                  and an outbox of its own; its parent's say BB_ERR_FORKED there.
 *   Time           milliseconds since 1970-01-01 UTC, except created_ts, which
 *                  is in seconds (as the Custom endpoint sends it).
 *   Secrets        a webhook's URL path and query, its secrets, the values of its
 *                  own headers, passwords, and signatures never appear in an error, an
 *                  outcome, a report, statistics, an outbox or a log line.
 */
#ifndef BB_WEBHOOK_H
#define BB_WEBHOOK_H

#include "bb_webhook_background.h"
#include "bb_webhook_egress.h"
#include "bb_webhook_event.h"
#include "bb_webhook_outbox.h"
#include "bb_webhook_verify.h"

#define BB_WEBHOOK_VERSION "0.1.0"
#define BB_WEBHOOK_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" of the library that is running, as opposed to BB_WEBHOOK_VERSION. */
BB_API const char *bb_webhook_version(void);

/* ------------------------------------------------------------- webhooks -- */

/* What waits for what, in background delivery. */
typedef enum bb_order {
    BB_ORDER_ISSUE = 1,  /* events of one issue arrive in order: a later one waits while an
                            earlier one is in flight or being retried */
    BB_ORDER_WEBHOOK = 2 /* so do all events of the webhook */
} bb_order;

/* What follows an attempt that was sent but whose answer was lost, in background delivery. */
typedef enum bb_when_unknown {
    BB_UNKNOWN_RETRY = 1,     /* as any failure: Custom and DingTalk, which are told the delivery's
                                 id and can leave out the second */
    BB_UNKNOWN_ONCE_MORE = 2, /* one further attempt: the others */
    BB_UNKNOWN_GIVE_UP = 3    /* none */
} bb_when_unknown;

/* A header of a request. Never grows, so that arrays of it can be given. */
typedef struct bb_header {
    const char *name;  /* up to 64 letters, digits and !#$%&'*+-.^_`|~ */
    const char *value; /* up to 4,096 bytes without control characters */
} bb_header;

/* One configured webhook. */
typedef struct bb_webhook {
    size_t struct_size;
    const char *id;     /* unique in a dispatcher, UTF-8, up to 255 bytes; NULL: the name serves as
                           id, but not with an outbox that keeps what waits (BB_ERR_WEBHOOK) */
    const char *name;   /* for people: reports, errors, the test message */
    int64_t project_id; /* 0: events of every project */
    const char *url;    /* https; up to 4,096 bytes; a secret. An internationalised host, in UTF-8,
                           is used and shown in its xn-- form. NULL:
                           bb_options.credentials says it and the next
                           three, which must be NULL then */
    const char *secret; /* DingTalk, Feishu: signing secret. Custom: Standard
                           Webhooks, "whsec_" + base64 of 16 to 64 bytes (prefix
                           optional): v1, HMAC-SHA256; or "whsk_" + base64 of an
                           Ed25519 seed and its public key: v1a. Others: must be NULL */
    const char *previous_secret; /* Custom, while a secret is replaced: the old
                                    one, of either form; both signatures are sent,
                                    the new one's first. Others: must be NULL */
    const char *authorization;   /* the value of an Authorization header: "Bearer
                                    ..."; a secret. NULL: none is sent */
    const bb_header *headers;    /* up to 16 that are sent too; their values are
                                    taken for secrets. Not those that the library,
                                    HTTP or `authorization` sets: Host, User-Agent,
                                    Content-..., webhook-... and the like */
    uint32_t header_count;
    int insecure_allow_private_addresses; /* not 0: this one's receiver may be inside the network,
                                             on any port: see bb_webhook_egress.h */
    bb_type type;
    uint32_t activities;            /* set of bb_activity; 0 matches nothing */
    bb_language language;           /* 0: English */
    bb_level min_level;             /* 0: every level */
    uint32_t issue_statuses;        /* set of bb_issue_status; 0: any, also no issue */
    int disabled;                   /* not 0: kept, but never matches */
    const char *const *issue_types; /* NULL: any. Else the issue's type must be
                                       one of these */
    size_t issue_type_count;
    const char *keyword;      /* NULL: "Bytebase"; "": none. Added as last line of
                                 DingTalk and Feishu texts that lack it, because
                                 those products can demand one */
    const char *button_text;  /* NULL: "View in Bytebase", in the webhook's language */
    int allow_any_2xx;        /* Custom: any 2xx is delivered, the body is ignored */
    int allow_any_host;       /* private deployments: the host is not held against
                                 the product's list, nor the path against its form */
    int teams_connector;      /* Teams: judge as an old Office 365 connector;
                                 0: the host decides */
    int dingtalk_action_card; /* DingTalk: a card with a button, not markdown
                                 (people cannot be notified from it) */

    /* background delivery */
    bb_order order;               /* 0: each as it becomes due */
    bb_when_unknown when_unknown; /* 0: by the type */
    uint32_t max_in_flight;       /* attempts at once; 0: 8 of Custom, else 1 */
    uint32_t rate_count;     /* at most so many messages (up to 1,000) in any rate_period_ms, in */
    uint32_t rate_period_ms; /* place of the product's own limits; both 0: those */
    int no_rate;             /* not 0: no limit but what answers say */
    uint32_t age_limit_s;    /* older ones are dead; 0: 24 hours, of Custom none */
    uint32_t max_attempts;   /* 0: as many as the schedule has */

    /* TLS, of this webhook alone: only where its URL is https. Files are read at each new
     * connection; webhooks in which these differ do not share connections. More: docs/egress.md */
    const char *client_certificate;  /* PEM file: the certificate that a receiver asks for, then
                                        those that lead to its authority */
    const char *client_key;          /* PEM file; NULL: it is in client_certificate, too */
    const char *client_key_password; /* a secret; NULL: the key has none */
    const char *pinned_key;          /* "sha256//" and the base64 of the digest of the receiver's
                                        public key (SubjectPublicKeyInfo); several with ; between:
                                        one must be it, and its certificate good */
    const char *ca_file;             /* PEM bundle, in place of the options'; NULL: theirs */
} bb_webhook;
#define BB_WEBHOOK_INIT BB_INIT_STRUCT(bb_webhook)

/* 1 when `webhook` asks for `event` (activity, project, level, issue status and
 * type) and is not disabled, 0 when it does not, or a negative bb_code. What a
 * dispatcher decides by, for hosts that filter by themselves. */
BB_API int bb_webhook_matches(const bb_webhook *webhook, const bb_event *event, bb_error *error);

/* -------------------------------------------------------------- options -- */

/* Called on the thread that causes the line, possibly on several at once. Must
 * not call into the dispatcher. `text` is one line without a secret. */
typedef void (*bb_log_fn)(void *user, bb_level level, const char *text);

/* Milliseconds since 1970. Called from any thread. */
typedef int64_t (*bb_clock_fn)(void *user);

/* What the host hands over for one attempt: as the members of bb_webhook, under the same checks. */
typedef struct bb_credentials {
    size_t struct_size; /* set by the library */
    const char *url;    /* required */
    const char *secret;
    const char *previous_secret;
    const char *authorization;
    void (*release)(struct bb_credentials *credentials); /* NULL, or called when the texts have been
                                                            copied, on the same thread */
    void *kept;                                          /* for `release` */
} bb_credentials;
#define BB_CREDENTIALS_INIT BB_INIT_STRUCT(bb_credentials)

/* Fills in what the webhook is sent with at this moment, and returns 0; anything else: not to be
 * had now. Then nothing is sent and the attempt fails as BB_FAILURE_CREDENTIALS: retry, and
 * somebody must look. Called for every attempt (of a post, a test message, in the background) and
 * every prepared request of a webhook without a url, on the thread that makes it, without any lock,
 * possibly on several threads at once. All that this thread does waits for it, so a slow source
 * wants a cache. Must not call into the dispatcher. What was copied is wiped when the attempt is
 * over. */
typedef int (*bb_credentials_fn)(void *user, const char *webhook_id, bb_credentials *credentials);

typedef struct bb_options {
    size_t struct_size;
    const bb_allocator *allocator; /* copied; NULL: malloc */
    bb_clock_fn clock;             /* NULL: the system's clock */
    void *clock_user;
    bb_log_fn log; /* NULL: no log */
    void *log_user;
    bb_credentials_fn credentials; /* NULL: every webhook has its url */
    void *credentials_user;
    const char *ca_file;                     /* PEM bundle; NULL: libcurl's own */
    const char *user_agent;                  /* NULL: "bb_webhook/" and the version */
    uint32_t connect_timeout_ms;             /* DNS + TCP + TLS; 0: 5,000 */
    uint32_t timeout_ms;                     /* one attempt in all; 0: 15,000. Shorter than the
                                                lease_ms of an outbox */
    uint32_t post_timeout_ms;                /* one bb_webhook_post in all; 0: 30,000 */
    uint32_t max_parallel;                   /* attempts of one post at once; 0: 64 */
    int http2;                               /* not 0: offer HTTP/2 over TLS */
    int insecure_allow_http;                 /* not 0: http:// URLs too */
    int insecure_allow_private_addresses;    /* not 0: loopback, private and other addresses that
                                                are not public too, but no metadata service; of all
                                                webhooks */
    int reserved;                            /* zero */
    const bb_background_options *background; /* copied; NULL: the usual case */
    const bb_egress *egress;                 /* copied: which addresses and ports; NULL: public
                                                addresses */
} bb_options;
#define BB_OPTIONS_INIT BB_INIT_STRUCT(bb_options)

/* ------------------------------------------------------------- outcomes -- */

typedef struct bb_outcome {
    size_t struct_size;
    bb_verdict verdict;
    bb_advice advice;         /* 0: the webhook is fine */
    int http_status;          /* 0: no answer */
    int whole_type;           /* not 0: a pause that holds for every webhook of
                                 this type (Discord's global limits) */
    int64_t retry_after_ms;   /* the wait that was asked for, from 1 s to 24 h;
                                 0: none was stated. Of a row that was not sent
                                 because of a pause: what is left of it */
    char remote_code[64];     /* the provider's own code: "310000", "no_service" */
    char remote_message[512]; /* its own words, one line, safe to print */
    char text[512];           /* one sentence for a person, names the webhook */
} bb_outcome;
#define BB_OUTCOME_INIT BB_INIT_STRUCT(bb_outcome)

/* One delivery's attempt, a row of a report. Owned by the report. */
typedef struct bb_attempt_report {
    size_t struct_size;
    const char *webhook_id;
    const char *webhook_name;
    const char *event_id;
    const char *delivery_id; /* the same over retries; Custom: webhook-id */
    bb_type type;
    bb_activity activity;
    const bb_outcome *outcome;
    int attempt;         /* 1 for the first */
    int sent;            /* 0: no byte of a request left this machine */
    int64_t duration_ms; /* from the start of the attempt to its judgement */
    int64_t dns_us;      /* each counted from the start of the transfer; */
    int64_t connect_us;  /* 0: not reached, or a kept connection */
    int64_t tls_us;
    int64_t first_byte_us;
    int64_t total_us;
    int reused_connection;
    int not_made; /* not 0: no attempt; a delivery has ended that was too old, or
                     whose webhook was removed. `attempt` is the last one that was */
} bb_attempt_report;

/* ----------------------------------------------------------- dispatcher -- */

typedef struct bb_dispatcher bb_dispatcher;
typedef struct bb_report bb_report;

/* Makes an empty dispatcher; `options` may be NULL. Starts libcurl for the
 * process if nobody has (curl_global_init, counted by libcurl itself).
 * BB_ERR_ARGUMENT (also where the outbox's lease_ms is not longer than timeout_ms),
 * BB_ERR_BUSY (the outbox works for another one), BB_ERR_FORKED (it was opened by the
 * parent process), BB_ERR_NO_MEMORY, BB_ERR_STRUCT, BB_ERR_SYSTEM. */
BB_API int bb_dispatcher_new(const bb_options *options, bb_dispatcher **dispatcher,
                             bb_error *error);

/* Ends what it does at once (bb_dispatcher_stop first gives it time), forgets what waits and closes
 * its connections. No other call on it may be running. BB_ERR_BUSY from a callback, BB_ERR_FORKED:
 * nothing was freed. */
BB_API int bb_dispatcher_free(bb_dispatcher *dispatcher);

/* Checks and copies `webhook`. Replacing keeps nothing of the old one's pause
 * or disabled state; what is being sent finishes with the old one, what waits
 * goes on with the new one. What waits for one that is removed is dead. Any
 * thread, also during posts. BB_ERR_WEBHOOK, BB_ERR_URL, BB_ERR_EXISTS (add),
 * BB_ERR_NOT_FOUND (replace, remove), BB_ERR_STRUCT, BB_ERR_NO_MEMORY. */
BB_API int bb_dispatcher_add(bb_dispatcher *dispatcher, const bb_webhook *webhook, bb_error *error);
BB_API int bb_dispatcher_replace(bb_dispatcher *dispatcher, const bb_webhook *webhook,
                                 bb_error *error);
BB_API int bb_dispatcher_remove(bb_dispatcher *dispatcher, const char *id, bb_error *error);

/* How many webhooks there are, also disabled ones; 0 after fork() in the child. */
BB_API size_t bb_dispatcher_count(const bb_dispatcher *dispatcher);

/* Calls `visit` for each webhook that was there when the call began, in the
 * order in which they were added, until it returns not 0 (which is returned).
 * The webhook is borrowed for the visit; its URL and secret are the real ones.
 * `visit` may add and remove webhooks. BB_ERR_NO_MEMORY, BB_ERR_FORKED. */
typedef int (*bb_webhook_visitor)(void *user, const bb_webhook *webhook);
BB_API int bb_dispatcher_list(bb_dispatcher *dispatcher, bb_webhook_visitor visit, void *user,
                              bb_error *error);

/* What answers have said of a webhook so far. */
typedef struct bb_webhook_status {
    size_t struct_size;
    int64_t paused_until_ms; /* 0: not paused */
    int disabled;            /* not 0: an answer said that it is gone, or none was a success for
                                too long */
    int failures_in_row;     /* in background delivery */
    char reason[512];        /* the outcome that paused or disabled it, or opened the breaker */
    int64_t probe_ms;        /* the circuit breaker is open until then; 0: it is closed */
} bb_webhook_status;
#define BB_WEBHOOK_STATUS_INIT BB_INIT_STRUCT(bb_webhook_status)

/* BB_ERR_NOT_FOUND, BB_ERR_STRUCT, BB_ERR_FORKED. */
BB_API int bb_dispatcher_status(bb_dispatcher *dispatcher, const char *id,
                                bb_webhook_status *status, bb_error *error);

/* Ends a webhook's own pause, disabled state and open breaker; a pause of its whole type stays
 * until its time. BB_ERR_NOT_FOUND, BB_ERR_FORKED. */
BB_API int bb_dispatcher_resume(bb_dispatcher *dispatcher, const char *id, bb_error *error);

/* ---------------------------------------------------------------- posts -- */

typedef struct bb_post_options {
    size_t struct_size;
    uint32_t timeout_ms; /* the whole post; 0: the dispatcher's post_timeout_ms */
    int reserved;        /* zero */
} bb_post_options;
#define BB_POST_OPTIONS_INIT BB_INIT_STRUCT(bb_post_options)

/* Tells every matching webhook what happened: filters, renders, signs, sends
 * one attempt each (up to max_parallel at once), judges the answers, returns
 * when all are judged or the time is over. Blocks for that long and no longer;
 * an attempt that could not start in time is a row with verdict retry and sent
 * 0, as is a webhook that an earlier answer paused or disabled. Never posts
 * twice by itself.
 *
 * `options` may be NULL. `*report` receives one row per webhook that fired,
 * free it with bb_report_free; pass NULL for none. On an error no report is
 * made. Any thread. BB_ERR_EVENT, BB_ERR_STRUCT, BB_ERR_NO_MEMORY,
 * BB_ERR_SYSTEM. */
BB_API int bb_webhook_post(bb_dispatcher *dispatcher, const bb_event *event,
                           const bb_post_options *options, bb_report **report, bb_error *error);

/* Sends "this is a test" to one webhook, whatever its filter, pause or disabled
 * state, through the same checks as a post. Delivered: its pause or disabled
 * state ends. BB_ERR_NOT_FOUND and as bb_webhook_post. */
BB_API int bb_webhook_test(bb_dispatcher *dispatcher, const char *id, bb_report **report,
                           bb_error *error);

BB_API size_t bb_report_count(const bb_report *report);       /* 0 for NULL */
BB_API size_t bb_report_undelivered(const bb_report *report); /* rows not BB_DELIVERED */
/* Row `index`, in the order in which the webhooks were added; NULL past the end. */
BB_API const bb_attempt_report *bb_report_row(const bb_report *report, size_t index);
BB_API void bb_report_free(bb_report *report);

/* -------------------------------------- prepare and judge, without network -- */

typedef struct bb_attempt {
    size_t struct_size;
    int64_t time_ms;         /* for signatures; 0: the options' clock */
    const char *delivery_id; /* NULL: derived from the event's and webhook's id */
} bb_attempt;
#define BB_ATTEMPT_INIT BB_INIT_STRUCT(bb_attempt)

typedef struct bb_request bb_request;

/* Makes the request that a post would send now: same event, same bytes. No
 * network, no dispatcher. `options` (allocator, clock, insecure switches) and
 * `attempt` may be NULL. An event without an id is given one that is derived
 * from its content. Free with bb_request_free. BB_ERR_EVENT, BB_ERR_WEBHOOK,
 * BB_ERR_URL, BB_ERR_STRUCT, BB_ERR_NO_MEMORY, BB_ERR_TOO_LARGE. */
BB_API int bb_webhook_prepare(const bb_options *options, const bb_webhook *webhook,
                              const bb_event *event, const bb_attempt *attempt,
                              bb_request **request, bb_error *error);

/* Two views of a request: the bytes to send, and the same with every secret
 * (URL path and query, `sign`, signature headers, values of the webhook's own
 * headers) as ***, for printing. */
typedef enum bb_view { BB_REAL = 1, BB_MASKED = 2 } bb_view;

/* Borrowed from the request. Method is always "POST". */
BB_API const char *bb_request_method(const bb_request *request);
BB_API const char *bb_request_url(const bb_request *request, bb_view view);
BB_API const char *bb_request_body(const bb_request *request, bb_view view, size_t *length);
BB_API size_t bb_request_header_count(const bb_request *request);
/* NULL past the end. */
BB_API const char *bb_request_header_name(const bb_request *request, size_t index);
BB_API const char *bb_request_header_value(const bb_request *request, size_t index, bb_view view);
/* What did not fit and was shortened or left out: "title", "description",
 * "issue_description", ... NULL past the end. */
BB_API size_t bb_request_cut_count(const bb_request *request);
BB_API const char *bb_request_cut(const bb_request *request, size_t index);
BB_API void bb_request_free(bb_request *request);

/* Why there is no whole answer. */
typedef enum bb_failure {
    BB_FAILURE_RESOLVE = 1,         /* the name has no address */
    BB_FAILURE_CONNECT = 2,         /* no connection; nothing was sent */
    BB_FAILURE_TLS = 3,             /* no TLS session; nothing was sent */
    BB_FAILURE_CERTIFICATE = 4,     /* its certificate was not accepted */
    BB_FAILURE_REFUSED_ADDRESS = 5, /* the address guard said no */
    BB_FAILURE_NOT_STARTED = 6,     /* no time was left to begin */
    BB_FAILURE_ANSWER_LOST = 7,     /* sent, wholly or in part; no whole answer */
    BB_FAILURE_REFUSED_REQUEST = 8, /* sent, and refused unread, so that it was not acted upon: over
                                       HTTP/2, REFUSED_STREAM */
    BB_FAILURE_CREDENTIALS = 9,     /* bb_options.credentials gave none, or none to use */
    BB_FAILURE_PROXY = 10,          /* the proxy gave no tunnel; nothing was sent */
    BB_FAILURE_SETTINGS = 11        /* this side's client certificate or source could not be used;
                                       nothing was sent */
} bb_failure;

typedef struct bb_response {
    size_t struct_size;
    int http_status;          /* 0 with a failure */
    bb_failure failure;       /* 0: there is an answer */
    const char *failure_text; /* the HTTP library's words; may be NULL */
    const char *headers;      /* "Name: value" lines, CRLF or LF; may be NULL */
    const char *body;         /* what was read of it; the first 64 KiB suffice */
    size_t body_length;
    const bb_request *request; /* what was sent; without it, signatures that the
                                  answer repeats cannot be kept out of its texts */
} bb_response;
#define BB_RESPONSE_INIT BB_INIT_STRUCT(bb_response)

/* Says what an answer means. Pure. Nothing is kept; `*outcome` (its struct_size
 * set by the caller) is filled in. `now_ms` serves Retry-After dates.
 * BB_ERR_ARGUMENT, BB_ERR_WEBHOOK, BB_ERR_STRUCT, BB_ERR_NO_MEMORY. */
BB_API int bb_webhook_judge(const bb_webhook *webhook, const bb_response *response, int64_t now_ms,
                            bb_outcome *outcome, bb_error *error);

#ifdef __cplusplus
}
#endif

#endif
