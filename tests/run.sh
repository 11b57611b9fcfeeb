#!/bin/sh
# Installs what is missing, builds everything with warnings as errors under ASan and
# UBSan, runs every test, then the threaded ones under TSan, and looks for mistakes in the source
# (lint.sh). BB_TEST_SCALE, a whole number, makes the tests that are long by nature so many
# times longer.
set -u
timeout_s=$((300 * ${BB_TEST_SCALE:-1}))
cd "$(dirname "$0")/.." || exit 1

. cmake/packages.sh
need_for_library
need_for_examples
need_for_tests
need_for_lint
install_missing || exit 1

# The sanitizers' shadow memory collides with the widest address randomisation of
# some kernels, so it is switched off where that is allowed.
without_aslr() {
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        setarch "$(uname -m)" -R "$@"
    else
        "$@"
    fi
}

summary=
failed=0

say() {
    printf '\n== %s\n' "$*"
}

note() {
    summary="$summary
  $*"
}

# check PRESET TEST_PATTERN [TARGET...]: builds the targets (all when none is named) and
# runs the tests that match.
check() {
    preset=$1
    pattern=$2
    shift 2
    log=build/$preset/tests.log
    say "$preset: build"
    if ! cmake --preset "$preset" ||
        ! cmake --build --preset "$preset" -j 2 ${1:+--target "$@"}; then
        note "$preset: the build FAILED"
        failed=1
        return
    fi
    say "$preset: tests"
    without_aslr ctest --preset "$preset" -R "$pattern" -j 2 --timeout "$timeout_s" \
        --no-tests=error --output-log "$log" || failed=1
    note "$preset: $(sed -n -e '/tests passed/p' -e 's/^Total Test time (real) = */in /p' "$log" |
        tr '\n' ' ')"
    failures=$(sed -n '/^The following tests FAILED/,$s/^[^0-9]*[0-9]* - /    /p' "$log")
    [ -z "$failures" ] || summary="$summary
$failures"
}

check asan .
threaded='thread|post|credentials|test_background|test_outbox|test_store'
# shellcheck disable=SC2046 # one word per target
check tsan "$threaded" $(cd tests/unit && ls | sed -n 's/[.]c$//p' | grep -E "$threaded")

say "lint"
if sh tests/lint.sh --quick; then
    note "lint: nothing found"
else
    note "lint: FAILED"
    failed=1
fi

say "Summary$summary"
if [ "$failed" -ne 0 ]; then
    say "FAILED"
    exit 1
fi
say "All tests passed"
