#!/bin/sh
# Loads the demo catalogue into the shop at SHOP. It may be run again: products stay as they are, stock is filled up.
set -eu

cd "$(dirname "$0")"
SHOP=${SHOP:-http://localhost:8000}

if ! curl -sf -o /dev/null -m 5 "$SHOP/v1/products?limit=1"; then
  echo "No shop answers at $SHOP. Start one in another terminal with 'make run', or name yours: make demo SHOP=http://host:port" >&2
  exit 1
fi

# The last line of the answer is the summary; a refused row ends this.
results=$(curl -sf -H 'Content-Type: text/csv' --data-binary @products.csv "$SHOP/v1/imports/products")
if ! printf '%s' "$results" | tail -n 1 | grep -q '"complete":true.*"refused":0.*"unknown":0'; then
  printf '%s\n' "$results" >&2
  exit 1
fi

while IFS=, read -r id count; do
  curl -sf -o /dev/null -H 'Content-Type: application/json' -d "{\"count\":$count,\"reason\":\"demo\"}" \
    "$SHOP/v1/products/$id/stock-changes"
done < stock.csv
echo "$(wc -l < stock.csv) products are in the shop"
