#!/bin/sh
# Installs what building and running Shardcart needs and this machine lacks: a C linker and a Redis server; with the
# argument `nginx` that one as well, which measurements need; with `test` what only the tests need: nginx, Prometheus,
# Python with venv, curl, Node and a JDK; with `browser` a Chromium and Node, which only the tests of the console need.
# Says what it does; does nothing where all is there.
set -eu

missing=""
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
# A user's PATH may lack the directory where nginx is.
case ${1:-} in
nginx | test) PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v nginx >/dev/null 2>&1 || missing="$missing nginx-light" ;;
esac
if [ "${1:-}" = test ]; then
    python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
    # Real clients of HTTP: their first requests are what the tests are about.
    command -v curl >/dev/null 2>&1 || missing="$missing curl"
    command -v node >/dev/null 2>&1 || missing="$missing nodejs"
    java --list-modules 2>/dev/null | grep -q '^jdk.compiler' || missing="$missing default-jdk-headless"
    command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
fi
if [ "${1:-}" = browser ]; then
    command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
        command -v google-chrome >/dev/null 2>&1 || missing="$missing chromium"
    command -v node >/dev/null 2>&1 || missing="$missing nodejs"
    command -v npm >/dev/null 2>&1 || missing="$missing npm"
fi
if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing: install a Rust toolchain first (rustup, or your system's package)" >&2
    exit 1
fi
rustup component list --installed 2>/dev/null | grep -q '^rustfmt' || command -v rustfmt >/dev/null 2>&1 ||
    echo "note: rustfmt and clippy are needed for 'make test': rustup component add rustfmt clippy" >&2
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "please install as root:$missing" >&2; exit 1; }
    as_root="sudo"
fi
echo "installing with the system's package manager:$missing"
if command -v apt-get >/dev/null 2>&1; then
    $as_root apt-get update -qq
    # The packages start servers on ports 6379, 80 and 9090 where they can; Shardcart neither needs nor touches those.
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing
elif command -v dnf >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    $as_root dnf install -y $(echo "$missing" | sed 's/redis-server/redis/; s/libc6-dev/glibc-devel/; s/nginx-light/nginx/; s/python3-venv/python3/; s/default-jdk-headless/java-latest-openjdk-devel/')
elif command -v brew >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    brew install $(echo "$missing" | sed 's/redis-server/redis/; s/gcc libc6-dev//; s/nginx-light/nginx/; s/python3-venv/python3/; s/default-jdk-headless/openjdk/; s/nodejs/node/')
else
    echo "no package manager that this script knows: please install$missing yourself" >&2
    exit 1
fi
