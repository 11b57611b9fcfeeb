#!/bin/sh
# The README's first C listing is examples/quickstart.c, to the byte; the second is a part of
# examples/background.c.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```c$/ && !seen { seen = listing = 1; next } /^```/ { listing = 0 } listing' README.md \
    >"$work/listing"
diff -u examples/quickstart.c "$work/listing"

second=$(awk '/^```c$/ { listing = ++seen == 2; next } /^```/ { listing = 0 } listing' README.md)
[ -n "$second" ]
case $(cat examples/background.c) in
*"$second"*) ;;
*)
    echo "The second listing is not a part of examples/background.c"
    exit 1
    ;;
esac
