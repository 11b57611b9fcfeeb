#include "support/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

enum { PRINTED_MOST = 40 };

static char trying[512];
static unsigned complaints;

int contract_begin(void **state) {
    (void)state;
    complaints = 0;
    return 0;
}

int contract_end(void **state) {
    (void)state;
    if (complaints == 0)
        return 0;
    print_error("%u violations of the contract\n", complaints);
    return -1;
}

void contract_try(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(trying, sizeof(trying), format, args);
    va_end(args);
}

void contract_complain(const char *format, ...) {
    char what[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (++complaints <= PRINTED_MOST)
        print_error("%s: %s\n", trying, what);
}

/* ---- prepare */

bool contract_prepare(contract_made *made, const bb_webhook *webhook, const bb_event *event) {
    bb_attempt attempt = sample_attempt();
    bb_error error = BB_ERROR_INIT;
    *made = (contract_made){.type = webhook->type};
    int code = bb_webhook_prepare(NULL, webhook, event, &attempt, &made->request, &error);
    if (code != BB_OK) {
        contract_complain("%s: %s", bb_code_name(code), error.text);
        return false;
    }
    made->body = bb_request_body(made->request, BB_REAL, &made->length);
    return true;
}

void contract_free(contract_made *made) {
    bb_request_free(made->request);
}

/* ---- check */

void contract_check(const contract_made *made, const struct decode_expect *expect) {
    char why[512];
    if (!decode_check(made->type, made->body, made->length, expect, why, sizeof(why)))
        contract_complain("%s", why);
}

void contract_check_shows(const contract_made *made, const char *words, bool shown) {
    if (decode_shows(made->type, made->body, made->length, words) != shown)
        contract_complain("%s '%.80s' in %.400s", shown ? "cannot see" : "can see", words,
                          made->body);
}

void contract_check_event(const bb_webhook *webhook, const bb_event *event, const char *link) {
    contract_made made;
    if (contract_prepare(&made, webhook, event))
        contract_check(&made, &(struct decode_expect){.link = link});
    contract_free(&made);
}

/* ---- level */

/* Where the product shows it; numbers are indexes. */
static const char *const mark_paths[] = {
    [BB_SLACK] = "attachments 0 color",
    [BB_DISCORD] = "embeds 0 color",
    [BB_TEAMS] = "attachments 0 content body 0 style",
    [BB_DINGTALK] = "markdown text",
    [BB_FEISHU] = "card header template",
    [BB_WECOM] = "markdown content",
    [BB_CUSTOM] = "level",
};

/* In one text with the rest: what stands in front of the title. */
static const char *const mark_ends[] = {
    [BB_DINGTALK] = " ", [BB_WECOM] = "</font>", [BB_CUSTOM] = NULL};

static const cJSON *member(const cJSON *root, const char *path) {
    char names[64], *rest = names;
    snprintf(names, sizeof(names), "%s", path);
    for (char *name; root && (name = strtok_r(rest, " ", &rest));)
        root = *name >= '0' && *name <= '9' ? cJSON_GetArrayItem(root, atoi(name))
                                            : cJSON_GetObjectItemCaseSensitive(root, name);
    return root;
}

static void cut_at_title(char *mark, const char *end) {
    char *at = mark && end ? strstr(mark + strspn(mark, "# "), end) : NULL;
    if (at)
        *at = '\0';
}

char *contract_level_mark(const contract_made *made) {
    cJSON *root = cJSON_ParseWithLength(made->body, made->length);
    const cJSON *mark = member(root, mark_paths[made->type]);
    char *text = cJSON_IsString(mark) ? strdup(mark->valuestring) : cJSON_Print(mark);
    cJSON_Delete(root);
    cut_at_title(text, mark_ends[made->type]);
    return text;
}

/* ---- cuts */

bool contract_is_cut(const contract_made *made, const char *name) {
    for (size_t i = 0; i < bb_request_cut_count(made->request); i++)
        if (strcmp(bb_request_cut(made->request, i), name) == 0)
            return true;
    return false;
}

static bool listed(const char *const *names, const char *name) {
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

void contract_check_cuts(const contract_made *made, const char *const *names) {
    for (const char *const *name = names; *name; name++)
        if (!contract_is_cut(made, *name))
            contract_complain("does not say that %s was cut", *name);
    for (size_t i = 0; i < bb_request_cut_count(made->request); i++)
        if (!listed(names, bb_request_cut(made->request, i)))
            contract_complain("says that %s was cut", bb_request_cut(made->request, i));
}
