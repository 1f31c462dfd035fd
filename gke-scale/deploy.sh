#!/usr/bin/env bash
# Shardcart on a Kubernetes cluster: as many Redis shards and machines for each service as wanted.
#
#   SHARDS=5 MACHINES=5 ./deploy.sh render    prints everything but the secret; needs no cluster
#   SHARDS=5 MACHINES=5 ./deploy.sh apply     makes it so, and may be repeated; adds shards to a running system
#   ./deploy.sh status                        what runs, and at which address
#   ./deploy.sh delete                        removes all but the volumes and the secret; DELETE_DATA=yes those too
#
# Settings, from the environment. An empty one counts as unset. settings.sh has all of them, with defaults and forms.
#   SHARDS            Redis shards of each service (default 2)
#   MACHINES          machines of each service (default: as many as it has shards)
#   MINT_SHARDS       how many of the shards, from the first, get new ids (default: all; `apply` sees to it)
#                     Each of these three also for one service alone: STOCK_SHARDS=8
#   IMAGES            where the images are: registry and path, with the slash (default none: on the nodes)
#   TAG               their tag (default latest)
#   NAMESPACE         (default shardcart)
#   FRONT             load-balancer, node-port, cluster-ip or gateway-api (default load-balancer)
#   TLS_SECRET        with gateway-api: the secret with the certificate; plain HTTP is then not served (default none)
#   TRUSTED_PROXIES   addresses or networks of proxies in front, comma-separated: the client's address is then
#                     taken from X-Forwarded-For (default none)
#   TRAFFIC_POLICY    Cluster, or Local: with load-balancer, the gateway then sees the clients' own addresses (default
#                     Cluster)
#   GATEWAY_KEEP_ALIVE_S  how long the gateway keeps idle connections (default 620: longer than the 600 of Google's load
#                     balancers)
#   DNS_ADDRESSES     further addresses at which names may be asked, beside kube-system's DNS pods and GKE's addresses on
#                     each node: NodeLocal DNSCache with Calico answers at the address of the Service kube-dns (default none)
#   MONITORING        gke (managed collection), operator (Prometheus Operator) or none: has machines scraped, and alerts
#                     evaluated (default none). With operator, MONITORING_NAMESPACE is where Prometheus runs (default monitoring).
#                     What runs there reaches the internal ports: set CONSOLE_TOKEN, too, or it sees the console
#   RUNBOOKS_URL      where this repository can be read, with the slash: alerts then link to the runbook
#   CONSOLE_TOKEN     opens /console at the gateway: 16 letters and digits or more (default none: there is no console).
#                     Goes into the secret, which the first `apply` makes; so does OTEL_EXPORTER_OTLP_HEADERS
#   TIMEOUT           how long one thing may take to get ready (default 600s)
#   DRAIN_MS          how long a machine that ends serves on (default 5000): until no new connection comes to it
#   GATEWAY_DRAIN_S   the same for the gateway, in seconds (default 10)
# Every other setting of the programs (docs/use/settings.md) goes to their machines: LOG_FORMAT=json.
# OTEL_EXPORTER_OTLP_ENDPOINT also opens the way there: http://service.namespace:port is a Service of the cluster.
set -euo pipefail

[ "${BASH_VERSINFO[0]}${BASH_VERSINFO[1]}" -ge 44 ] || { echo "bash 4.4 or newer is needed" >&2; exit 1; }
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
templates=$here/templates
gateway=$here/../gateway
observability=$here/../observability

. "$here/settings.sh"

services="order stock payment"
# The label of volumes of shards that went because they were empty.
emptied=shardcart/emptied

say() { echo "== $*" >&2; }

case $FRONT in
load-balancer) FRONT_TYPE=LoadBalancer ;;
node-port) FRONT_TYPE=NodePort ;;
*) FRONT_TYPE=ClusterIP ;;
esac

