#include "delivery/guard.h"

#include <string.h>

#include <arpa/inet.h>

#include "base/text.h"

enum { PORT_MAX = 65535 };

const char bb_guard_denied[] = "deny_addresses";
const char bb_guard_metadata[] = "cloud metadata";

struct ranges {
    struct bb_range *items;
    size_t count;
};

struct ports {
    unsigned first, last;
};

struct bb_guard {
    struct ranges deny, allow, nat64;
    struct ports *ports;
    size_t port_count; /* 0: the usual ones */
};

/* ---- the operator's lists ---- */

/* One entry of a list, without the blanks around it. */
struct entry {
    const char *text;
    size_t length;
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* `*list` moves past the entry and its comma; NULL after the last one. */
static struct entry next_entry(const char **list) {
    const char *at = *list;
    size_t n = strcspn(at, ",");
    *list = at[n] ? at + n + 1 : NULL;
    while (n > 0 && is_blank(*at))
        at++, n--;
    while (n > 0 && is_blank(at[n - 1]))
        n--;
    return (struct entry){at, n};
}

static const char *begin_of(const char *list) {
    return list && *list ? list : NULL;
}

static size_t count_entries(const char *list) {
    size_t count = 0;
    for (const char *at = begin_of(list); at; count++)
        next_entry(&at);
    return count;
}

static int fail_entry(const char *field, struct entry entry, const char *why, bb_error *error) {
    char shown[64];
    size_t n = entry.length < sizeof shown ? entry.length : sizeof shown - 1;
    memcpy(shown, entry.text, n);
    shown[n] = '\0';
    bb_text_safe(shown);
    return bb_fail(error, BB_ERR_ARGUMENT, "options.egress.%s: \"%s\" %s", field, shown, why);
}

/* Digits alone, up to `most`; -1 for anything else. */
static int read_number(const char *text, size_t length, int most) {
    int number = 0;
    if (length == 0)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (!bb_is_digit(text[i]))
            return -1;
        number = 10 * number + (text[i] - '0');
        if (number > most)
            return -1;
    }
    return number;
}

