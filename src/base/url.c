#include "base/url.h"

#include <locale.h>
#include <string.h>

#include <curl/curl.h>

#include "base/text.h"

/* What libcurl's parser would let pass, or mend in silence. */
static const char *hygiene(const char *text) {
    if (!text || !*text)
        return "is empty";
    if (strnlen(text, BB_URL_MAX + 1) > BB_URL_MAX)
        return "is longer than 4,096 bytes";
    const char *mark = strstr(text, "://"), *host = mark ? mark + strlen("://") : text;
    const char *host_end = mark ? host + strcspn(host, "/?#") : text;
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            return at[1] && at > text ? "has a blank in it"
                                      : "begins or ends with a blank or newline";
        if (c < 0x20 || c == 0x7F)
            return "has a control character in it";
        if (c >= 0x80 && (at < host || at >= host_end))
            return "has a character that is not ASCII in it (percent-encode it)";
        if (c == '\\')
            return "has a backslash in it";
        if (c == '#')
            return "has a fragment (#...) at its end";
    }
    return NULL;
}

static int get_part(struct bb_arena *arena, CURLU *handle, CURLUPart part, const char **out) {
    char *text = NULL;
    CURLUcode rc = curl_url_get(handle, part, &text, 0);
    if (rc == CURLUE_OUT_OF_MEMORY)
        return BB_ERR_NO_MEMORY;
    *out = bb_arena_copy(arena, text ? text : "", text ? strlen(text) : 0);
    curl_free(text);
    return *out ? BB_OK : BB_ERR_NO_MEMORY;
}

static void to_lower(const char *text) {
    for (char *c = (char *)text; *c; c++)
        *c = bb_to_lower(*c);
}

/* BB_ERR_URL with the reason when the URL has a part that it must not have. */
static int refuse_parts(CURLU *handle, const char **why) {
    static const struct {
        CURLUPart part;
        const char *why;
    } parts[] = {{CURLUPART_USER, "has a user name before the host"},
                 {CURLUPART_PASSWORD, "has a password before the host"},
                 {CURLUPART_ZONEID, "has a zone id in its address"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *text = NULL;
        CURLUcode rc = curl_url_get(handle, parts[i].part, &text, 0);
        curl_free(text);
        if (rc == CURLUE_OUT_OF_MEMORY)
            return BB_ERR_NO_MEMORY;
        if (rc == CURLUE_OK) {
            *why = parts[i].why;
            return BB_ERR_URL;
        }
    }
    return BB_OK;
}

static int check_scheme(const struct bb_url *url, const char **why) {
    if (strcmp(url->scheme, "https") == 0 || strcmp(url->scheme, "http") == 0)
        return BB_OK;
    *why = "is neither https nor http";
    return BB_ERR_URL;
}

/* ---- internationalised hosts ---- */

static bool is_ascii(const char *text) {
    while (*text && (unsigned char)*text < 0x80)
        text++;
    return !*text;
}

#ifdef CURLU_PUNYCODE
/* libcurl takes a host for text of the locale's: the thread has the right one for this call. NULL
 * for any failure: 7.88 calls all of them a want of memory. */
static char *get_in_ascii(CURLU *handle) {
    char *text = NULL;
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8 == (locale_t)0)
        return NULL;
    locale_t before = uselocale(utf8);
    if (curl_url_get(handle, CURLUPART_URL, &text, CURLU_PUNYCODE) != CURLUE_OK)
        text = NULL;
    uselocale(before);
    freelocale(utf8);
    return text;
}
#else
static char *get_in_ascii(CURLU *handle) {
    (void)handle;
    return NULL;
}
#endif

/* "" when it cannot be written so, NULL when out of memory. By "https://HOST/", because what failed
 * is not freed by 7.88 when just the host is asked for. */
static const char *to_ascii(struct bb_arena *arena, const char *host) {
    static const char before[] = "https://";
    const char *found = NULL;
    CURLU *handle = curl_url();
    if (handle && curl_url_set(handle, CURLUPART_SCHEME, "https", 0) == CURLUE_OK &&
        curl_url_set(handle, CURLUPART_HOST, host, 0) == CURLUE_OK) {
        char *text = get_in_ascii(handle);
        size_t n = text ? strlen(text) : 0, around = sizeof before - 1 + strlen("/");
        found = n <= around ? "" : bb_arena_copy(arena, text + sizeof before - 1, n - around);
        curl_free(text);
    }
    curl_url_cleanup(handle);
    return found;
}

/* A name, or an IPv4 address. What begins with a sign is none: libcurl, which is told a name's
 * addresses, would forget those of another name instead. */
static bool is_name(const char *host) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    return *host != '-' && host[strspn(host, allowed)] == '\0';
}

/* Characters that look like these become them, and others vanish: what is no name then, or has
 * become one of plain letters (127.0.0.1, localhost), was a disguise. */
static bool is_honest(const char *host) {
    return is_name(host) && (strncmp(host, "xn--", 4) == 0 || strstr(host, ".xn--"));
}

static int get_host(struct bb_arena *arena, CURLU *handle, const char **out, const char **why) {
    int code = get_part(arena, handle, CURLUPART_HOST, out);
    if (code)
        return code;
    *why = "has a host that is neither a name nor an address";
    if (is_ascii(*out))
        return **out == '[' || is_name(*out) ? BB_OK : BB_ERR_URL;
    *out = to_ascii(arena, *out);
    if (!*out)
        return BB_ERR_NO_MEMORY;
    *why = "has a host that is not ASCII and cannot be written so here (give its xn-- form)";
    return is_honest(*out) ? BB_OK : BB_ERR_URL;
}

