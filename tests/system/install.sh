#!/bin/sh
# The installed tree serves a host program: found by CMake and by pkg-config, shared and
# static, each built from tests/system/consumer and run. BB_BUILD is the build folder,
# CC the compiler, BB_SANITIZE the flags the library was built with.
set -eu
consumer=$(cd "$(dirname "$0")/consumer" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$BB_BUILD" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }

# Moved, to show that nothing in it remembers where it was installed.
mv "$prefix" "$work/moved"
prefix=$work/moved
libdir=$(dirname "$(find "$prefix" -name libbb_webhook.a)")
export LD_LIBRARY_PATH="$libdir"

# runs NAME PROGRAM shared|static
runs() {
    if ldd "$2" | grep -q 'libbb_webhook[.]so[.]0'; then
        linked=shared
    else
        linked=static
    fi
    [ "$linked" = "$3" ] || { echo "$1: linked $linked, wanted $3"; exit 1; }
    "$2" || { echo "$1: the program failed"; exit 1; }
    echo "$1: $3 works"
}

cmake -S "$consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_C_FLAGS="$BB_SANITIZE" >"$work/log" &&
    cmake --build "$work/build" >>"$work/log" || { cat "$work/log"; exit 1; }
runs find_package "$work/build/consumer_shared" shared
runs find_package "$work/build/consumer_static" static

export PKG_CONFIG_PATH="$libdir/pkgconfig"
# shellcheck disable=SC2046,SC2086 # flags are words
"$CC" $BB_SANITIZE -o "$work/shared" "$consumer/consumer.c" $(pkg-config --cflags --libs bb_webhook)
runs pkg-config "$work/shared" shared
# --static would ask for static copies of libcurl's own dependencies too.
# shellcheck disable=SC2046,SC2086
"$CC" $BB_SANITIZE -o "$work/static" "$consumer/consumer.c" $(pkg-config --cflags bb_webhook) \
    "$libdir/libbb_webhook.a" $(pkg-config --libs $(pkg-config --print-requires-private bb_webhook))
runs pkg-config "$work/static" static
