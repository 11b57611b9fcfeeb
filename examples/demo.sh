#!/bin/sh
# Installs what is missing, builds bb-notify and runs its demo: seven chat products
# played on this machine, no account needed.
set -eu
cd "$(dirname "$0")/.."

. cmake/packages.sh
need_for_library
need_for_examples
install_missing

cmake --preset release -DBB_WEBHOOK_TESTS=OFF >/dev/null
cmake --build --preset release -j 2 --target bb-notify

build/release/examples/bb-notify --demo
echo "The seven messages side by side: $PWD/demo.html (open it in a browser)"
