#include "delivery/proxy.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
enum { SCHEME_COUNT = sizeof schemes / sizeof *schemes };

/* What follows the scheme; one without is HTTP, as in most environments. NULL: another scheme. */
static const char *after_scheme(const char *text) {
    for (size_t i = 0; i < SCHEME_COUNT; i++)
        if (bb_text_begins_like(text, schemes[i]))
            return text + strlen(schemes[i]);
    return strstr(text, "://") ? NULL : text;
}

static bool has_strange_byte(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7F || *text == '\\')
            return true;
    return false;
}

/* Within "user:password@host:port/": where the host begins. */
static const char *host_of(const char *authority) {
    const char *at = strrchr(authority, '@');
    return at ? at + 1 : authority;
}

/* What follows the host; NULL when there is none, or no end of its brackets. */
static const char *after_host(const char *host) {
    if (*host != '[') {
        size_t n = strcspn(host, ":/?#");
        return n ? host + n : NULL;
    }
    const char *end = strchr(host, ']');
    return end ? end + 1 : NULL;
}

static const char *port_mistake(const char *port) {
    unsigned number = 0;
    size_t i = 0;
    for (; i < 5 && bb_is_digit(port[i]); i++)
        number = 10 * number + (unsigned)(port[i] - '0');
    if (number < 1 || number > 65535)
        return "has a port that is none";
    return !port[i] || (port[i] == '/' && !port[i + 1]) ? NULL : "has something after its port";
}

const char *bb_proxy_mistake(const char *text) {
    if (has_strange_byte(text))
        return "has a blank or another character that must be percent-encoded";
    const char *authority = after_scheme(text);
    if (!authority)
        return "is none of http://, https:// and socks5://";
    const char *host = host_of(authority);
    if (strcspn(authority, "/?#") < (size_t)(host - authority))
        return "has a character before its host that must be percent-encoded";
    const char *end = after_host(host);
    if (!end)
        return "has no host";
    return *end == ':' ? port_mistake(end + 1) : "has no port";
}

/* An interface, or an address of either family: libcurl would take anything else for a name, and
 * wait for its look-up. */
static bool is_source(const char *source) {
    enum { LONGEST = 45 };
    size_t n = strspn(source, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                              ".:_-@");
    return n <= LONGEST && source[n] == '\0';
}

static bool is_given(const char *text) {
    return text && *text;
}

const char *bb_proxy_egress_mistake(const bb_egress *egress, char said[120]) {
    if (is_given(egress->source) && !is_source(egress->source))
        return "source: is neither an interface nor an address";
    if (!is_given(egress->proxy)) {
        if (is_given(egress->proxy_user) || is_given(egress->proxy_password))
            return "proxy_user: is given without a proxy";
        return is_given(egress->no_proxy) ? "no_proxy: is given without a proxy" : NULL;
    }
    if (egress->use_environment_proxy)
        return "proxy: is given together with use_environment_proxy";
    if (is_given(egress->proxy_password) && !is_given(egress->proxy_user))
        return "proxy_password: is given without proxy_user";
    const char *mistake = bb_proxy_mistake(egress->proxy);
    if (!mistake)
        return NULL;
    snprintf(said, 120, "proxy: %s", mistake);
    return said;
}

const char *bb_proxy_copy(struct bb_arena *arena, const char *text) {
    static const char with_names[] = "socks5h";
    return bb_text_begins_like(text, "socks5h://")
               ? bb_arena_join(arena, "socks5%s", text + sizeof with_names - 1)
               : bb_arena_copy(arena, text, strlen(text));
}

const char *bb_proxy_for(const struct bb_proxies *proxies, const char *scheme) {
    if (!proxies)
        return NULL;
    return strcmp(scheme, "https") == 0 ? proxies->https : proxies->http;
}
