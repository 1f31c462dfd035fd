#!/usr/bin/env bash
# Runs a command with a Docker engine: with the one that runs here, or with one of its own that ends with the command.
#
#   in-engine.sh COMMAND…     exit code 75: there is no engine, and none may be started
#
# An engine of its own lives in namespaces of its own (processes, mounts, network): nothing of it is seen outside, and
# nothing is left when it ends, not even when this script is killed. It keeps its layers in target/containers/engine,
# and has no way to the internet: base images come from stand-ins.sh. SHARDCART_ENGINE=own asks for it in any case.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=$here/../../target/containers/engine

if [ "${1:-}" = --inside ]; then
    shift
    mount --make-rprivate /
    mount -t tmpfs tmpfs /run
    ip link set lo up
    # What containers write goes with the engine, and waits for no disk.
    for written in volumes containers; do
        mkdir -p "$data/$written"
        mount -t tmpfs tmpfs "$data/$written"
    done
    mkdir -p /run/docker
    # A negative score would need a capability that not every place has.
    dockerd --data-root "$data" --exec-root /run/docker --pidfile /run/docker.pid --host unix:///run/docker.sock \
        --oom-score-adjust 0 --cgroup-parent /shardcart-engine > "$data.log" 2>&1 &
    engine=$!
    export DOCKER_HOST=unix:///run/docker.sock SHARDCART_ENGINE=inside
    for _ in $(seq 120); do
        docker info > /dev/null 2>&1 && break
        kill -0 "$engine" 2> /dev/null || break
        sleep 0.5
    done
    if ! docker info > /dev/null 2>&1; then
        tail -n 20 "$data.log" >&2
        exit 75
    fi
    code=0
    "$@" || code=$?
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force > /dev/null
    kill "$engine"
    wait "$engine" || true
    exit "$code"
fi

if [ "${SHARDCART_ENGINE:-}" != own ] && docker info > /dev/null 2>&1; then
    exec "$@"
fi

say() { echo "no Docker engine runs here, and none can be started: $1" >&2; exit 75; }
[ "$(uname)" = Linux ] || say "not Linux"
[ "$(id -u)" -eq 0 ] || say "not root"
[ -d /sys/fs/cgroup ] || say "no control groups"
if ! command -v dockerd > /dev/null || ! command -v docker-compose > /dev/null; then
    command -v apt-get > /dev/null || say "not installed, and no apt-get here"
    echo "installing docker.io and docker-compose, without starting them" >&2
    # The packages would start a service; this one starts with the command and ends with it.
    { apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends docker.io docker-compose iptables; } > /dev/null ||
        say "docker.io cannot be installed"
fi
unshare --mount --net --pid --fork true 2> /dev/null || say "namespaces are not allowed"

# One at a time: two engines would use the same layers.
mkdir -p "$data"
exec 9> "$data.lock"
flock --timeout 600 9 || say "another one is still running"
# Its control groups are the one thing that namespaces do not end.
clean() {
    find /sys/fs/cgroup -maxdepth 2 -type d -name shardcart-engine 2> /dev/null | while read -r group; do
        find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || true
    done
}
trap clean EXIT
# The namespaces end with `unshare`, and that with this script: in good order, or by the signal that setpriv sets.
setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --mount-proc "$0" --inside "$@" 9>&- &
namespaces=$!
trap 'kill -KILL "$namespaces"; exit 1' INT TERM HUP
code=0
wait "$namespaces" || code=$?
exit "$code"