static bool has_bits_after(const struct bb_range *range) {
    for (int bit = range->bits; bit < 8 * range->first.length; bit++)
        if (range->first.bytes[bit / 8] & (0x80u >> bit % 8))
            return true;
    return false;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8: nothing is ever judged as the former. */
static void unmap(struct bb_range *range) {
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (range->first.length != 16 || range->bits < 96 ||
        memcmp(range->first.bytes, mapped, sizeof mapped) != 0)
        return;
    memmove(range->first.bytes, range->first.bytes + sizeof mapped, 4);
    range->first.length = 4;
    range->bits -= 96;
}

/* What is wrong with it, or NULL. */
static const char *read_range(struct entry entry, struct bb_range *range) {
    const char *slash = entry.length ? memchr(entry.text, '/', entry.length) : NULL;
    size_t length = slash ? (size_t)(slash - entry.text) : entry.length;
    if (!bb_address_read(&range->first, entry.text, length))
        return "is neither an address nor a range such as 10.20.0.0/16";
    range->bits = 8 * range->first.length;
    if (slash)
        range->bits = read_number(slash + 1, entry.length - length - 1, range->bits);
    if (range->bits < 0)
        return "has no number of bits after its slash, or too large a one";
    if (has_bits_after(range))
        return "has bits set beyond its prefix";
    unmap(range);
    return NULL;
}

static const char *read_nat64(struct entry entry, struct bb_range *range) {
    const char *why = read_range(entry, range);
    if (why)
        return why;
    return range->first.length == 16 && bb_address_is_nat64_length(range->bits)
               ? NULL
               : "is not an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits";
}

static int read_ranges(struct ranges *ranges, const char *field, const char *list,
                       const char *read(struct entry, struct bb_range *), bb_error *error) {
    for (const char *at = begin_of(list); at;) {
        struct entry entry = next_entry(&at);
        const char *why = read(entry, &ranges->items[ranges->count]);
        if (why)
            return fail_entry(field, entry, why, error);
        ranges->count++;
    }
    return BB_OK;
}

static const char *read_ports(struct entry entry, struct ports *ports) {
    const char *dash = entry.length ? memchr(entry.text, '-', entry.length) : NULL;
    size_t length = dash ? (size_t)(dash - entry.text) : entry.length;
    *ports = (struct ports){1, PORT_MAX};
    if (entry.length == 1 && *entry.text == '*')
        return NULL;
    int first = read_number(entry.text, length, PORT_MAX);
    int last = dash ? read_number(dash + 1, entry.length - length - 1, PORT_MAX) : first;
    if (first < 1 || last < first)
        return "is neither a port, nor a range such as 9000-9100, nor *";
    *ports = (struct ports){(unsigned)first, (unsigned)last};
    return NULL;
}

static int read_port_list(struct bb_guard *guard, const char *list, bb_error *error) {
    for (const char *at = begin_of(list); at;) {
        struct entry entry = next_entry(&at);
        const char *why = read_ports(entry, &guard->ports[guard->port_count]);
        if (why)
            return fail_entry("ports", entry, why, error);
        guard->port_count++;
    }
    return BB_OK;
}

static int read_lists(struct bb_guard *guard, const bb_egress *egress, bb_error *error) {
    int code =
        read_ranges(&guard->allow, "allow_addresses", egress->allow_addresses, read_range, error);
    if (code == BB_OK)
        code =
            read_ranges(&guard->deny, "deny_addresses", egress->deny_addresses, read_range, error);
    if (code == BB_OK)
        code =
            read_ranges(&guard->nat64, "nat64_prefixes", egress->nat64_prefixes, read_nat64, error);
    return code ? code : read_port_list(guard, egress->ports, error);
}

int bb_guard_new(const bb_allocator *mem, const bb_egress *egress, struct bb_guard **guard,
                 bb_error *error) {
    size_t allow = count_entries(egress->allow_addresses),
           deny = count_entries(egress->deny_addresses),
           nat64 = count_entries(egress->nat64_prefixes), ports = count_entries(egress->ports);
    size_t ranges = allow + deny + nat64;
    struct bb_guard *made = bb_mem_zalloc(mem, sizeof *made + ranges * sizeof(struct bb_range) +
                                                   ports * sizeof(struct ports));
    *guard = NULL;
    if (!made)
        return bb_fail_memory(error);
    made->allow.items = (struct bb_range *)(made + 1);
    made->deny.items = made->allow.items + allow;
    made->nat64.items = made->deny.items + deny;
    made->ports = (struct ports *)(made->nat64.items + nat64);
    int code = read_lists(made, egress, error);
    if (code)
        bb_mem_free(mem, made);
    else
        *guard = made;
    return code;
}

/* ---- addresses ---- */

/* An address as the rules see it. */
struct subject {
    const struct bb_address *outer;
    struct bb_address inner;
    enum bb_carried carried;
};

static bool is_metadata(const struct subject *subject) {
    return bb_address_is_metadata(subject->outer) ||
           (subject->carried && bb_address_is_metadata(&subject->inner));
}

static bool is_denied(const struct bb_guard *guard, const struct subject *subject) {
    for (size_t i = 0; i < guard->deny.count; i++)
        if (bb_range_holds(&guard->deny.items[i], subject->outer) ||
            (subject->carried && bb_range_holds(&guard->deny.items[i], &subject->inner)))
            return true;
    return false;
}

static bool is_permitted(const struct bb_guard *guard, const struct subject *subject) {
    bool needs_exact = is_metadata(subject);
    for (size_t i = 0; i < guard->allow.count; i++) {
        const struct bb_range *range = &guard->allow.items[i];
        if (needs_exact && range->bits != 8 * range->first.length)
            continue;
        if (bb_range_holds(range, subject->outer) ||
            (subject->carried == BB_CARRIED_REACHED && bb_range_holds(range, &subject->inner)))
            return true;
    }
    return false;
}

static bool is_own(const struct bb_bounds *bounds, const struct bb_address *address) {
    for (size_t i = 0; i < bounds->own_count; i++)
        if (bb_address_is(address, &bounds->own[i]))
            return true;
    return false;
}

static const char *judge_built_in(const struct bb_bounds *bounds, const struct subject *subject) {
    const struct bb_address *reached =
        subject->carried == BB_CARRIED_REACHED ? &subject->inner : subject->outer;
    if (is_metadata(subject))
        return bb_guard_metadata;
    if (bounds->allow_private)
        return NULL;
    const char *kind = bb_address_kind(reached);
    return kind || !is_own(bounds, reached) ? kind : "this host's own";
}

const char *bb_guard_judge(const struct bb_bounds *bounds, const struct bb_address *address) {
    const struct bb_guard *guard = bounds->guard;
    struct subject subject = {.outer = address};
    if (address->length == 16)
        subject.carried = bb_address_carried(address, guard ? guard->nat64.items : NULL,
                                             guard ? guard->nat64.count : 0, &subject.inner);
    if (guard && is_denied(guard, &subject))
        return bb_guard_denied;
    if (guard && is_permitted(guard, &subject))
        return NULL;
    return judge_built_in(bounds, &subject);
}

/* ---- hosts and ports ---- */

static bool is_localhost(const char *host) {
    static const char name[] = "localhost";
    size_t n = strlen(host), tail = sizeof name - 1;
    if (n > 0 && host[n - 1] == '.')
        n--;
    return n >= tail && strncmp(host + n - tail, name, tail) == 0 &&
           (n == tail || host[n - tail - 1] == '.');
}

/* "127.1." and the like: resolvers take them for addresses, libcurl's parser for
 * names. No name has a last label that begins with a digit. */
static bool is_dotted_number(const char *host) {
    size_t n = strlen(host);
    if (n < 2 || host[n - 1] != '.')
        return false;
    for (n--; n > 0 && host[n - 1] != '.'; n--)
        continue;
    return host[n] >= '0' && host[n] <= '9';
}

static const char *judge_dotted_number(const struct bb_bounds *bounds, const char *host, size_t n) {
    char text[64];
    struct bb_address address = {.length = 4};
    if (n >= sizeof text)
        return "not an address";
    memcpy(text, host, n - 1);
    text[n - 1] = '\0';
    in_addr_t number = inet_addr(text); /* any spelling; for what is none, the broadcast address */
    memcpy(address.bytes, &number, 4);
    return bb_guard_judge(bounds, &address);
}

/* It is refused when both of its addresses are. */
static const char *judge_localhost(const struct bb_bounds *bounds) {
    static const struct bb_address v4 = {{127, 0, 0, 1}, 4};
    static const struct bb_address v6 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 16};
    const char *rule = bb_guard_judge(bounds, &v4);
    return rule && bb_guard_judge(bounds, &v6) ? rule : NULL;
}

const char *bb_guard_judge_host(const struct bb_bounds *bounds, const char *host) {
    struct bb_address address;
    size_t n = strlen(host);
    if (is_dotted_number(host))
        return judge_dotted_number(bounds, host, n);
    if (*host == '[')
        return n > 2 && bb_address_read(&address, host + 1, n - 2) && address.length == 16
                   ? bb_guard_judge(bounds, &address)
                   : "not an address";
    if (!strchr(host, ':') && bb_address_read(&address, host, n))
        return bb_guard_judge(bounds, &address);
    return is_localhost(host) ? judge_localhost(bounds) : NULL;
}

bool bb_guard_has_port(const struct bb_bounds *bounds, bool allow_http, unsigned port) {
    const struct bb_guard *guard = bounds->guard;
    if (!guard || guard->port_count == 0)
        return port == 443 || (port == 80 && allow_http) || bounds->allow_private;
    for (size_t i = 0; i < guard->port_count; i++)
        if (port >= guard->ports[i].first && port <= guard->ports[i].last)
            return true;
    return false;
}
