#!/bin/sh
# Looks for mistakes without running anything: clang-tidy by .clang-tidy, gcc -fanalyzer and cppcheck,
# over src/ and examples/. Fails on each finding that is not among the exceptions, and on an exception
# that nothing needs any more. Clang's path analysis (clang-analyzer-*) takes ten times as long as the
# rest of clang-tidy: it is for src/ only, and --quick leaves it out.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."
root=$(pwd)
quick=
[ "${1:-}" != --quick ] || quick=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

. cmake/packages.sh
need_for_library
need_for_examples
need_for_lint
install_missing

# TOOL|FILE|PART OF THE MESSAGE|WHY IT IS NONE
exceptions() {
    cat <<'END'
paths|src/driver/store_memory_rows.c|loaded from field 'previous'|utlist: the first one's previous is the last, never NULL
paths|src/driver/store_memory_rows.c|loaded from field 'elder'|as above
paths|src/driver/http.h|Excessive padding in 'struct bb_transfer'|members stand by what they are for, and there are as many as attempts under way
gcc|examples/bb-notify/ledger.c|leak of 'strdup(*notice.text)'|it is kept in the row
gcc|examples/bb-notify/outbox_url.c|use of NULL 'rest'|it was asked before whether it is a URL
gcc|examples/bb-notify/outbox_url.c|use of NULL 'host'|as above
gcc|examples/bb-notify/receiver.c|possibly-NULL 'times'|without it nothing is read from it, nor written
gcc|src/driver/store_memory.c|dereference of NULL 'row'|make_rows made as many as are added
gcc|src/event/filter.c|dereference of NULL 'project'|a member is removed from where it was added
gcc|src/event/parcel.c|dereference of NULL 'from'|bb_parcel_new was given an event
tidy_src|src/driver/http_flood.c|integer to pointer cast|what OpenSSL keeps with a connection is a pointer: a number needs no block
tidy_src|src/driver/process.c|function is not thread safe|getenv: where the host has asked for it, when a dispatcher is made
gcc|src/event/parcel.c|dereference of NULL '*from.mentions'|the event was checked: it has as many as it says
END
}

# one_line: findings as FILE:LINE:COLUMN: MESSAGE, relative to the project (a compiler cache makes them
# relative to the build folder), each once.
one_line() {
    sed -n "s,^$root/,,; s,^\(\.\./\)*,,; /: \(warning\|error\|fatal error\): /p" | sort -u
}

# tidy CHECKS FILE...: what clang-tidy says with these on top of .clang-tidy. Clang's own warning about
# a text in an array that is made of two would tell all of the SQL.
tidy() {
    checks=$1
    shift
    printf '%s\n' "$@" | xargs -P 2 -n 4 clang-tidy -p build/lint --quiet --checks="$checks" \
        --extra-arg=-Wno-string-concatenation 2>"$work/tidy" | one_line
    grep '^Error' "$work/tidy" || :
}

cppcheck_on() {
    cppcheck --quiet -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr \
        --suppress=identicalInnerCondition --suppress=missingIncludeSystem \
        -Iinclude -Isrc -Iexamples -D_POSIX_C_SOURCE=200809L -DBB_ANALYSER \
        '-DCURL_IGNORE_DEPRECATION(code)=code' \
        --template='{file}:{line}:{column}: warning: {message} [{id}]' --template-location= "$@" \
        2>&1 | one_line
}

# The tools themselves: each finds what is planted for it.
mkdir -p build/lint/planted
planted=build/lint/planted/planted.c
cat >"$planted" <<'END'
#include <stdlib.h>
#include <string.h>
int planted(int n);
int planted(int n) {
    char *block = malloc(8), small[4];
    if (!block)
        return 0;
    free(block);
    if (n > 1)
        free(block);
    small[5] = 1;
    return strtok(small, ",") ? sizeof(block) / sizeof(n) : 1;
}
END
configure() {
    cmake --preset dev -DBB_WEBHOOK_TESTS=OFF "$@" >"$work/log" || { cat "$work/log"; exit 1; }
}
configure -B build/lint -DCMAKE_C_FLAGS=-DBB_ANALYSER
tidy '-*,concurrency-*' "$planted" | grep -q 'concurrency-mt-unsafe'
tidy '-*,clang-analyzer-*' "$planted" | grep -q 'clang-analyzer-unix.Malloc'
gcc -O2 -fanalyzer -c -o "$work/planted.o" "$planted" 2>&1 | one_line | grep -q 'Wanalyzer-double-free'
cppcheck_on "$planted" | grep -q arrayIndexOutOfBounds
rm -r build/lint/planted

say() {
    printf '%s: %s\n' "$(date -u +%H:%M:%S)" "$*"
}

say "cppcheck"
cppcheck_on src examples >"$work/cppcheck"

say "gcc -fanalyzer"
configure -B build/lint-gcc -DBB_WEBHOOK_WERROR=OFF -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_COMPILER=gcc "-DCMAKE_C_FLAGS=-fanalyzer -DBB_ANALYSER"
cmake --build build/lint-gcc --clean-first -j 2 >"$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; } # from nothing: what is not compiled is not looked at
one_line <"$work/log" | grep -e '-Wanalyzer' >"$work/gcc" || :

# A program may use what is for one thread, before it has a second.
say "clang-tidy"
tidy '-clang-analyzer-*' src/*/*.c >"$work/tidy_src"
tidy '-clang-analyzer-*,-concurrency-mt-unsafe' examples/*.c examples/*/*.c >"$work/tidy_examples"
ran='cppcheck gcc tidy_src tidy_examples'
if [ -z "$quick" ]; then
    say "clang-tidy: paths"
    others='-bugprone-*,-cert-*,-concurrency-*,-misc-*,-performance-*,-portability-*,-readability-*'
    tidy "$others" src/*/*.c >"$work/paths"
    ran="$ran paths"
fi

exceptions >"$work/exceptions"
for tool in $ran; do
    awk -F '|' -v tool="$tool" '
        FNR == NR {
            if ($1 == tool) {
                file[FNR] = $2
                part[FNR] = $3
            }
            next
        }
        {
            for (i in file)
                if (index($0, file[i] ":") == 1 && index($0, part[i])) {
                    used[i] = 1
                    next
                }
            print tool ": " $0
        }
        END {
            for (i in file)
                if (!(i in used))
                    print tool ": the exception is not needed: " file[i] ": " part[i]
        }' "$work/exceptions" "$work/$tool"
done >"$work/found"
if [ -s "$work/found" ]; then
    cat "$work/found"
    exit 1
fi
say "nothing is found, but for the exceptions"
