# Read by deploy.sh: every setting, its default and its form. An empty variable counts as unset. All of it is checked
# before anything is printed or applied, because what only Kubernetes, Redis or nginx would refuse stops what runs.

# What a form says is said in bytes, wherever this runs.
export LC_ALL=C

fail() { echo "$*" >&2; exit 1; }

# of NAME DEFAULT FORM EXPECTED: sets NAME to its default where it is unset or empty, and refuses another form.
of() {
    local -n setting=$1
    setting=${setting:-$2}
    [[ $setting =~ ^($3)$ ]] || fail "$1=$(shown "$setting"): expected $4"
}

# may NAME FORM EXPECTED: the same for a setting that may stay unset.
may() {
    local -n setting=$1
    [[ -z ${setting:=} || $setting =~ ^($2)$ ]] || fail "$1=$(shown "$setting"): expected $3"
}

# secret NAME FORM EXPECTED: the same for a secret, whose value is not shown.
secret() {
    local -n setting=$1
    [[ -z ${setting:=} || $setting =~ ^($2)$ ]] || fail "$1: expected $3 (its value is not shown)"
}

# number NAME DEFAULT LEAST MOST: a whole number. Without a default it may stay unset.
number() {
    local -n setting=$1
    setting=${setting:-$2}
    [ -n "$setting" ] || return 0
    [[ $setting =~ ^(0|[1-9][0-9]{0,8})$ ]] && [ "$setting" -ge "$3" ] && [ "$setting" -le "$4" ] ||
        fail "$1=$(shown "$setting"): expected a whole number from $3 to $4"
}

# A value in a message: in one line, whatever is in it.
shown() { printf '%.60q' "$1"; }

# A value between double quotes of YAML.
quoted() {
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

# The bytes of a size as Redis or Kubernetes writes it, for comparison.
bytes() {
    local size=${1,,} factor=1
    case ${size##*[0-9]} in
    k) factor=1000 ;;
    m) factor=$((1000 ** 2)) ;;
    g) factor=$((1000 ** 3)) ;;
    t) factor=$((1000 ** 4)) ;;
    k?) factor=1024 ;;
    m?) factor=$((1024 ** 2)) ;;
    g?) factor=$((1024 ** 3)) ;;
    t?) factor=$((1024 ** 4)) ;;
    esac
    echo $((${size%%[a-z]*} * factor))
}

