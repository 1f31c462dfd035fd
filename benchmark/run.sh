#!/bin/sh
# Starts a shop of its own on a free port with data of its own, measures it, and leaves nothing behind.
#
# From the environment:
#   FSYNC            always (default), everysec or no: when Redis makes writes durable
#   SHARDS           Redis servers for each service (1)
#   WORKERS          HTTP worker threads of the shop (what the shop takes by default)
#   CHECKOUTS        measured with 64 clients (100000)
#   LONE_CHECKOUTS   measured with one client (10000)
#   LOAD             items, users and orders to load, of each (100000)
#   DATA_PARENT      directory for the data (cargo's target directory): on the kind of disk that matters, and with a path
#                    short enough for a Unix socket
# Other settings of the shop, such as SETTLE_LINGER_MS, reach it from the environment as well.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
FSYNC=${FSYNC:-always} SHARDS=${SHARDS:-1} ALLOW_BATCH_INIT=true
export FSYNC SHARDS ALLOW_BATCH_INIT

cargo build --release --manifest-path "$root/Cargo.toml" --package shardcart-shop --package shardcart-benchmark
benchmark=$target/release/benchmark

data=$(mktemp -d "${DATA_PARENT:-$target}/benchmark.XXXXXX")
data=$(cd "$data" && pwd)
shop=
finish() {
  status=$?
  trap '' INT TERM
  trap - EXIT
  if [ -n "$shop" ]; then
    kill "$shop" 2>/dev/null || true
    wait "$shop" || true
  fi
  if [ "$status" -ne 0 ] && [ -s "$data/shop.log" ]; then
    echo "The shop's last words:" >&2
    tail -n 20 "$data/shop.log" >&2
  fi
  rm -rf "$data"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Below the ports that a kernel hands out by itself.
port=$((20000 + $$ % 10000))
while grep -qs ":$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6; do
  port=$((port + 1))
done

"$target/release/shop" --port "$port" --data-dir "$data/shop" >"$data/shop.log" 2>&1 &
shop=$!
url=http://127.0.0.1:$port

order_shards=unix:$data/shop/order-0/redis.sock
shard=1
while [ "$shard" -lt "$SHARDS" ]; do
  order_shards=$order_shards,unix:$data/shop/order-$shard/redis.sock
  shard=$((shard + 1))
done

load=${LOAD:-100000}
echo "fsync $FSYNC, $SHARDS shard(s) a service, data on $(df -P "$data" | awk 'NR == 2 { print $1 }')"
echo
"$benchmark" load --url "$url" --ready-timeout-s 15 --users "$load" --items "$load" --orders "$load"
"$benchmark" checkout --url "$url" --process-tree "$shop" --redis "$order_shards" \
  --clients 64 --checkouts "${CHECKOUTS:-100000}"
"$benchmark" checkout --url "$url" --process-tree "$shop" --redis "$order_shards" \
  --clients 1 --checkouts "${LONE_CHECKOUTS:-10000}"
