#include "api/proxies.h"

#include <string.h>

#include "driver/process.h"

/* In the order in which libcurl looks. HTTP_PROXY is not among them: in a CGI program it is a
 * header that a stranger has sent. */
static const char *const https_names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                          NULL};
static const char *const http_names[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
static const char *const except_names[] = {"no_proxy", "NO_PROXY", NULL};

/* The first that is set; `*name` tells which. An empty one is set, to none. */
static const char *find_variable(const char *const *names, const char **name) {
    const char *value = NULL;
    for (; *names && !value; names++) {
        value = bb_process_variable(*names);
        *name = *names;
    }
    return value && *value ? value : NULL;
}

static int read_variable(struct bb_arena *arena, const char *const *names, const char **proxy,
                         bb_error *error) {
    const char *name, *value = find_variable(names, &name);
    if (!value)
        return BB_OK;
    const char *mistake = bb_proxy_mistake(value);
    if (mistake)
        return bb_fail(error, BB_ERR_ARGUMENT,
                       "options.egress.use_environment_proxy: the variable %s %s", name, mistake);
    *proxy = bb_proxy_copy(arena, value);
    return *proxy ? BB_OK : bb_fail_memory(error);
}

static int read_environment(struct bb_arena *arena, struct bb_proxies *proxies, bb_error *error) {
    const char *name, *except = find_variable(except_names, &name);
    int code = read_variable(arena, https_names, &proxies->https, error);
    if (code == BB_OK)
        code = read_variable(arena, http_names, &proxies->http, error);
    if (code == BB_OK && except)
        proxies->except = bb_arena_copy(arena, except, strlen(except));
    return code == BB_OK && arena->failed ? bb_fail_memory(error) : code;
}

static const char *keep(struct bb_arena *arena, const char *text) {
    return text && *text ? bb_arena_copy(arena, text, strlen(text)) : NULL;
}

int bb_proxies_read(struct bb_arena *arena, const bb_egress *egress, struct bb_proxies *proxies,
                    bb_error *error) {
    *proxies = (struct bb_proxies){0};
    if (egress->use_environment_proxy)
        return read_environment(arena, proxies, error);
    if (!egress->proxy || !*egress->proxy)
        return BB_OK;
    proxies->https = proxies->http = bb_proxy_copy(arena, egress->proxy);
    proxies->user = keep(arena, egress->proxy_user);
    proxies->password = keep(arena, egress->proxy_password);
    proxies->except = keep(arena, egress->no_proxy);
    return arena->failed ? bb_fail_memory(error) : BB_OK;
}
