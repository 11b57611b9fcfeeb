#!/bin/sh
# The shared library exports what src/exports.txt lists and nothing else, and the header
# declares exactly that. BB_LIBRARY is the path of the shared library.
set -eu
export LC_ALL=C
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$BB_LIBRARY" | awk '{ print $NF }' | sort >"$work/exported"
# One declaration may span lines: join them all, then cut at each BB_API.
cat "$root"/include/*.h | grep -v "^#" | tr '\n' ' ' | sed 's/BB_API/\n&/g' |
    sed -n 's/^BB_API[^(;]*[ *]\(bb_[a-z0-9_]*\)(.*/\1/p' | sort >"$work/declared"

diff -u "$root/src/exports.txt" "$work/exported"
diff -u "$root/src/exports.txt" "$work/declared"
echo "$(wc -l <"$work/exported") exported symbols, as listed and as declared"
