#!/usr/bin/env bash
# Shardcart on minikube: gke-scale/deploy.sh with the sizes of a laptop. Takes the same commands and settings; `apply`
# also builds the images and loads them into minikube.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

export SHARDS=${SHARDS:-2} TAG=${TAG:-local} FRONT=${FRONT:-node-port}
export REDIS_MAXMEMORY=${REDIS_MAXMEMORY:-128mb} REDIS_MEMORY=${REDIS_MEMORY:-256Mi} REDIS_STORAGE=${REDIS_STORAGE:-1Gi}
export REDIS_CPU=${REDIS_CPU:-50m} MACHINE_CPU=${MACHINE_CPU:-50m} GATEWAY_CPU=${GATEWAY_CPU:-50m}
export MACHINE_MEMORY=${MACHINE_MEMORY:-128Mi} GATEWAY_MEMORY=${GATEWAY_MEMORY:-128Mi}
export MACHINE_PODS_MAX=${MACHINE_PODS_MAX:-2} GATEWAY_PODS_MIN=${GATEWAY_PODS_MIN:-1} GATEWAY_PODS_MAX=${GATEWAY_PODS_MAX:-2}

if [ "${1:-}" = apply ]; then
    # What deploy.sh would refuse is refused before an image is built.
    "$here/../gke-scale/deploy.sh" render > /dev/null
    for tool in docker minikube kubectl; do
        command -v "$tool" > /dev/null || { echo "$tool is missing" >&2; exit 1; }
    done
    minikube status > /dev/null || { echo "minikube does not run: minikube start --cpus 4 --memory 6g" >&2; exit 1; }
    for service in order stock payment; do
        docker build --target "$service" --tag "shardcart-$service:$TAG" "$here/.."
        minikube image load "shardcart-$service:$TAG"
    done
fi
exec "$here/../gke-scale/deploy.sh" "$@"
