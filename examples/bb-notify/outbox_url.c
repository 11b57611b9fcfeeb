#include "outbox_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What comes after the scheme; NULL: it is not one of libpq's. */
static const char *after_scheme(const char *url) {
    static const char *const schemes[] = {"postgres://", "postgresql://"};
    for (size_t i = 0; i < 2; i++)
        if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
            return url + strlen(schemes[i]);
    return NULL;
}

bool outbox_url_is(const char *where) {
    return after_scheme(where) != NULL;
}

/* As libpq reads it: what ends with the first @, unless a / comes before, is user and password. */
static const char *find_host(const char *url) {
    const char *rest = after_scheme(url);
    size_t length = strcspn(rest, "@/");
    return rest[length] == '@' ? rest + length + 1 : rest;
}

/* Several hosts are separated by commas; the colons of an IPv6 address stand in brackets. */
static bool has_ports_of_digits(const char *host) {
    bool in_brackets = false;
    for (const char *at = host; *at && *at != '/' && *at != '?'; at++) {
        in_brackets = (in_brackets || *at == '[') && *at != ']';
        if (*at != ':' || in_brackets)
            continue;
        at += strspn(at + 1, "0123456789");
        if (at[1] && !strchr(",/?", at[1]))
            return false;
    }
    return true;
}

const char *outbox_url_mistake(const char *url) {
    const char *host = find_host(url);
    if (strchr(host, '@'))
        return "--outbox: a / or @ of the user, the password or a parameter is written %2F or %40 "
               "in a URL";
    if (!has_ports_of_digits(host))
        return "--outbox: after the host and : comes a port, which is a number; user and password "
               "stand before the host, as in postgres://user:password@host/name";
    return NULL;
}

char *outbox_url_masked(const char *url) {
    const char *host = find_host(url);
    int scheme = (int)(after_scheme(url) - url), length = (int)strcspn(host, "?");
    size_t size = (size_t)scheme + (size_t)length + 1;
    char *masked = malloc(size);
    if (masked)
        snprintf(masked, size, "%.*s%.*s", scheme, url, length, host);
    return masked;
}