/* ---- parts ---- */

static int get_parts(struct bb_arena *arena, CURLU *handle, struct bb_url *url, const char **why) {
    int code = get_host(arena, handle, &url->host, why);
    if (code)
        return code;
    if (get_part(arena, handle, CURLUPART_SCHEME, &url->scheme) ||
        get_part(arena, handle, CURLUPART_PORT, &url->port) ||
        get_part(arena, handle, CURLUPART_PATH, &url->path) ||
        get_part(arena, handle, CURLUPART_QUERY, &url->query))
        return BB_ERR_NO_MEMORY;
    to_lower(url->scheme);
    to_lower(url->host);
    return bb_url_join(arena, url);
}

static int parse(struct bb_arena *arena, CURLU *handle, const char *text, struct bb_url *url,
                 const char **why) {
    CURLUcode rc = curl_url_set(handle, CURLUPART_URL, text, CURLU_PATH_AS_IS);
    if (rc == CURLUE_OUT_OF_MEMORY)
        return BB_ERR_NO_MEMORY;
    if (rc) {
        *why = rc == CURLUE_UNSUPPORTED_SCHEME ? "is neither https nor http" : "is not a URL";
        return BB_ERR_URL;
    }
    int code = refuse_parts(handle, why);
    if (code == BB_OK)
        code = get_parts(arena, handle, url, why);
    if (code == BB_OK && !is_ascii(text)) /* what its host has become is read as any other */
        return bb_url_parse(arena, url->text, url, why);
    return code ? code : check_scheme(url, why);
}

/* What libcurl would guess, or decode into another name than the one that was read. */
static const char *check_authority(const char *text) {
    const char *host = text + strcspn(text, ":/?#");
    if (strncmp(host, "://", 3) != 0)
        return "does not begin with https://";
    host += strlen("://");
    if (*host == '/' && bb_text_begins_like(text, "http")) /* it would take the path for a host */
        return "has no host";
    if (*host != '[' && memchr(host, '%', strcspn(host, "/?#")))
        return "has a percent sign in its host";
    return NULL;
}

int bb_url_parse(struct bb_arena *arena, const char *text, struct bb_url *url, const char **why) {
    *why = hygiene(text);
    if (!*why)
        *why = check_authority(text);
    if (*why)
        return BB_ERR_URL;
    CURLU *handle = curl_url();
    if (!handle)
        return BB_ERR_NO_MEMORY;
    int code = parse(arena, handle, text, url, why);
    curl_url_cleanup(handle);
    return code;
}

int bb_url_join(struct bb_arena *arena, struct bb_url *url) {
    url->text =
        bb_arena_join(arena, "%s://%s%s%s%s%s%s", url->scheme, url->host, *url->port ? ":" : "",
                      url->port, url->path, *url->query ? "?" : "", url->query);
    return url->text ? BB_OK : BB_ERR_NO_MEMORY;
}

/* A part that ends before its text does. */
static const char *cut_out(struct bb_arena *arena, const char *part, size_t length) {
    return length ? bb_arena_copy(arena, part, length) : "";
}

bool bb_url_split(struct bb_arena *arena, const char *text, struct bb_url *url) {
    const char *host = strstr(text, "://") + strlen("://");
    size_t host_length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    const char *port = host + host_length + (host[host_length] == ':');
    size_t port_length = strcspn(port, "/");
    const char *path = port + port_length, *mark = strchr(path, '?');
    *url = (struct bb_url){
        .text = text,
        .scheme = strncmp(text, "https:", 6) == 0 ? "https" : "http",
        .host = cut_out(arena, host, host_length),
        .port = cut_out(arena, port, port_length),
        .path = mark ? cut_out(arena, path, (size_t)(mark - path)) : path,
        .query = mark ? mark + 1 : "",
    };
    return !arena->failed;
}

const char *bb_url_encode(struct bb_arena *arena, const char *text) {
    char *out = bb_arena_reserve(arena, 3 * strlen(text) + 1);
    if (!out)
        return NULL;
    char *to = out;
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (bb_is_letter(*at) || bb_is_digit(*at) || strchr("-._~", *at)) {
            *to++ = *at;
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

static bool is_named(const char *parameter, size_t n, const char *name) {
    size_t length = strlen(name);
    return n >= length && memcmp(parameter, name, length) == 0 &&
           (n == length || parameter[length] == '=');
}

static bool is_any_of(const char *parameter, size_t n, const char *const *names) {
    for (; *names; names++)
        if (is_named(parameter, n, *names))
            return true;
    return false;
}

const char *bb_url_query_without(struct bb_arena *arena, const char *query,
                                 const char *const *names) {
    char *out = bb_arena_alloc(arena, strlen(query) + 1);
    if (!out)
        return NULL;
    char *to = out;
    bool is_first = true; /* parameters may be empty */
    for (bool is_last = false; !is_last; query++) {
        size_t n = strcspn(query, "&");
        if (!is_any_of(query, n, names)) {
            if (!is_first)
                *to++ = '&';
            memcpy(to, query, n);
            to += n;
            is_first = false;
        }
        query += n;
        is_last = !*query;
    }
    *to = '\0';
    return out;
}

bool bb_url_query_has(const char *query, const char *name) {
    while (*query) {
        size_t n = strcspn(query, "&");
        if (is_named(query, n, name) && n > strlen(name) + 1)
            return true;
        query += n + (query[n] == '&');
    }
    return false;
}

int64_t bb_url_date(const char *text) {
    return curl_getdate(text, NULL);
}
