# What has to be installed, and how. Sourced by tests/run.sh and examples/demo.sh.
#
# A package is recognised by what it brings, not by its name, so a second run needs no
# network and a machine that is not Debian-like is fine once it has the same things.

missing=

# need PACKAGE PROBE...: the Debian package is wanted unless the probe succeeds.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

has_header() {
    echo "#include <$1>" | cc -E -
}

# Without a bundle of certificates libcurl opens no TLS connection at all.
has_certificates() {
    [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] ||
        [ -e /etc/ssl/ca-bundle.pem ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ]
}

# Debian keeps the server's programs out of the PATH.
has_postgres() {
    [ -x "$(pg_config --bindir 2>/dev/null)/initdb" ] || ls /usr/lib/postgresql/*/bin/initdb
}

need_for_library() {
    need gcc command -v cc
    need libc6-dev has_header stdio.h
    need cmake command -v cmake
    need ninja-build command -v ninja
    need pkg-config command -v pkg-config
    need libcurl4-openssl-dev pkg-config --exists 'libcurl >= 7.87.0'
    need libcjson-dev pkg-config --exists 'libcjson >= 1.7.15'
    need libssl-dev pkg-config --exists 'openssl >= 3.0.0'
    need libutf8proc-dev pkg-config --exists libutf8proc
    need libc-ares-dev pkg-config --exists 'libcares >= 1.18.0'
    need uthash-dev has_header uthash.h
    need libsqlite3-dev pkg-config --exists 'sqlite3 >= 3.38.0'
    need libpq-dev pkg-config --exists 'libpq >= 14'
    need ca-certificates has_certificates
}

need_for_examples() {
    need libmicrohttpd-dev pkg-config --exists libmicrohttpd
    need libuv1-dev pkg-config --exists libuv
}

need_for_tests() {
    need libcmocka-dev pkg-config --exists cmocka
    need g++ command -v g++
    need clang command -v clang
    need postgresql has_postgres
    need pgbouncer [ -x /usr/sbin/pgbouncer ]
}

need_for_lint() {
    need clang-tidy command -v clang-tidy
    need cppcheck command -v cppcheck
}

need_for_coverage() {
    need gcovr command -v gcovr
}

# Installs what is missing. Where it cannot, it says what is needed and fails.
install_missing() {
    [ -n "$missing" ] || return 0
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    if ! command -v apt-get >/dev/null 2>&1 || ! command -v ${sudo:-id} >/dev/null 2>&1; then
        echo "Please install, then run this again (Debian's names):$missing" >&2
        return 1
    fi
    echo "Installing:$missing"
    $sudo apt-get -qq update || echo "The package lists are old: apt-get update failed" >&2
    # --no-remove: never at the price of another package, such as another libcurl-dev.
    # shellcheck disable=SC2086 # one word per package
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        --no-remove $missing >/dev/null || {
        echo "Could not install:$missing" >&2
        return 1
    }
}
