#!/bin/sh
# The README's first C listing is examples/quickstart.c, to the byte.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```c$/ && !seen { seen = listing = 1; next } /^```/ { listing = 0 } listing' README.md \
    >"$work/listing"
diff -u examples/quickstart.c "$work/listing"
