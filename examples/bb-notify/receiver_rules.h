/* Between the receiver's files: one function a product, and what they share. */
#ifndef BB_NOTIFY_RECEIVER_RULES_H
#define BB_NOTIFY_RECEIVER_RULES_H

#include <stdbool.h>

#include "receiver.h"
#include "receiver_json.h"
#include "receiver_text.h"

/* A request on its way through one product's rules. */
struct receiver_call {
    const struct receiver_room *room;
    const struct receiver_request *request;
    int64_t now_ms;
    const struct json *message; /* NULL: the body is not a JSON object */
    struct receiver_answer *answer;
};

void slack_check(const struct receiver_call *call);
void discord_check(const struct receiver_call *call);
void teams_check(const struct receiver_call *call);
void dingtalk_check(const struct receiver_call *call);
void feishu_check(const struct receiver_call *call);
void wecom_check(const struct receiver_call *call);
void custom_check(const struct receiver_call *call);

/* Each fills in the answer to a message that came `wait_ms` too soon. */
void slack_too_many(const struct receiver_call *call, int64_t wait_ms);
void discord_too_many(const struct receiver_call *call, int64_t wait_ms);
void teams_too_many(const struct receiver_call *call, int64_t wait_ms);
void dingtalk_too_many(const struct receiver_call *call, int64_t wait_ms);
void feishu_too_many(const struct receiver_call *call, int64_t wait_ms);
void wecom_too_many(const struct receiver_call *call, int64_t wait_ms);

void answer_with(struct receiver_answer *answer, int status, const char *content_type,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The Retry-After header of products that send one, in seconds. */
void answer_retry_after(struct receiver_answer *answer, int64_t wait_ms);

/* A header's value, whatever the case of its name; NULL: it is not there. */
const char *request_header(const struct receiver_request *request, const char *name);

bool is_post(const struct receiver_request *request);
bool has_json_type(const struct receiver_request *request); /* parameters may follow */

/* `value` is a string of `least` to `most` UTF-16 units. */
bool is_text(const struct json *value, size_t least, size_t most);
bool is_web_url(const char *url); /* absolute http(s), without a blank */

/* A string anywhere below `value` that holds `needle`. */
bool holds_text(const struct json *value, const char *needle);

#endif
