#!/bin/sh
# Each shared library exports what its list in src/ says and nothing else, and its headers
# declare exactly that. BB_LIBRARY, BB_LIBRARY_SQLITE and BB_LIBRARY_POSTGRES are the paths of the
# libraries.
set -eu
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check LIST LIBRARY HEADER...
check() {
    list=$root/src/$1
    nm -D --defined-only "$2" | awk '{ print $NF }' | sort >"$work/exported"
    shift 2
    # One declaration may span lines: join them all, then cut at each BB_API.
    cat "$@" | grep -v "^#" | tr '\n' ' ' | sed 's/BB_API/\n&/g' |
        sed -n 's/^BB_API[^(;]*[ *]\(bb_[a-z0-9_]*\)(.*/\1/p' | sort >"$work/declared"
    diff -u "$list" "$work/exported"
    diff -u "$list" "$work/declared"
    echo "$(wc -l <"$work/exported") exported symbols, as listed and as declared"
}

cd "$root/include"
check exports.txt "$BB_LIBRARY" bb_webhook.h bb_webhook_background.h bb_webhook_egress.h \
    bb_webhook_event.h bb_webhook_outbox.h bb_webhook_verify.h
check exports_sqlite.txt "$BB_LIBRARY_SQLITE" bb_webhook_sqlite.h
check exports_postgres.txt "$BB_LIBRARY_POSTGRES" bb_webhook_postgres.h
