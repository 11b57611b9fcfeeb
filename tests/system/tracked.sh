#!/bin/sh
# No file of the project names a path of one machine or the host of a package registry.
set -eu
cd "$(dirname "$0")/../.."

# Bracketed so that this file does not hold what it looks for.
paths='(^|[^A-Za-z0-9_.])/([w]ork|[f]arm|[r]oot|[h]ome|[U]sers)/'
hosts='pypi[.]org|npmjs[.]|crates[.]io|proxy[.]golang|docker[.]io|ghcr[.]io|quay[.]io|deb[.]debian|[a]rtifactory'
unwanted="$paths|$hosts"

files() {
    git ls-files --cached --others --exclude-standard 2>/dev/null ||
        find . -name .git -prune -o -path ./build -prune -o -type f -print
}

# The search itself: both kinds are found, and there are files to search.
echo 'cd /ro''ot/x' | grep -qE "$unwanted"
echo 'https://py''pi.org/x' | grep -qE "$unwanted"
[ "$(files | wc -l)" -gt 10 ]

if files | tr '\n' '\0' | xargs -0 grep -nIEs "$unwanted"; then
    exit 1
fi
