#!/usr/bin/env bash
# Checks everything that deploy.sh renders, in several sizes, against the schemas of the supported Kubernetes versions,
# strictly: a field that Kubernetes does not know is an error. The checker comes from PyPI into target/.
set -euo pipefail
cd "$(dirname "$0")/.."
versions="1.34 1.35 1.36"
newest=1.37
packages=scripts/kubernetes-validate.txt
environment=target/kubernetes-validate
rendered=target/manifests

# The copy of the list says that all of it was installed.
if ! cmp --silent "$packages" "$environment/installed.txt"; then
    echo "installing the checker from PyPI into $environment"
    python3 -m venv --clear "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check --retries 10 --requirement "$packages"
    cp "$packages" "$environment/installed.txt"
fi

rm -rf "$rendered"
mkdir -p "$rendered"
SHARDS=1 gke-scale/deploy.sh render > "$rendered/one.yaml"
gke-scale/deploy.sh render > "$rendered/default.yaml"
SHARDS=5 MACHINES=5 gke-scale/deploy.sh render > "$rendered/five.yaml"
SHARDS=2 MACHINES=1 STOCK_SHARDS=3 MINT_SHARDS=1 FRONT=node-port \
    OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.observability:4318 LOG_FORMAT=json TRUSTED_PROXIES=10.0.0.0/8,fd00::/8 \
    gke-scale/deploy.sh render > "$rendered/mixed.yaml"
SHARDS=1 FRONT=cluster-ip gke-scale/deploy.sh render > "$rendered/inside.yaml"
minikube/deploy.sh render > "$rendered/minikube.yaml"

# All sizes by the newest version, and by the older ones those that have every template in them.
validate() { "$environment/bin/kubernetes-validate" --strict --quiet --kubernetes-version "$@"; }
validate "$newest" "$rendered"/*.yaml
for version in $versions; do validate "$version" "$rendered/one.yaml"; done

# What must fail does: a checker that accepts everything would be none.
sed 's/^  replicas: 1$/  replica: 1/' "$rendered/one.yaml" > "$rendered/wrong"
if "$environment/bin/kubernetes-validate" --strict --quiet --no-warn "$rendered/wrong" > /dev/null 2>&1; then
    echo "the checker accepts a field that does not exist" >&2
    exit 1
fi
echo "$(cat "$rendered"/*.yaml | grep -c '^kind:') objects are valid for Kubernetes $newest, and all kinds of them for $versions"