# Sets SERVICE and everything about it: its size, ports and neighbours.
select_service() {
    SERVICE=$1
    local upper=${1^^} own
    own=${upper}_SHARDS SHARDS_OF=${!own:-$SHARDS}
    own=${upper}_MACHINES MACHINES_OF=${!own:-${MACHINES:-$SHARDS_OF}}
    own=${upper}_MINT_SHARDS MINT_OF=${!own:-${MINT_SHARDS:-$SHARDS_OF}}
    IMAGE=${IMAGES}shardcart-$SERVICE:$TAG
    case $SERVICE in
    order) PORT=8001 INTERNAL_PORT=9001 ASKED_BY="stock, payment" ;;
    stock) PORT=8002 INTERNAL_PORT=9002 ASKED_BY=order ;;
    payment) PORT=8003 INTERNAL_PORT=9003 ASKED_BY=order ;;
    esac
    [ "$MINT_OF" -le "$SHARDS_OF" ] || fail "$SERVICE: MINT_SHARDS=$MINT_OF is more than SHARDS=$SHARDS_OF"
}

# joined COUNT FIRST BEFORE AFTER: BEFORE<number>AFTER for each number, with commas between.
joined() {
    local number list=
    for ((number = $2; number < $1 + $2; number++)); do list+=,$3$number$4; done
    echo "${list#,}"
}

internal_urls() {
    local asking=$SERVICE
    select_service "$1"
    echo "            - {name: ${1^^}_SERVICE_URL, value: \"$(joined "$MACHINES_OF" 1 "http://$1-" ":$INTERNAL_PORT")\"}"
    select_service "$asking"
}

# Not there in a secret that was made before there was a console.
console_token() {
    echo "            - name: CONSOLE_TOKEN"
    echo "              valueFrom: {secretKeyRef: {name: shardcart, key: console-token, optional: true}}"
}

