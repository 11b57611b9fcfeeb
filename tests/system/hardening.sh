#!/bin/sh
# The shared libraries, built as a host builds them and without an option, hold what makes an error
# harder to exploit. The checker is tested on a library that lacks each of it. CC is the compiler.
set -eu
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# lacks LIBRARY: prints what is missing, a line each.
lacks() {
    readelf -lW "$1" >"$work/segments"
    readelf -dW "$1" >"$work/dynamic"
    readelf -W --dyn-syms "$1" >"$work/symbols"
    grep -q ' GNU_RELRO ' "$work/segments" || echo "relocations are not read-only"
    grep -q ' BIND_NOW' "$work/dynamic" || echo "symbols are bound late"
    grep -qE ' GNU_STACK .* RW +0x' "$work/segments" || echo "the stack is executable"
    ! grep -qE ' LOAD .* RWE ' "$work/segments" || echo "code can be written to"
    ! grep -q TEXTREL "$work/dynamic" || echo "code is relocated"
    grep -q ' __stack_chk_fail' "$work/symbols" || echo "the stack has no protector"
    grep -qE ' __v?snprintf_chk' "$work/symbols" || echo "functions of libc do not check sizes"
}

# The checking itself.
cat >"$work/soft.c" <<'END'
#include <stdio.h>
int soft(const char *text);
int soft(const char *text) {
    char line[80];
    return snprintf(line, sizeof line, "%s", text) + line[0];
}
END
"$CC" -O2 -U_FORTIFY_SOURCE -fno-stack-protector -fPIC -shared -o "$work/soft.so" "$work/soft.c" \
    -Wl,-z,norelro,-z,lazy,-z,execstack 2>/dev/null
lacks "$work/soft.so" >"$work/said"
diff -u - "$work/said" <<'END'
relocations are not read-only
symbols are bound late
the stack is executable
the stack has no protector
functions of libc do not check sizes
END

cmake -S "$root" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$CC" \
    -DBB_WEBHOOK_TESTS=OFF -DBB_WEBHOOK_EXAMPLES=OFF >"$work/log" &&
    cmake --build "$work/build" -j 2 >>"$work/log" || { cat "$work/log"; exit 1; }
for library in bb_webhook bb_webhook_sqlite bb_webhook_postgres; do
    lacks "$work/build/lib$library.so" >"$work/said"
    [ ! -s "$work/said" ] || { echo "$library:"; cat "$work/said"; exit 1; }
    echo "$library: hardened"
done

# Marks of the compiler that the linker drops where one object of libc has none.
case $(uname -m) in
x86_64) mark='IBT, SHSTK' ;;
aarch64) mark='BTI, PAC' ;;
*) exit 0 ;;
esac
archive=$work/build/libbb_webhook.a
[ "$(readelf -nW "$archive" 2>/dev/null | grep -c "$mark")" -eq "$(ar t "$archive" | wc -l)" ] ||
    { echo "Some object's jumps are not checked ($mark)"; exit 1; }
