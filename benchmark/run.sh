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
#   REPLICAS         replicas of each Redis server (0). Beyond 0, the servers are started here, on ports of 127.0.0.1,
#                    and not by the shop; so they are with OWN_REDIS=true, to compare with
#   REDIS_WAIT_REPLICAS  how many of them the shop waits for (0)
#   DATA_PARENT      directory for the data (cargo's target directory): on the kind of disk that matters, and with a path
#                    short enough for a Unix socket
# Other settings of the shop, such as SETTLE_LINGER_MS, reach it from the environment as well.
set -eu

case ${1:-} in
'') ;;
-h | --help)
  sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"
  exit 0
  ;;
*)
  echo "$0: settings come from the environment; see $0 --help" >&2
  exit 2
  ;;
esac

root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
FSYNC=${FSYNC:-always} SHARDS=${SHARDS:-1} ALLOW_BATCH_INIT=true REDIS_WAIT_REPLICAS=${REDIS_WAIT_REPLICAS:-0}
export FSYNC SHARDS ALLOW_BATCH_INIT REDIS_WAIT_REPLICAS
REPLICAS=${REPLICAS:-0} OWN_REDIS=${OWN_REDIS:-false}
[ "$REPLICAS" -eq 0 ] || OWN_REDIS=true

cargo build --release --manifest-path "$root/Cargo.toml" --package shardcart-shop --package shardcart-benchmark
benchmark=$target/release/benchmark

data=$(mktemp -d "${DATA_PARENT:-$target}/benchmark.XXXXXX")
data=$(cd "$data" && pwd)
shop=
servers=
finish() {
  status=$?
  trap '' INT TERM
  trap - EXIT
  if [ -n "$shop" ]; then
    kill "$shop" 2>/dev/null || true
    wait "$shop" || true
  fi
  for server in $servers; do
    kill "$server" 2>/dev/null || true
    wait "$server" || true
  done
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

# The next free port, below those that a kernel hands out by itself.
port=$((20000 + $$ % 10000))
next_port() {
  port=$((port + 1))
  while grep -qs ":$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6; do
    port=$((port + 1))
  done
}

# Starts a Redis server with the settings that the shop gives its own; its port is in $port then.
start_redis() {
  next_port
  mkdir "$data/$port"
  redis-server --port "$port" --bind 127.0.0.1 --dir "$data/$port" --logfile redis.log --save '' \
    --appendonly yes --appendfsync "$FSYNC" --maxmemory-policy noeviction --auto-aof-rewrite-min-size 256mb \
    --latency-tracking no --hash-max-listpack-entries 32 --lazyfree-lazy-expire yes --repl-diskless-sync-delay 0 "$@" >"$data/$port/output" &
  servers="$servers $!"
  until redis-cli -p "$port" ping >"$data/$port/ping" 2>&1; do sleep 0.1; done
}

# Starts the servers of one service; their addresses are in $addresses then.
start_service() {
  addresses=
  shard=0
  while [ "$shard" -lt "$SHARDS" ]; do
    start_redis
    primary=$port
    addresses=${addresses:+$addresses,}127.0.0.1:$primary
    replica=0
    while [ "$replica" -lt "$REPLICAS" ]; do
      start_redis --replicaof 127.0.0.1 "$primary"
      replica=$((replica + 1))
    done
    until [ "$(redis-cli -p "$primary" info replication | grep -c state=online)" -eq "$REPLICAS" ]; do sleep 0.1; done
    shard=$((shard + 1))
  done
}

if [ "$OWN_REDIS" = true ]; then
  start_service
  ORDER_REDIS_ADDRS=$addresses
  start_service
  STOCK_REDIS_ADDRS=$addresses
  start_service
  PAYMENT_REDIS_ADDRS=$addresses
  export ORDER_REDIS_ADDRS STOCK_REDIS_ADDRS PAYMENT_REDIS_ADDRS
fi

next_port
"$target/release/shop" --port "$port" --data-dir "$data/shop" >"$data/shop.log" 2>&1 &
shop=$!
url=http://127.0.0.1:$port

if [ "$OWN_REDIS" = true ]; then
  order_shards=$ORDER_REDIS_ADDRS
else
  order_shards=unix:$data/shop/order-0/redis.sock
  shard=1
  while [ "$shard" -lt "$SHARDS" ]; do
    order_shards=$order_shards,unix:$data/shop/order-$shard/redis.sock
    shard=$((shard + 1))
  done
fi
# The shop with the servers that it started, and those that were started here.
tree=$shop
for server in $servers; do tree=$tree,$server; done

load=${LOAD:-100000}
echo "fsync $FSYNC, $SHARDS shard(s) a service, $REPLICAS replica(s) each, waited for $REDIS_WAIT_REPLICAS, data on $(df -P "$data" | awk 'NR == 2 { print $1 }')"
echo
"$benchmark" load --url "$url" --ready-timeout-s 15 --users "$load" --items "$load" --orders "$load"
"$benchmark" checkout --url "$url" --process-tree "$tree" --redis "$order_shards" \
  --clients 64 --checkouts "${CHECKOUTS:-100000}"
"$benchmark" checkout --url "$url" --process-tree "$tree" --redis "$order_shards" \
  --clients 1 --checkouts "${LONE_CHECKOUTS:-10000}"