# fill TEMPLATE: the template with all ${…} in it filled in. What is filled in is not looked at again.
fill() {
    local rest filled= name
    rest=$(< "$templates/$1.yaml")
    while [[ $rest == *'${'* ]]; do
        filled+=${rest%%'${'*} rest=${rest#*'${'}
        name=${rest%%'}'*} rest=${rest#*'}'}
        [ -n "${!name+set}" ] || fail "templates/$1.yaml: \${$name} is not set"
        filled+=${!name}
    done
    printf -- '---\n%s\n' "$filled$rest"
}

render_base() {
    local SERVICE DNS= server
    for server in ${DNS_ADDRESSES//,/ }; do DNS+="        - ipBlock: {cidr: $server/32}"$'\n'; done
    fill account
    fill policy-all
    for SERVICE in $services; do
        select_service "$SERVICE"
        fill policy-service
    done
}

render_redis() {
    local SERVICE SHARD
    for SERVICE in $services; do
        select_service "$SERVICE"
        for ((SHARD = 0; SHARD < SHARDS_OF; SHARD++)); do fill redis; done
    done
}

render_machines() {
    local SERVICE REDIS_ADDRS PEERS ENVIRONMENT
    for SERVICE in $services; do
        select_service "$SERVICE"
        ENVIRONMENT=$(environment)
        if [ "$SERVICE" = order ]; then PEERS=$(internal_urls stock; internal_urls payment; console_token); else PEERS=$(internal_urls order); fi
        REDIS_ADDRS=$(joined "$SHARDS_OF" 0 "$SERVICE-redis-" :6379)
        render_stamps "$MACHINES_OF" "$SHARDS_OF" "$MINT_OF"
    done
}

# In a function of its own, because the templates' names for the sizes are those of the settings.
render_stamps() {
    local MACHINES=$1 SHARDS=$2 MINT_SHARDS=$3 MACHINE
    for ((MACHINE = 1; MACHINE <= MACHINES; MACHINE++)); do fill machine; done
}

upstreams() {
    echo "# The machines, as deploy.sh found them wanted. Connections are kept for less time than a machine drains."
    local SERVICE machine
    for SERVICE in $services; do
        select_service "$SERVICE"
        printf '\nupstream %s {\n    zone %s 1m;\n' "$SERVICE" "$SERVICE"
        for ((machine = 1; machine <= MACHINES_OF; machine++)); do
            printf '    server %s-%s:%s max_fails=1 fail_timeout=1s;\n' "$SERVICE" "$machine" "$PORT"
        done
        printf '    keepalive 256;\n    keepalive_timeout 2s;\n    keepalive_requests 100000;\n}\n'
    done
}

# What nginx.conf leaves open, because it depends on what is in front.
front() {
    local proxy
    echo "keepalive_timeout ${GATEWAY_KEEP_ALIVE_S}s;"
    echo "real_ip_header X-Forwarded-For;"
    echo "real_ip_recursive on;"
    for proxy in ${TRUSTED_PROXIES//,/ }; do echo "set_real_ip_from $proxy;"; done
}

# With a certificate, plain HTTP is not listened for.
listener() {
    if [ -z "$TLS_SECRET" ]; then
        echo "    - name: http"
        echo "      protocol: HTTP"
        echo "      port: 80"
    else
        echo "    - name: https"
        echo "      protocol: HTTPS"
        echo "      port: 443"
        echo "      tls: {mode: Terminate, certificateRefs: [{kind: Secret, name: \"$TLS_SECRET\"}]}"
    fi
}

render_gateway() {
    local NGINX_CONF UPSTREAMS_CONF FRONT_CONF CONFIGURATION LISTENER TRAFFIC=
    LISTENER=$(listener)
    case $FRONT in load-balancer | node-port) TRAFFIC="  externalTrafficPolicy: $TRAFFIC_POLICY" ;; esac
    FRONT_CONF=$(front | sed 's/^/    /')
    NGINX_CONF=$(sed 's/^\(.\)/    \1/' "$gateway/nginx.conf")
    UPSTREAMS_CONF=$(upstreams | sed 's/^\(.\)/    \1/')
    CONFIGURATION=$(printf '%s\n%s\n%s\n' "$NGINX_CONF" "$UPSTREAMS_CONF" "$FRONT_CONF" | cksum | tr ' ' -)
    fill gateway
    fill front-service
    if [ "$FRONT" = gateway-api ]; then fill front-gateway-api; fi
}

render_monitoring() {
    if [ "$MONITORING" = none ]; then return; fi
    local ALERTS
    ALERTS=$(sed -n '/^groups:/,$s/^\(.\)/  \1/p' "$observability/alerts.yml")
    ALERTS=${ALERTS//"runbook_url: "/"runbook_url: $RUNBOOKS_URL"}
    fill "monitoring-$MONITORING"
}

# All of it or nothing: who pipes it on must not apply half of it.
render() {
    local all
    all=$(
        fill namespace
        render_base
        render_redis
        render_machines
        render_gateway
        render_monitoring
    )
    printf '%s\n' "$all"
}

# ---- From here on with a cluster.

kube() { kubectl --namespace "$NAMESPACE" "$@"; }

check_cluster() {
    command -v kubectl > /dev/null || fail "kubectl is missing: https://kubernetes.io/docs/tasks/tools/"
    kubectl cluster-info > /dev/null 2>&1 ||
        fail "no cluster answers: choose one with 'kubectl config use-context', or make one (see docs/operate/kubernetes.md)"
    say "cluster: $(kubectl config current-context 2> /dev/null || echo unknown), namespace $NAMESPACE"
}

check_rights() {
    local right
    for right in "patch statefulsets.apps" "patch deployments.apps" "patch services" "patch networkpolicies.networking.k8s.io" \
        "create secrets" "create pods --subresource=exec" "delete statefulsets.apps" "delete pods" "delete poddisruptionbudgets.policy"; do
        # shellcheck disable=SC2086
        [ "$(kube auth can-i $right 2> /dev/null)" = yes ] || fail "this account may not $right in $NAMESPACE"
    done
    if [ "$FRONT" = gateway-api ]; then
        kubectl get gatewayclass "$GATEWAY_CLASS" > /dev/null 2>&1 ||
            fail "the cluster has no GatewayClass $GATEWAY_CLASS: switch the Gateway API on, or choose another FRONT"
    fi
}

apply_stdin() { kube apply --server-side --field-manager=shardcart --force-conflicts --filename - > /dev/null; }

make_secret() {
    if kube get secret shardcart > /dev/null 2>&1; then
        [ -z "$CONSOLE_TOKEN$OTEL_EXPORTER_OTLP_HEADERS" ] ||
            say "the secret stays as it is: CONSOLE_TOKEN and OTEL_EXPORTER_OTLP_HEADERS go into it when it is made"
        return
    fi
    say "making the secret"
    local REDIS_PASSWORD INTERNAL_TOKEN OTLP_HEADERS
    OTLP_HEADERS=$(quoted "$OTEL_EXPORTER_OTLP_HEADERS")
    REDIS_PASSWORD=$(random) INTERNAL_TOKEN=$(random)
    # `create`: of two at once, one fails, and nobody's secret is overwritten.
    fill secret | kube create --filename - > /dev/null
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# wait_for KIND ROLE [SERVICE]: until all of them have rolled out.
wait_for() {
    local name
    for name in $(kube get "$1" --selector "shardcart/role=$2${3:+,shardcart/service=$3}" --output name); do
        kube rollout status "$name" --timeout "$TIMEOUT" > /dev/null ||
            fail "$name is not ready after $TIMEOUT: see '$0 status' and 'kubectl -n $NAMESPACE describe $name'"
    done
}

# Shards that there are, one after the other: where a setting has changed, only one restarts at a time, and one that does
# not come back ends the apply. New ones after them, all at once.
apply_redis() {
    local SERVICE SHARD name known ready fresh
    known=" $(kube get statefulset --selector shardcart/role=redis --output 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' | tr '\n' ' ')"
    for SERVICE in $services; do
        select_service "$SERVICE"
        for ((SHARD = 0; SHARD < SHARDS_OF; SHARD++)); do
            name=$SERVICE-redis-$SHARD
            [[ $known == *" $name "* ]] || continue
            ready=$(kube get statefulset "$name" --output 'jsonpath={.status.readyReplicas}')
            fill redis | apply_stdin
            # Kubernetes does not replace a pod that never got ready, whatever is applied.
            [ "${ready:-0}" != 0 ] || kube delete pod "$name-0" --ignore-not-found > /dev/null
            kube rollout status "statefulset/$name" --timeout "$TIMEOUT" > /dev/null ||
                fail "$name is not ready after $TIMEOUT: see '$0 status' and 'kubectl -n $NAMESPACE describe pod $name-0'. The shards after it are as they were"
        done
    done
    fresh=$(
        for SERVICE in $services; do
            select_service "$SERVICE"
            for ((SHARD = 0; SHARD < SHARDS_OF; SHARD++)); do
                [[ $known == *" $SERVICE-redis-$SHARD "* ]] || fill redis
            done
        done
    )
    [ -z "$fresh" ] || apply_stdin <<< "$fresh"
    wait_for statefulset redis
}

# What the machines of SERVICE have now, over all its deployments: `<most shards> <least minting shards>`, or nothing.
deployed() {
    kube get deployments --selector "shardcart/role=machine,shardcart/service=$SERVICE" \
        --output 'jsonpath={range .items[*]}{.metadata.labels.shardcart/shards}{" "}{.metadata.labels.shardcart/mint-shards}{"\n"}{end}' |
        awk 'NF == 2 { if (!n++ || $1 > s) s = $1; if (n == 1 || $2 < m) m = $2 } END { if (n) print s, m }'
}

# The shards of SERVICE whose volumes the selector $1 selects.
volumes() {
    kube get persistentvolumeclaims --selector "app.kubernetes.io/part-of=shardcart,$1" --output name |
        sed -n "s|^persistentvolumeclaim/data-$SERVICE-redis-\([0-9]*\)-0\$|\1|p" | sort -n
}

# Whether shard $1 of SERVICE holds anything but its identity record.
is_empty() {
    local keys
    # In all of its databases, whichever REDIS_DB this apply names.
    keys=$(kube exec "$SERVICE-redis-$1-0" --container redis -- sh -ec 'exec redis-cli -e -h "$POD_IP" info keyspace' |
        awk -F '[=,]' '/^# Keyspace/ { told = 1 } /^db/ { keys += $2 } END { if (!told) exit 1; print keys + 0 }') ||
        fail "$SERVICE: shard $1 does not say what it holds"
    [ "$keys" -le 1 ]
}

# The hash tags of the first shards, as common/schema/src/tag.rs pins them.
declare -A FIRST_TAG=([order]=o0ahjy [stock]=s0ei [payment]=p0sul)

founding() {
    kube exec "$SERVICE-redis-0-0" --container redis -- sh -ec "exec redis-cli -e -n ${REDIS_DB:-0} -h \"\$POD_IP\" hget {${FIRST_TAG[$SERVICE]}}:identity founding"
}

check_shrink() {
    local shard first
    first=$(founding) || fail "$SERVICE: shard 0 does not say with how many shards the data set was made"
    [ "$SHARDS_OF" -ge "${first:-1}" ] ||
        fail "$SERVICE: the data set was made with $first shards, and cannot have fewer. Nothing was changed"
    for ((shard = SHARDS_OF; shard < $1; shard++)); do
        is_empty "$shard" || fail "$SERVICE: shard $shard holds data, so it cannot go. Nothing was taken away"
    done
}

# remove_beyond KIND ROLE LABEL LAST: removes what is left over of KIND of SERVICE when LAST is the highest number wanted.
remove_beyond() {
    local kind=$1 role=$2 label=$3 last=$4 listed number name left=()
    listed=$(kube get "$kind" --selector "shardcart/role=$role,shardcart/service=$SERVICE" \
        --output "jsonpath={range .items[*]}{.metadata.labels.shardcart/$label}{\" \"}{.metadata.name}{\"\n\"}{end}")
    while read -r number name; do
        [ -n "$name" ] && [ "$number" -gt "$last" ] || continue
        left+=("$name")
        [ "$kind" = statefulset ] || continue
        # No machine knows the shard any more, so what is empty now stays so. Its volume stays as well: the data set
        # remembers the shard, and would not take another for it.
        is_empty "$number" < /dev/null || fail "$SERVICE: shard $number holds data, so it cannot go"
        kube label persistentvolumeclaim "data-$name-0" --overwrite "$emptied=yes" < /dev/null > /dev/null
    done <<< "$listed"
    [ "${#left[@]}" -gt 0 ] || return 0
    say "removing $kind ${left[*]}"
    kube delete "$kind" "${left[@]}" --ignore-not-found > /dev/null
}

apply() {
    check_cluster
    local SERVICE shards mint volume kind phase=no
    fill namespace | kubectl apply --server-side --field-manager=shardcart --force-conflicts --filename - > /dev/null
    check_rights
    make_secret
    if [ -n "$TLS_SECRET" ]; then
        kube get secret "$TLS_SECRET" > /dev/null 2>&1 || fail "TLS_SECRET: there is no secret $TLS_SECRET in $NAMESPACE. Nothing was changed"
    fi

    # While shards are added or taken away, no machine makes ids on a shard that another does not know. An apply that
    # was interrupted leaves labels from which the next one begins again.
    local -A first_shards first_mint
    for SERVICE in $services; do
        select_service "$SERVICE"
        read -r shards mint <<< "$(deployed)"
        first_shards[$SERVICE]=$SHARDS_OF first_mint[$SERVICE]=$MINT_OF
        if [ -n "${shards:-}" ]; then
            if [ "$SHARDS_OF" -lt "$shards" ]; then
                check_shrink "$shards"
                first_shards[$SERVICE]=$shards
            fi
            if [ "$mint" -lt "$MINT_OF" ]; then first_mint[$SERVICE]=$mint; fi
            if [ "${first_shards[$SERVICE]} ${first_mint[$SERVICE]}" != "$SHARDS_OF $MINT_OF" ]; then phase=yes; fi
        else
            volume=$(volumes "$emptied!=yes" | tail -n 1)
            [ "$SHARDS_OF" -gt "${volume:--1}" ] ||
                fail "$SERVICE: there are volumes of $((volume + 1)) shards: apply as many, and then fewer, to see whether those to go are empty. Nothing was changed"
        fi
    done

    say "shards"
    render_base | apply_stdin
    # Of an earlier release. A pod that two budgets cover cannot be moved at all.
    kube delete poddisruptionbudget order-redis stock-redis payment-redis --ignore-not-found > /dev/null
    with_first apply_redis
    for SERVICE in $services; do
        select_service "$SERVICE"
        for volume in $(volumes "$emptied=yes"); do
            [ "$volume" -ge "$SHARDS_OF" ] || kube label persistentvolumeclaim "data-$SERVICE-redis-$volume-0" "$emptied-" > /dev/null
        done
    done
    if [ "$phase" = yes ]; then
        say "machines, with the longer of the two lists of shards and the shorter of the two to make ids on"
        with_first render_machines | apply_stdin
        wait_for deployment machine
        for SERVICE in $services; do
            select_service "$SERVICE"
            if [ "${first_shards[$SERVICE]}" -gt "$SHARDS_OF" ]; then check_shrink "${first_shards[$SERVICE]}"; fi
        done
    fi
    say "machines"
    render_machines | apply_stdin
    wait_for deployment machine
    say "gateway"
    render_gateway | apply_stdin
    wait_for deployment gateway
    if [ "$MONITORING" != none ]; then
        say "monitoring"
        render_monitoring | apply_stdin
    fi

    for SERVICE in $services; do
        select_service "$SERVICE"
        for kind in deployment horizontalpodautoscaler service; do remove_beyond "$kind" machine machine "$MACHINES_OF"; done
        for kind in statefulset service; do remove_beyond "$kind" redis shard "$((SHARDS_OF - 1))"; done
    done
    say "done"
    address 60
}

# Renders with the sizes of the first of two steps.
with_first() {
    ORDER_SHARDS=${first_shards[order]} ORDER_MINT_SHARDS=${first_mint[order]} \
    STOCK_SHARDS=${first_shards[stock]} STOCK_MINT_SHARDS=${first_mint[stock]} \
    PAYMENT_SHARDS=${first_shards[payment]} PAYMENT_MINT_SHARDS=${first_mint[payment]} \
        "$@"
}

# The address, waited for as often as $1 says, 5 s each.
address() {
    local host="" try
    case $FRONT in
    load-balancer | gateway-api)
        for ((try = 0; try < $1; try++)); do
            if [ "$FRONT" = gateway-api ]; then
                host=$(kube get gateway shardcart --output 'jsonpath={.status.addresses[0].value}' 2> /dev/null || true)
            else
                host=$(kube get service gateway --output 'jsonpath={.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}' 2> /dev/null || true)
            fi
            if [ -n "$host" ]; then echo "http${TLS_SECRET:+s}://$host"; return; fi
            [ "$1" -eq 1 ] || sleep 5
        done
        echo "the load balancer has no address yet: ask again with '$0 status'" >&2
        ;;
    node-port) echo "port $(kube get service gateway --output 'jsonpath={.spec.ports[0].nodePort}') of every node" ;;
    *) echo "inside the cluster: http://gateway.$NAMESPACE; from here: kubectl -n $NAMESPACE port-forward service/gateway 8000:80" ;;
    esac
}

status() {
    check_cluster
    kube get statefulsets,deployments,horizontalpodautoscalers,pods,persistentvolumeclaims \
        --selector app.kubernetes.io/part-of=shardcart
    address 1
}

delete() {
    check_cluster
    if [ "${DELETE_DATA:-}" = yes ]; then
        say "deleting the namespace $NAMESPACE, with all its data"
        kubectl delete namespace "$NAMESPACE" --ignore-not-found
        return
    fi
    say "deleting everything but the volumes and the secret (DELETE_DATA=yes deletes those too)"
    # First those that write, in good order: what is in flight is settled while Redis is there.
    kube delete deployments,horizontalpodautoscalers --selector app.kubernetes.io/part-of=shardcart --cascade=foreground --ignore-not-found
    local kinds=statefulsets,services,configmaps,poddisruptionbudgets,networkpolicies,serviceaccounts
    if [ "$FRONT" = gateway-api ]; then kinds+=,gateways.gateway.networking.k8s.io,httproutes.gateway.networking.k8s.io,healthcheckpolicies.networking.gke.io; fi
    case $MONITORING in
    gke) kinds+=,podmonitorings.monitoring.googleapis.com,rules.monitoring.googleapis.com ;;
    operator) kinds+=,servicemonitors.monitoring.coreos.com,prometheusrules.monitoring.coreos.com ;;
    esac
    kube delete "$kinds" --selector app.kubernetes.io/part-of=shardcart --ignore-not-found
}

# Everything is in order before anything is printed or changed.
for SERVICE in $services; do select_service "$SERVICE"; done
COLLECTOR=$(collector)

case ${1:-} in
render | apply | status | delete) "$1" ;;
*) sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
