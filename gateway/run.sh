#!/bin/sh
# Runs the gateway under compose. nginx looks the machines' names up when it starts and never again; a container that is
# made anew may come back with another address, and then this has nginx read its configuration again.
# SIGTERM and SIGQUIT end it when the requests in flight are answered.
set -eu
here=$(dirname "$0")

# What is in front: how long it keeps idle connections, and which proxies tell the client's address.
case ${GATEWAY_KEEP_ALIVE_S:=65}:${TRUSTED_PROXIES:=} in
*[!0-9]*:* | *:*[!0-9a-f.:/,]*)
    echo "expected GATEWAY_KEEP_ALIVE_S in seconds, and TRUSTED_PROXIES as addresses or networks, comma-separated" >&2
    exit 1
    ;;
esac
{
    echo "keepalive_timeout ${GATEWAY_KEEP_ALIVE_S}s;"
    echo "real_ip_header X-Forwarded-For;"
    echo "real_ip_recursive on;"
    echo "$TRUSTED_PROXIES" | tr , '\n' | sed -n 's/..*/set_real_ip_from &;/p'
} > /tmp/in-front.conf

# The address of every machine, or nothing when one has none at the moment: nginx would refuse that configuration.
addresses() {
    for name in $(sed -n 's/^ *server \([^:;]*\):.*/\1/p' "$here/upstreams.conf"); do
        getent ahostsv4 "$name" | sed -n '1s/ .*//p' | grep . || { echo unknown; return; }
    done
}

nginx -c "$here/nginx.conf" -g 'daemon off;' &
nginx=$!
trap 'kill -QUIT "$nginx"' TERM QUIT INT
known=$(addresses)
while kill -0 "$nginx" 2> /dev/null; do
    sleep 2 &
    wait "$!" || true
    now=$(addresses)
    case $now in
    "$known" | *unknown*) ;;
    *)
        echo "the machines have other addresses: nginx looks them up again" >&2
        kill -HUP "$nginx"
        known=$now
        ;;
    esac
done
code=0
wait "$nginx" || code=$?
exit "$code"
