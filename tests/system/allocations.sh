#!/bin/sh
# Every exported function is called where memory runs out: in one of tests/unit/test_allocation*.c.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# missing FILE...: the exported functions that none of these files calls. What is only mentioned, in a
# comment or in quotes, is not called.
missing() {
    cat "$@" | sed 's,/\*.*\*/,,; s,^ \*.*,,; s,"[^"]*",,g' | grep -o '\<bb_[a-z0-9_]*' | sort -u >"$work/called"
    cat src/exports*.txt | sort | comm -23 - "$work/called"
}

# The checker itself: of two functions one is called.
printf '/* bb_webhook_test() */\n    say("bb_outbox_dead(");\n    return bb_webhook_post(d);\n' >"$work/planted.c"
missing "$work/planted.c" >"$work/said"
grep -qx bb_webhook_test "$work/said"
grep -qx bb_outbox_dead "$work/said"
! grep -qx bb_webhook_post "$work/said" || exit 1

# What is called by others that are called there: name, and by which.
excepted() {
    cat <<'END'
bb_webhook_enqueue_on bb_sqlite_enqueue,bb_postgres_enqueue
END
}

missing tests/unit/test_allocation*.c >"$work/all"
excepted | cut -d ' ' -f 1 | sort >"$work/excepted"
comm -23 "$work/all" "$work/excepted" >"$work/missing"
[ -z "$(comm -13 "$work/all" "$work/excepted")" ] || { echo "An exception is not needed"; exit 1; }
if [ -s "$work/missing" ]; then
    echo "No test lets memory run out in:"
    cat "$work/missing"
    exit 1
fi
echo "$(cat src/exports*.txt | wc -l) exported functions are called while memory runs out"