# The thousandths of a processor.
thousandths() {
    local whole=${1%%.*} part=000
    if [[ $1 == *m ]]; then echo "${1%m}"; return; fi
    if [[ $1 == *.* ]]; then part=${1#*.}000; fi
    echo $((10#$whole * 1000 + 10#${part:0:3}))
}

label='[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
name="$label(\\.$label)*"
image='[a-z0-9][A-Za-z0-9._:/@-]*'
processors='[1-9][0-9]{0,5}m|[1-9][0-9]{0,2}(\.[0-9]{1,3})?|0\.[0-9]{0,2}[1-9]'
memory='[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)?'
byte='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
address="$byte(\.$byte){3}"
network="$address(/(3[0-2]|[12]?[0-9]))?|([0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"
# Neither what Kubernetes would take for another variable, `$(…)`, nor what is no ASCII.
line='[]-~ !"#%-[\\]+'

# ---- How the cluster is laid out.
number SHARDS 2 1 4095
number MACHINES '' 1 4095
number MINT_SHARDS '' 1 4095
for of_service in ORDER STOCK PAYMENT; do
    for size in SHARDS MACHINES MINT_SHARDS; do number "${of_service}_$size" '' 1 4095; done
done
may IMAGES "[a-z0-9][A-Za-z0-9._:/-]*/" "registry and path, with a slash at the end"
of TAG latest '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}' "the tag of an image"
of NAMESPACE shardcart "$label" "the name of a namespace"
of FRONT load-balancer 'load-balancer|node-port|cluster-ip|gateway-api' "load-balancer, node-port, cluster-ip or gateway-api"
of GATEWAY_CLASS gke-l7-global-external-managed "$name" "the name of a GatewayClass"
may TLS_SECRET "$name" "the name of a secret of type kubernetes.io/tls"
[ -z "$TLS_SECRET" ] || [ "$FRONT" = gateway-api ] || fail "TLS_SECRET: only FRONT=gateway-api terminates TLS"
of TRAFFIC_POLICY Cluster 'Cluster|Local' "Cluster or Local"
may DNS_ADDRESSES "$address(,$address)*" "IPv4 addresses, comma-separated"
of MONITORING none 'none|gke|operator' "gke, operator or none"
of MONITORING_NAMESPACE monitoring "$label" "the name of a namespace"
may RUNBOOKS_URL 'https?://[A-Za-z0-9._~:/@%+=-]+/' "an http(s) URL with a slash at the end"
of TIMEOUT 600s '[1-9][0-9]{0,5}[smh]' "a time such as 600s"
may DELETE_DATA 'yes|no' "yes or no"
secret CONSOLE_TOKEN '[A-Za-z0-9]{16,}' "16 letters and digits or more"

# ---- The gateway.
number GATEWAY_DRAIN_S 10 0 19
# Longer than the 600 s for which Google's load balancers keep an idle connection: if the gateway closed it first, a
# request that is on its way would be answered 502.
number GATEWAY_KEEP_ALIVE_S 620 1 86400
may TRUSTED_PROXIES "($network)(,($network))*" "addresses or networks (CIDR), comma-separated"

# ---- Redis, and what pods may use.
of REDIS_IMAGE redis:8.6.7-trixie "$image" "the name of an image"
of NGINX_IMAGE nginx:1.31.6-trixie "$image" "the name of an image"
of FSYNC always 'always|everysec|no' "always, everysec or no"
of REDIS_MAXMEMORY 1gb '[1-9][0-9]{0,11}|[1-9][0-9]{0,8}([kK]|[mM]|[gG])[bB]?' "a size as Redis writes it, such as 1gb or 384mb"
of REDIS_STORAGE 10Gi "$memory" "a size as Kubernetes writes it, such as 10Gi"
of REDIS_MEMORY 2Gi "$memory" "a size as Kubernetes writes it, such as 2Gi"
of MACHINE_MEMORY 512Mi "$memory" "a size as Kubernetes writes it, such as 512Mi"
of GATEWAY_MEMORY 512Mi "$memory" "a size as Kubernetes writes it, such as 512Mi"
# Redis needs room beyond its data while it writes its file anew.
[ "$(bytes "$REDIS_MAXMEMORY")" -lt "$(bytes "$REDIS_MEMORY")" ] ||
    fail "REDIS_MAXMEMORY=$REDIS_MAXMEMORY: expected less than REDIS_MEMORY=$REDIS_MEMORY"
for of_role in REDIS MACHINE GATEWAY; do
    of "${of_role}_CPU" 500m "$processors" "processors, such as 500m or 1.5"
    of "${of_role}_CPU_LIMIT" 1 "$processors" "processors, such as 500m or 1.5"
    wanted=${of_role}_CPU most=${of_role}_CPU_LIMIT
    [ "$(thousandths "${!wanted}")" -le "$(thousandths "${!most}")" ] ||
        fail "$wanted=${!wanted}: expected no more than $most=${!most}"
done
number MACHINE_PODS_MIN 1 1 1000
number MACHINE_PODS_MAX 4 1 1000
number GATEWAY_PODS_MIN 2 1 1000
number GATEWAY_PODS_MAX 6 1 1000
[ "$MACHINE_PODS_MIN" -le "$MACHINE_PODS_MAX" ] || fail "MACHINE_PODS_MIN=$MACHINE_PODS_MIN is more than MACHINE_PODS_MAX=$MACHINE_PODS_MAX"
[ "$GATEWAY_PODS_MIN" -le "$GATEWAY_PODS_MAX" ] || fail "GATEWAY_PODS_MIN=$GATEWAY_PODS_MIN is more than GATEWAY_PODS_MAX=$GATEWAY_PODS_MAX"

# ---- The programs' own settings: `order --help` says what each means, and which one has no default here has it there.
milliseconds() { number "$1" "${2:-}" "${3:-0}" "${4:-86400000}"; }

of CURRENCY EUR '[A-Z]{3}' "three capital letters"
of ALLOW_BATCH_INIT false 'true|false' "true or false"
may METRICS 'true|false' "true or false"
of RUST_LOG info,actix_server=warn "$line" "printable ASCII without \$"
may LOG_FORMAT 'text|json' "text or json"
# A name within this namespace leads nowhere: nobody reaches what else runs here.
may OTEL_EXPORTER_OTLP_ENDPOINT "http://($address|$label(\.$label)*\.[a-z]([a-z0-9-]{0,61}[a-z0-9])?)(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~/-]*)?" "http://service.namespace:port, http://address:port or http://host.domain:port"
may OTEL_TRACES_SAMPLER_ARG '0(\.[0-9]{1,9})?|1(\.0{1,9})?' "a number from 0 to 1"
secret OTEL_EXPORTER_OTLP_HEADERS "$line" "printable ASCII without \$"
# Longer than the gateway keeps idle connections, and not all of the time that a machine has to end.
milliseconds DRAIN_MS 5000 2001 12000
milliseconds START_TIMEOUT_MS 60000
milliseconds REDIS_TIMEOUT_MS 1000
for setting_ms in CLIENT_TIMEOUT_MS METRICS_INTERVAL_MS REDIS_CONNECT_TIMEOUT_MS REDIS_WAIT_TIMEOUT_MS BATCH_INIT_WAIT_MS \
    CHECKOUT_LEASE_MS CHECKOUT_DEADLINE_MS CHECKOUT_WAIT_MS CHECKOUT_QUEUE_MS BUSY_WAIT_MS SETTLE_LINGER_MS SLOW_MS \
    RECOVERY_INTERVAL_MS PARTICIPANT_TIMEOUT_MS ORDER_TIMEOUT_MS REVIEW_AFTER_MS; do
    milliseconds "$setting_ms"
done
number WORKERS '' 1 256
number KEEP_ALIVE_S '' 3 86400
number CONNECTIONS_MAX '' 1 999999999
number REQUESTS_MAX '' 1 999999999
may CORS_ORIGINS '\*|https?://[a-z0-9._:-]+(,https?://[a-z0-9._:-]+)*' "origins such as https://shop.example, comma-separated, or *"
number BODY_MAX '' 0 999999999
number REDIS_DB '' 0 1023
number REDIS_CONNECTIONS '' 1 64
number REDIS_WAIT_REPLICAS '' 0 16
number REDIS_WAIT_CONNECTIONS '' 1 16
number IDEMPOTENCY_RECORDS_MAX '' 1 100000000
number CHECKOUTS_MAX '' 1 65535

of_all="WORKERS CLIENT_TIMEOUT_MS KEEP_ALIVE_S CONNECTIONS_MAX REQUESTS_MAX BODY_MAX CORS_ORIGINS REDIS_DB REDIS_TIMEOUT_MS
    REDIS_CONNECT_TIMEOUT_MS REDIS_CONNECTIONS REDIS_WAIT_REPLICAS REDIS_WAIT_TIMEOUT_MS REDIS_WAIT_CONNECTIONS
    START_TIMEOUT_MS IDEMPOTENCY_RECORDS_MAX CURRENCY ALLOW_BATCH_INIT BATCH_INIT_WAIT_MS DRAIN_MS LOG_FORMAT METRICS
    METRICS_INTERVAL_MS OTEL_EXPORTER_OTLP_ENDPOINT OTEL_TRACES_SAMPLER_ARG RUST_LOG"
of_order="CHECKOUT_LEASE_MS CHECKOUT_DEADLINE_MS CHECKOUT_WAIT_MS CHECKOUTS_MAX CHECKOUT_QUEUE_MS BUSY_WAIT_MS
    SETTLE_LINGER_MS SLOW_MS RECOVERY_INTERVAL_MS PARTICIPANT_TIMEOUT_MS"
of_participants="ORDER_TIMEOUT_MS REVIEW_AFTER_MS"

# The settings of a machine of SERVICE that are set, as its environment.
environment() {
    local variable variables=$of_all
    if [ "$SERVICE" = order ]; then variables+=" $of_order"; else variables+=" $of_participants"; fi
    for variable in $variables; do
        [ -z "${!variable}" ] || echo "            - {name: $variable, value: $(quoted "${!variable}")}"
    done
}

# Where spans are sent, as a rule of a network policy lets them go there: by address, by the namespace of a Service, or to
# any address where the host is outside of the cluster.
collector() {
    [ -n "$OTEL_EXPORTER_OTLP_ENDPOINT" ] || return 0
    local rest=${OTEL_EXPORTER_OTLP_ENDPOINT#http://} host port=80
    rest=${rest%%/*} host=${rest%%:*}
    if [[ $rest == *:* ]]; then port=${rest##*:}; fi
    [ "$port" -le 65535 ] || fail "OTEL_EXPORTER_OTLP_ENDPOINT: there is no port $port"
    local part
    IFS=. read -ra part <<< "$host"
    if [[ $host =~ ^[0-9.]+$ ]]; then
        echo "    - to: [{ipBlock: {cidr: $host/32}}]"
    elif [ "${#part[@]}" -eq 2 ] || [ "${part[2]:-}" = svc ]; then
        echo "    - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: \"${part[1]}\"}}}]"
    else
        echo "    - to: [{ipBlock: {cidr: 0.0.0.0/0}}]"
    fi
    echo "      ports: [{protocol: TCP, port: $port}]"
}
