#!/bin/sh
# Includes in src/ point down the house only, without a cycle, and each third-party
# header is seen by the file named for it. The checker is tested on planted violations.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() {
    (cd "$1" && awk -f "$here/includes.awk" */*.[ch])
}

build_small_tree() {
    rm -rf "$work/src"
    for folder in base event endpoint delivery driver api; do
        mkdir -p "$work/src/$folder"
    done
    cd "$work/src"
    echo '#include <stddef.h>' | tee base/bytes.h base/text.h event/names.h event/event.h \
        endpoint/slack.h endpoint/discord.h endpoint/endpoint.h delivery/retry.h \
        driver/http.h driver/clock.h api/registry.h >base/url.h
    echo '#include "event/names.h"' >>event/event.h
    echo '#include <cjson/cJSON.h>' >base/json.c
    printf '#include "base/text.h"\n#include <utf8proc.h>\n' >base/text.c
    printf '#include "endpoint/endpoint.h"\n#include "event/event.h"\n' >endpoint/slack.c
    printf '#include "endpoint/slack.h"\n#include "endpoint/discord.h"\n' >endpoint/endpoint.c
    printf '#include "driver/http.h"\n#include <curl/curl.h>\n#include <sys/epoll.h>\n' >driver/http_pool.c
    printf '#include "driver/http.h"\n#include "base/url.h"\n#include <uthash.h>\n' >api/registry.c
    cd "$here"
}

# plant FILE LINE COMPLAINT: with the line in the file, the checker complains so.
plant() {
    build_small_tree
    mkdir -p "$work/src/${1%/*}"
    echo "$2" >>"$work/src/$1"
    if check "$work/src" >"$work/said" || ! grep -qF -- "$3" "$work/said"; then
        echo "A planted violation was not found: $1: $2"
        cat "$work/said"
        exit 1
    fi
    planted=$((planted + 1))
}

build_small_tree
check "$work/src"

planted=0
plant base/text.h '#include "event/event.h"' 'is on a higher floor'
plant delivery/retry.h '#  include "api/registry.h"' 'is on a higher floor'
plant endpoint/slack.c '#include "endpoint/discord.h"' 'is a sibling endpoint'
plant endpoint/slack.h '#include "discord.h"' 'is a sibling endpoint'
plant driver/http.h '#include "driver/clock.h"' 'is a sibling driver'
plant base/bytes.h '#include "base/bytes.h"' 'include cycle'
plant event/names.h '#include "event/event.h"' 'event/names.h > event/event.h > event/names.h'
plant api/registry.h '#include "tests/support.h"' 'is not on a known floor'
plant base/text.c '#include <cjson/cJSON.h>' 'which is for'
plant base/json.c '#include <openssl/hmac.h>' 'which is for'
plant base/json.c '#include <utf8proc.h>' 'which is for'
plant endpoint/endpoint.c '#include <curl/curl.h>' 'which is for'
plant event/event.h '#include <uthash.h>' 'which is for'
plant driver/http.h '#include <ares.h>' 'which is for'
plant driver/http.h '#include <curl/curl.h>' 'api/registry.c: sees <curl/curl.h>'
plant event/event.h '#include <sys/socket.h>' 'is for the drivers'
plant driver/http_pool.c '#include <zlib.h>' 'no file is named for'
plant util/misc.h '#include <stddef.h>' 'its folder is not a floor'

check "$here/../../src"
echo "includes obey the floors; $planted planted violations were found"
