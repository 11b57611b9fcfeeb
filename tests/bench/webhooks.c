/* What many webhooks cost: look-ups, changes, memory. */
#include "bench/bench.h"

#include <stdio.h>

#include "api/registry.h"
#include "support/alloc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct bb_policy policy = {.allow_http = false};

/* As their users have them. */
static const struct {
    bb_type type;
    const char *url;
    const char *secret;
} kinds[] = {
    {BB_SLACK, "https://hooks.slack.com/services/T0123ABCD/B0123ABCD/abcdefghijklmnopqrstuvwx",
     NULL},
    {BB_DISCORD,
     "https://discord.com/api/webhooks/1234567890123456789/"
     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdef",
     NULL},
    {BB_TEAMS,
     "https://prod-01.westus.logic.azure.com:443/workflows/0123456789abcdef0123456789abcdef/"
     "triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0"
     "&sig=abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
     NULL},
    {BB_DINGTALK,
     "https://oapi.dingtalk.com/robot/send?access_token="
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
     "SEC0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
    {BB_FEISHU, "https://open.feishu.cn/open-apis/bot/v2/hook/01234567-89ab-cdef-0123-456789abcdef",
     "abcdefghijklmnopqrstuv"},
    {BB_WECOM,
     "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=01234567-89ab-cdef-0123-456789abcdef",
     NULL},
    {BB_CUSTOM, "https://ci.example.com/hooks/bytebase", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
};

static bool add_hook(struct bb_registry *registry, size_t kind, unsigned number, int64_t project) {
    char id[24], name[24];
    struct bb_hook *hook;
    bb_webhook webhook = BB_WEBHOOK_INIT;
    snprintf(id, sizeof id, "w-%05u", number);
    snprintf(name, sizeof name, "room %05u", number);
    webhook.id = id;
    webhook.name = name;
    webhook.type = kinds[kind].type;
    webhook.url = kinds[kind].url;
    webhook.secret = kinds[kind].secret;
    webhook.activities = BB_ACTIVITY_ALL;
    webhook.project_id = project;
    return bb_hook_new(alloc_library(), &policy, &webhook, &hook, NULL) == BB_OK &&
           bb_registry_add(registry, hook, NULL) == BB_OK;
}

/* ---- memory ---- */

static bool measure_memory(size_t kind) {
    enum { WEBHOOKS = 10000 };
    long before = alloc_live_bytes();
    struct bb_registry *registry = bb_registry_new(alloc_library());
    bool ok = registry != NULL;
    for (unsigned i = 0; ok && i < WEBHOOKS; i++)
        ok = add_hook(registry, kind, i, i % 10 == 0 ? i : 0);
    long bytes = (alloc_live_bytes() - before) / WEBHOOKS;
    if (ok)
        printf("  %-8s %4ld bytes%s\n", bb_type_name(kinds[kind].type), bytes,
               kinds[kind].type == BB_SLACK || kinds[kind].type == BB_CUSTOM ? " (<= 524)" : "");
    bb_registry_free(registry);
    return ok;
}

/* ---- time ---- */

static double look_up_us(struct bb_registry *registry, unsigned projects, double *matches) {
    enum { LOOKUPS = 200000 };
    bb_event event = BB_EVENT_INIT;
    bb_project project = BB_PROJECT_INIT;
    size_t found = 0;
    event.activity = BB_TASK_STATUS_UPDATE;
    event.project = &project;
    double start = bench_now_s();
    for (unsigned i = 0; i < LOOKUPS; i++) {
        struct bb_hooks hooks;
        project.id = 1 + i % projects;
        if (bb_registry_list(registry, &event, &hooks, NULL) != BB_OK)
            return -1;
        found += hooks.count;
        bb_hooks_free(&hooks);
    }
    *matches = (double)found / LOOKUPS;
    return (bench_now_s() - start) * 1e6 / LOOKUPS;
}

/* Any one of them goes, another comes in its place; most of it is reading the new one's URL. */
static double change_us(struct bb_registry *registry, unsigned count, unsigned projects) {
    enum { CHANGES = 20000 };
    double start = bench_now_s();
    for (unsigned i = 0; i < CHANGES; i++) {
        unsigned number = (unsigned)((uint64_t)i * 7919 % count);
        char id[24];
        snprintf(id, sizeof id, "w-%05u", number);
        if (bb_registry_remove(registry, id, NULL) != BB_OK ||
            !add_hook(registry, 0, number, 1 + number % projects))
            return -1;
    }
    return (bench_now_s() - start) * 1e6 / CHANGES;
}

static bool measure_time(unsigned count, unsigned projects) {
    struct bb_registry *registry = bb_registry_new(alloc_library());
    double matches = 0;
    bool ok = registry != NULL;
    for (unsigned i = 0; ok && i < count; i++)
        ok = add_hook(registry, 0, i, 1 + i % projects);
    double look_up = ok ? look_up_us(registry, projects, &matches) : -1;
    double change = ok ? change_us(registry, count, projects) : -1;
    bb_registry_free(registry);
    printf("  %7u webhooks, %6u projects: %8.2f us a look-up of %.1f matches, %6.2f us a removal "
           "and addition\n",
           count, projects, look_up, matches, change);
    return look_up >= 0 && change >= 0;
}

bool bench_webhooks(void) {
    bool ok = printf("\nmany webhooks\n") > 0 && measure_time(100, 10) &&
              measure_time(10000, 1000) && measure_time(100000, 10000) && measure_time(100000, 500);
    printf("\nan idle webhook, with all that is kept for it\n");
    for (size_t i = 0; ok && i < COUNT(kinds); i++)
        ok = measure_memory(i);
    return ok;
}
