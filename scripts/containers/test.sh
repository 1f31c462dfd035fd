#!/usr/bin/env bash
# The system in containers, tested: builds the images, brings compose.yaml up, and runs the front-door tests, the
# thousand clients and the deaths of containers against its gateway. Takes everything down again.
#
#   test.sh      `make test-containers`. Exit code 75 where no Docker engine runs and none may be started
#
# SHARDCART_IMAGES=release builds the images as they are shipped; without it, sooner and slower ones.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
project=shardcart-test
say() { echo "== $* ($((SECONDS)) s)"; }

if [ "${1:-}" != --with-engine ]; then
    own=no
    if [ "${SHARDCART_ENGINE:-}" = own ] || ! docker info > /dev/null 2>&1; then own=yes; fi
    if [ "$own" = yes ] && [ "$(id -u)" -ne 0 ]; then
        echo "no Docker engine runs here, and only root may start one" >&2
        exit 75
    fi
    # In the engine's namespaces there is no network: what is needed is fetched and built before.
    cargo build --workspace --bins
    cargo test --workspace --no-run
    if [ "$own" = yes ] && ! "$here/stand-ins.sh" prepare; then
        echo "the base images cannot be pulled, and no stand-ins for them can be made" >&2
        exit 75
    fi
    exec "$here/in-engine.sh" "$0" --with-engine
fi

if docker compose version > /dev/null 2>&1; then
    compose=(docker compose)
elif command -v docker-compose > /dev/null; then
    compose=(docker-compose)
else
    echo "a Docker engine runs here, but there is neither its Compose plugin nor docker-compose" >&2
    exit 75
fi
compose+=(--project-name "$project")
# The images that a user of this engine has made are left alone.
export PORT=${PORT:-8000} TAG=test REDIS_PASSWORD=the-password-of-the-tests INTERNAL_TOKEN=the-secret-of-the-tests
# No power fails here, and the disk of a busy machine may take longer to write than a service waits.
export FSYNC=no REDIS_TIMEOUT_MS=1900
if [ "${SHARDCART_IMAGES:-}" != release ]; then export OPT_LEVEL=1 LTO=off; fi
# The builder of docker-compose 1.29 is the engine's own, which needs nothing from the network.
if [ "${SHARDCART_ENGINE:-}" = inside ]; then export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0; fi

down() {
    local code=$?
    if [ "$code" -ne 0 ]; then
        "${compose[@]}" ps || true
        "${compose[@]}" logs --tail 30 || true
    fi
    say "taking everything down"
    "${compose[@]}" down --volumes --timeout 30 > /dev/null 2>&1 || true
    exit "$code"
}
trap down EXIT

say "base images"
"$here/stand-ins.sh" load || { echo "the base images cannot be pulled, and no stand-ins for them can be made" >&2; exit 75; }
say "images"
build() { "${compose[@]}" build && "${compose[@]}" build audit; }
build > "$root/target/containers/build.log" 2>&1 || { tail -n 40 "$root/target/containers/build.log"; exit 1; }
base=$(sed -n 's/^ARG RUNTIME=//p' Dockerfile)
size() { docker image inspect --format '{{.Size}}' "$1"; }
for service in order stock payment shop; do
    beyond=$(($(size "shardcart-$service:$TAG") - $(size "$base")))
    echo "shardcart-$service: $((beyond / 1000)) kB beyond its base"
    [ "$beyond" -lt 40000000 ] || { echo "that is more than 40 MB" >&2; exit 1; }
done

say "compose up"
"${compose[@]}" up --detach > "$root/target/containers/up.log" 2>&1 || { tail -n 40 "$root/target/containers/up.log"; exit 1; }
id() {
    docker ps --quiet --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$1"
}
for _ in $(seq 120); do
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$(id gateway)")" != healthy ] || break
    sleep 1
done
say "front-door tests through the gateway"
curl -fsS "http://127.0.0.1:$PORT/health/ready"
echo

address() { docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(id "$1")"; }
export SHARDCART_TEST_GATEWAY=127.0.0.1:$PORT SHARDCART_TEST_GATEWAY_REDIS_PASSWORD=$REDIS_PASSWORD
for service in order:8001 stock:8002 payment:8003; do
    name=${service%:*} port=${service#*:}
    export "SHARDCART_TEST_GATEWAY_${name^^}_MACHINES=$(address "$name-1"):$port,$(address "$name-2"):$port"
    export "SHARDCART_TEST_GATEWAY_${name^^}_REDIS=$(address "$name-redis-0"):6379,$(address "$name-redis-1"):6379"
done

cargo test --offline --workspace --test door --test refusals -- ::gateway:: --test-threads 4
say "a thousand clients, and containers killed"
cargo test --offline --workspace --test deploy -- --ignored containers:: --test-threads 1
say "the audit of compose.yaml"
"${compose[@]}" run --rm audit
say "all passed"
