#!/bin/sh
# Runs the gateway under compose. nginx looks the machines' names up when it starts and never again; a container that is
# made anew may come back with another address, and then this has nginx read its configuration again.
# SIGTERM and SIGQUIT end it when the requests in flight are answered.
set -eu
here=$(dirname "$0")

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
