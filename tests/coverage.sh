#!/bin/sh
# Counts which lines and branches of src/ the tests run, by file, and fails below 95 % of the lines or
# 85 % of the branches. Builds without optimisation and runs every test of tests/unit: some ten
# minutes. `sh tests/coverage.sh REGEX` runs the tests that match and only tells, without a limit.
#
# Nothing is marked as not to be counted, failures of the allocator least of all: tests make each one
# fail. gcovr leaves out branches that the compiler made for no condition of the source's.
set -eu
cd "$(dirname "$0")/.."

. cmake/packages.sh
need_for_library
need_for_examples
need_for_tests
need_for_coverage
install_missing

lines=95
branches=85
if [ -n "${1:-}" ]; then
    lines=0
    branches=0
fi
cmake --preset coverage
cmake --build --preset coverage -j 2
find build/coverage -name '*.gcda' -delete # of an earlier run
ctest --preset coverage -R "${1:-^test_}" -j 2 --no-tests=error

gcovr --root . --filter src/ build/coverage --exclude-unreachable-branches \
    --exclude-throw-branches --json build/coverage/coverage.json
gcovr --root . --add-tracefile build/coverage/coverage.json --txt -
echo
gcovr --root . --add-tracefile build/coverage/coverage.json --branches --txt - --print-summary \
    --fail-under-line "$lines" --fail-under-branch "$branches"
