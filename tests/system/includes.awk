# Checks that #includes obey the house: arguments are */*.[ch], run inside src/.
# Prints each violation; exits 1 when there is any.

BEGIN {
    split("base event endpoint delivery driver api", floors)
    for (i in floors)
        level[floors[i]] = i + 0

    # Third-party headers, and the files (without suffix) that may see each, be it
    # through another header.
    home["^cjson/"] = "^base/json$"
    home["^openssl/"] = "^(base/digest|driver/http_(trust|flood))$"
    home["^utf8proc[.]h$"] = "^base/text[a-z0-9_]*$"
    home["^curl/"] = "^(base/url|driver/http[a-z0-9_]*)$"
    home["^ares[a-z_]*[.]h$"] = "^driver/resolver[a-z0-9_]*$"
    home["^uthash[.]h$"] = "^(event/filter|api/registry|driver/store_memory_rows)$"
    home["^sqlite3[.]h$"] = "^(driver/store_sqlite[a-z_]*|bb_webhook_sqlite)$"
    home["^libpq-fe[.]h$"] = "^(driver/store_postgres[a-z_]*|bb_webhook_postgres)$"
    home["^utlist[.]h$"] = "^(event/filter|driver/(store_memory[a-z_]*|store_leases|store_sqlite(_files)?|store_postgres|http_engine)|" \
                           "api/(standing|batches|flight))$"

    # The C library's; arpa/inet.h for the notation of addresses.
    pure = "^((assert|ctype|errno|float|inttypes|limits|locale|math|stdalign|stdarg|stdatomic|" \
           "stdbool|stddef|stdint|stdio|stdlib|string|strings|time|pthread|arpa/inet)[.]h)$"
    # Input and output begin with the drivers.
    outside = "^((sys|netinet|net)/[a-z0-9_]+|fcntl|ifaddrs|netdb|poll|sched|semaphore|signal|unistd)[.]h$"
    kinds = "^(slack|discord|teams|dingtalk|feishu|wecom|custom)$"
}

function folder(path) {
    sub("/.*", "", path)
    return path
}

# What a file belongs to: driver/http_pool.c and driver/http.h are both "http".
function unit(path) {
    sub(".*/", "", path)
    sub("[._].*", "", path)
    return path
}

function violation(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    failed = 1
}

function check_own(target) {
    if (!(folder(target) in level))
        return violation("\"" target "\" is not on a known floor")
    edges[FILENAME] = edges[FILENAME] " " target
    if (level[folder(target)] > level[folder(FILENAME)])
        return violation("\"" target "\" is on a higher floor")
    if (folder(target) != folder(FILENAME) || unit(target) == unit(FILENAME))
        return
    if (folder(target) == "driver")
        violation("\"" target "\" is a sibling driver")
    if (folder(target) == "endpoint" && unit(target) ~ kinds && unit(FILENAME) ~ kinds)
        violation("\"" target "\" is a sibling endpoint")
}

function check_foreign(target,    pattern) {
    if (target ~ pure)
        return
    if (target ~ outside) {
        if (level[folder(FILENAME)] < level["driver"])
            violation("<" target "> is for the drivers")
        return
    }
    for (pattern in home)
        if (target ~ pattern) {
            third_party[target] = pattern
            edges[FILENAME] = edges[FILENAME] " " target
            return
        }
    violation("<" target "> is a header that no file is named for")
}

FNR == 1 && !(folder(FILENAME) in level) {
    violation("its folder is not a floor")
}

/^[ \t]*#[ \t]*include[ \t]*["<]bb_webhook[a-z_]*[.]h/ { next }

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    check_own(part[2] ~ "/" ? part[2] : folder(FILENAME) "/" part[2])
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, part, /[<>]/)
    check_foreign(part[2])
}

# Depth first from `first`; a file that is met again while still open closes a cycle.
function visit(file, path, first,    targets, count, i) {
    path = path " > " file
    if (open[file]) {
        print "include cycle:" substr(path, 3)
        failed = 1
        return
    }
    if (seen[first, file]++)
        return
    check_sight(first, file, path)
    open[file] = 1
    count = (file in edges) ? split(edges[file], targets, " ") : 0
    for (i = 1; i <= count; i++)
        visit(targets[i], path, first)
    open[file] = 0
}

function check_sight(first, target, path,    stem) {
    stem = first
    sub("[.][ch]$", "", stem)
    if (target in third_party && stem !~ home[third_party[target]]) {
        print first ": sees <" target ">, which is for " home[third_party[target]] ":" substr(path, 3)
        failed = 1
    }
}

END {
    for (file in edges)
        visit(file, "", file)
    exit failed
}
