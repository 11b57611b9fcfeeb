#!/bin/sh
# The public header alone, with every INIT macro used, and the quickstart compile as
# C99 and C++11 with the strictest warnings, under each of gcc and clang that is here.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

strict="-Wall -Wextra -pedantic-errors -Werror -Wshadow -Wconversion -Wsign-conversion
        -Wcast-qual -Wcast-align -Wundef -Wdouble-promotion -Wformat=2 -Wwrite-strings"
strict_c="$strict -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wc++-compat"
strict_cxx="$strict -Wold-style-cast -Wmissing-declarations -Wnon-virtual-dtor"

# The pairs of an INIT macro and its struct, as the headers state them.
inits=$(cat "$root"/include/*.h |
    sed -n 's/^#define \(BB_[A-Z_]*_INIT\) BB_INIT_STRUCT(\([a-z_]*\))$/\1 \2/p')
{
    echo '#include <bb_webhook.h>'
    echo '#include <bb_webhook_sqlite.h>'
    echo '#include <bb_webhook_postgres.h>'
    echo 'int main(void) {'
    echo "$inits" | while read -r macro type; do
        echo "    $type a_$type = $macro;"
        echo "    if (a_$type.struct_size != sizeof($type)) return 1;"
    done
    echo '    return 0;'
    echo '}'
} >"$work/header.c"
[ "$(grep -c '_INIT;' "$work/header.c")" -ge 15 ] || { echo "INIT macros were not found"; exit 1; }

# No struct may hold padding: a field added later would change what older callers mean.
no_padding=-Wpadded

# Debian keeps libpq's headers in a folder of their own.
libpq=$(pkg-config --cflags libpq | sed 's/-I/-isystem /g')

# compile LABEL COMPILER FLAGS...
# shellcheck disable=SC2086 # flags are words
compile() {
    label=$1
    shift
    "$@" -I "$root/include" $libpq || { echo "$label: FAILED"; exit 1; }
    echo "$label: clean"
}

# shellcheck disable=SC2086 # flags are words
try() {
    compile "header with $1 as C99" "$1" -std=c99 $strict_c $no_padding -o "$work/header" "$work/header.c"
    "$work/header"
    compile "header with $2 as C++11" "$2" -x c++ -std=c++11 $strict_cxx $no_padding \
        -o "$work/header" "$work/header.c"
    "$work/header"
    compile "quickstart with $1 as C99" "$1" -std=c99 $strict_c -o "$work/quickstart.o" \
        -c "$root/examples/quickstart.c"
    compile "quickstart with $2 as C++11" "$2" -x c++ -std=c++11 $strict_cxx \
        -o "$work/quickstart.o" -c "$root/examples/quickstart.c"
}

tried=0
for pair in gcc:g++ clang:clang++; do
    if command -v "${pair%:*}" >/dev/null && command -v "${pair#*:}" >/dev/null; then
        try "${pair%:*}" "${pair#*:}"
        tried=$((tried + 1))
    else
        echo "${pair%:*} is not here: not tried"
    fi
done
[ "$tried" -gt 0 ]
