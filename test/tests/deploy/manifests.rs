//! The rules that everything rendered for a cluster keeps to, for several sizes. That the objects are valid as such is
//! checked against the schemas of Kubernetes by `make manifests`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shardcart_harness::systems::kube::{Manifest, Manifests, render};

const GKE: &str = "gke-scale/deploy.sh";
const MINIKUBE: &str = "minikube/deploy.sh";
const SERVICES: [(&str, u64, u64); 3] = [("order", 8001, 9001), ("stock", 8002, 9002), ("payment", 8003, 9003)];

/// How long a machine takes to end after its drain: what is in flight (10 s), and what is to be settled (5 s).
const FINISH_S: u64 = 15;

/// What is rendered, for sizes that differ in every way.
fn all() -> Vec<(String, Manifests)> {
    let sizes: [(&str, &[(&str, &str)]); 6] = [
        (GKE, &[("SHARDS", "1")]),
        (GKE, &[]),
        (GKE, &[("SHARDS", "5"), ("MACHINES", "5"), ("FRONT", "gateway-api")]),
        (
            GKE,
            &[
                ("SHARDS", "3"),
                ("MACHINES", "2"),
                ("STOCK_SHARDS", "8"),
                ("MINT_SHARDS", "2"),
                ("IMAGES", "eu.example/x/"),
            ],
        ),
        (GKE, &[("SHARDS", "2"), ("MACHINES", "4"), ("FRONT", "node-port"), ("NAMESPACE", "other")]),
        (MINIKUBE, &[]),
    ];
    sizes.map(|(script, settings)| (format!("{script} {settings:?}"), render(script, settings))).to_vec()
}

fn workloads(manifests: &Manifests) -> impl Iterator<Item = &Manifest> {
    manifests.0.iter().filter(|manifest| manifest.is_workload())
}

fn text<'a>(manifest: &'a Manifest, pointer: &str) -> &'a str {
    manifest.at(pointer).as_str().unwrap_or_else(|| panic!("{:?}: no {pointer}", manifest.key()))
}

fn pod<'a>(manifest: &'a Manifest, field: &str) -> &'a Value {
    &manifest.at("/spec/template/spec")[field]
}

#[test]
fn each_service_has_as_many_shards_and_machines_as_wanted_and_each_machine_knows_all_shards() {
    let settings = [("SHARDS", "3"), ("MACHINES", "2"), ("STOCK_SHARDS", "8"), ("PAYMENT_MACHINES", "4")];
    let manifests = render(GKE, &settings);
    for ((service, ..), (shards, machines)) in SERVICES.into_iter().zip([(3, 2), (8, 2), (3, 4)]) {
        let addresses: Vec<String> = (0..shards).map(|shard| format!("{service}-redis-{shard}:6379")).collect();
        for shard in 0..shards {
            manifests.get("StatefulSet", &format!("{service}-redis-{shard}"));
            assert!(manifests.get("Service", &format!("{service}-redis-{shard}")).is_headless());
        }
        for machine in 1..=machines {
            let name = format!("{service}-{machine}");
            let deployment = manifests.get("Deployment", &name);
            assert_eq!(deployment.variable("REDIS_ADDRS"), Some(addresses.join(",").as_str()));
            assert_eq!(deployment.variable("MACHINE_ID"), Some(format!("{machine}/{machines}").as_str()));
            assert_eq!(deployment.variable("ALLOW_BATCH_INIT"), Some("false"));
            manifests.get("Service", &name);
            manifests.get("HorizontalPodAutoscaler", &name);
        }
        let of_service = |manifest: &&Manifest| manifest.at("/metadata/labels")["shardcart/service"] == service;
        assert_eq!(workloads(&manifests).filter(of_service).count(), shards + machines);
    }
    let order = manifests.get("Deployment", "order-1");
    assert_eq!(order.variable("STOCK_SERVICE_URL"), Some("http://stock-1:9002,http://stock-2:9002"));
    assert_eq!(order.variable("PAYMENT_SERVICE_URL").map(|urls| urls.split(',').count()), Some(4));
}

#[test]
fn no_name_stands_twice_and_everything_is_in_its_namespace() {
    for (size, manifests) in all() {
        let mut keys = BTreeSet::new();
        let namespace = manifests.of_kind("Namespace").next().expect("a namespace").name();
        for manifest in &manifests.0 {
            assert!(keys.insert(manifest.key()), "{size}: {:?} twice", manifest.key());
            assert!(manifest.kind() == "Namespace" || text(manifest, "/metadata/namespace") == namespace);
        }
    }
}

#[test]
fn every_pod_passes_the_restricted_pod_security_standard() {
    for (size, manifests) in all() {
        let namespace = manifests.of_kind("Namespace").next().expect("a namespace");
        assert_eq!(namespace.at("/metadata/labels")["pod-security.kubernetes.io/enforce"], "restricted");
        for workload in workloads(&manifests) {
            let (name, container) = (format!("{size} {}", workload.name()), workload.container());
            let security = pod(workload, "securityContext");
            assert_eq!(security["runAsNonRoot"], true, "{name}");
            assert!(security["runAsUser"].as_u64().is_some_and(|user| user > 0), "{name}");
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{name}");
            assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(container["securityContext"]["capabilities"], json!({"drop": ["ALL"]}), "{name}");
            for forbidden in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
                assert!(pod(workload, forbidden).is_null(), "{name}: {forbidden}");
            }
            assert_eq!(pod(workload, "automountServiceAccountToken"), false, "{name}");
            assert_eq!(pod(workload, "enableServiceLinks"), false, "{name}: Services must not look like settings");
            let volumes = pod(workload, "volumes").as_array().cloned().unwrap_or_default();
            let allowed = |volume: &Value| !volume["configMap"].is_null() || !volume["emptyDir"].is_null();
            assert!(volumes.iter().all(allowed), "{name}: {volumes:?}");
        }
    }
}

#[test]
fn every_container_is_probed_bounded_and_of_an_official_image_or_our_own() {
    for (size, manifests) in all() {
        for workload in workloads(&manifests) {
            let (name, container) = (format!("{size} {}", workload.name()), workload.container());
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                let probe = &container[probe];
                assert!(!probe["httpGet"].is_null() || !probe["exec"].is_null(), "{name}");
                assert!(probe["timeoutSeconds"].as_u64().is_some_and(|seconds| seconds >= 2), "{name}");
            }
            for bound in ["requests", "limits"] {
                for resource in ["cpu", "memory"] {
                    assert!(!container["resources"][bound][resource].is_null(), "{name}: {bound} of {resource}");
                }
            }
            let resources = &container["resources"];
            assert_eq!(resources["requests"]["memory"], resources["limits"]["memory"], "{name}");
            let image = container["image"].as_str().expect("an image");
            let official = image.starts_with("redis:") || image.starts_with("nginx:");
            assert!(official || image.contains("shardcart-"), "{name}: {image}");
            assert!(!image.contains("bitnami") && image.split('/').next_back().is_some_and(|tag| tag.contains(':')));
            let affinity = pod(workload, "affinity");
            assert!(!affinity["podAntiAffinity"].is_null(), "{name}: spread over nodes");
        }
    }
}

#[test]
fn every_pod_has_more_time_to_end_than_it_takes() {
    for (size, manifests) in all() {
        for workload in workloads(&manifests) {
            let grace = pod(workload, "terminationGracePeriodSeconds").as_u64().expect("a time to end");
            if let Some(drain_ms) = workload.variable("DRAIN_MS") {
                let drain_ms: u64 = drain_ms.parse().expect("milliseconds");
                assert!(grace * 1000 > drain_ms + FINISH_S * 1000, "{size} {}", workload.name());
                // An idle connection of the gateway's is closed before its machine ends.
                let gateway = text(manifests.get("ConfigMap", "gateway"), "/data/upstreams.conf");
                let kept = gateway.lines().find_map(|line| line.trim().strip_prefix("keepalive_timeout "));
                let kept_s: u64 = kept.and_then(|kept| kept.strip_suffix("s;")?.parse().ok()).expect("seconds");
                assert!(kept_s * 1000 < drain_ms, "{size}: connections are kept for {kept_s} s");
            }
            let strategy = workload.at("/spec/strategy/rollingUpdate");
            assert!(workload.kind() == "StatefulSet" || *strategy == json!({"maxSurge": 1, "maxUnavailable": 0}));
        }
    }
}

#[test]
fn every_pod_is_covered_by_one_budget_and_its_autoscaler() {
    for (size, manifests) in all() {
        let shards = manifests.get("PodDisruptionBudget", "redis").at("/spec").clone();
        let all_of_them = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"shardcart/role": "redis"}}});
        assert_eq!(shards, all_of_them, "{size}: one shard at a time, of all services together");
        for workload in workloads(&manifests) {
            let labels = workload.pod_labels();
            let covers = |budget: &&Manifest| {
                let wanted = budget.at("/spec/selector/matchLabels").as_object().expect("labels").clone();
                wanted.iter().all(|(label, value)| labels.get(label).is_some_and(|label| value == label))
            };
            let budgets = manifests.of_kind("PodDisruptionBudget").filter(covers).count();
            assert_eq!(budgets, 1, "{size} {}: a pod with two budgets cannot be moved", workload.name());
            if workload.kind() == "Deployment" {
                assert!(workload.at("/spec/replicas").is_null(), "the autoscaler says how many");
                assert!(manifests.replicas(workload) >= 1);
            } else {
                assert_eq!(manifests.replicas(workload), 1);
                assert_eq!(workload.at("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted"), "Retain");
            }
        }
    }
}

#[test]
fn secrets_are_neither_rendered_nor_shown_in_a_list_of_processes() {
    for (size, manifests) in all() {
        assert_eq!(manifests.of_kind("Secret").count(), 0, "{size}");
        for workload in workloads(&manifests) {
            let container = workload.container();
            for variable in container["env"].as_array().into_iter().flatten() {
                let name = variable["name"].as_str().expect("a name");
                let secret = ["PASSWORD", "TOKEN", "AUTH", "HEADERS"].iter().any(|word| name.contains(word));
                assert_eq!(secret, !variable["valueFrom"]["secretKeyRef"].is_null(), "{size}: {name}");
            }
            let command = container["command"].to_string();
            assert!(!command.contains("--requirepass"), "{size}: {command}");
        }
    }
}

#[test]
fn redis_keeps_everything_it_acknowledged_and_evicts_nothing() {
    for (size, manifests) in all() {
        for redis in manifests.of_kind("StatefulSet") {
            let command = redis.container()["command"][2].as_str().expect("a script");
            for line in ["appendonly yes", "appendfsync always", "maxmemory-policy noeviction", "dir /data"] {
                assert!(command.contains(line), "{size} {}: {line}", redis.name());
            }
            assert_eq!(redis.container()["volumeMounts"], json!([{"name": "data", "mountPath": "/data"}]));
        }
    }
}

/// Whether NetworkPolicies let a pod with labels `from` reach a port of a pod with labels `to`: in at that end, and out
/// at this one.
fn may_reach(
    manifests: &Manifests,
    from: &BTreeMap<String, String>,
    to: &BTreeMap<String, String>,
    port: u64,
) -> (bool, bool) {
    let side = |policy_type: &str,
                rules: &str,
                peers: &str,
                own: &BTreeMap<String, String>,
                other: &BTreeMap<String, String>| {
        let policies: Vec<&Manifest> = manifests
            .of_kind("NetworkPolicy")
            .filter(|policy| selected(policy.at("/spec/podSelector"), own))
            .filter(|policy| {
                policy.at("/spec/policyTypes").as_array().is_some_and(|types| types.contains(&json!(policy_type)))
            })
            .collect();
        if policies.is_empty() {
            return true; // What no policy selects is free: here only a pod that is not ours.
        }
        policies.iter().any(|policy| {
            policy.at(&format!("/spec/{rules}")).as_array().is_some_and(|rules| {
                rules.iter().any(|rule| {
                    let ports =
                        rule["ports"].as_array().is_none_or(|ports| ports.iter().any(|known| known["port"] == port));
                    let peers = rule[peers].as_array();
                    ports
                        && peers.is_none_or(|peers| {
                            peers.iter().any(|peer| is_ours(peer) && selected(&peer["podSelector"], other))
                        })
                })
            })
        })
    };
    (side("Ingress", "ingress", "from", to, from), side("Egress", "egress", "to", from, to))
}

/// Whether a peer of a rule is among the pods of the namespace, not in another one or outside of the cluster.
fn is_ours(peer: &Value) -> bool {
    peer["namespaceSelector"].is_null() && peer["ipBlock"].is_null()
}

fn selected(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let has = |label: &str, value: &Value| labels.get(label).is_some_and(|own| value == own);
    let exact =
        selector["matchLabels"].as_object().is_none_or(|all| all.iter().all(|(label, value)| has(label, value)));
    let one_of = selector["matchExpressions"].as_array().is_none_or(|all| {
        all.iter().all(|expression| {
            assert_eq!(expression["operator"], "In");
            let label = expression["key"].as_str().expect("a label");
            expression["values"].as_array().expect("values").iter().any(|value| has(label, value))
        })
    });
    exact && one_of
}

#[test]
fn each_pod_is_reached_by_those_that_need_it_and_by_nobody_else() {
    for (size, manifests) in all() {
        let pods: Vec<(String, BTreeMap<String, String>)> =
            workloads(&manifests).map(|workload| (workload.name().to_owned(), workload.pod_labels())).collect();
        let stranger = ("a stranger".to_owned(), BTreeMap::from([("app".to_owned(), "other".to_owned())]));
        for (from, from_labels) in &pods {
            let (_, out) = may_reach(&manifests, from_labels, &stranger.1, 443);
            assert!(!out, "{size}: {from} is let out to anybody");
        }
        for (from, from_labels) in pods.iter().chain([&stranger]) {
            for (to, to_labels) in &pods {
                for port in [6379, 8000, 8001, 8002, 8003, 9001, 9002, 9003] {
                    let field =
                        |labels: &BTreeMap<String, String>, name: &str| labels.get(name).cloned().unwrap_or_default();
                    let (from_role, to_role) =
                        (field(from_labels, "shardcart/role"), field(to_labels, "shardcart/role"));
                    let (asks, asked) =
                        (field(from_labels, "shardcart/service"), field(to_labels, "shardcart/service"));
                    let ports = SERVICES.into_iter().find(|(service, ..)| *service == asked);
                    let wanted = match (from_role.as_str(), to_role.as_str()) {
                        ("machine", "redis") => asks == asked && port == 6379,
                        ("gateway", "machine") => ports.is_some_and(|(_, public, _)| port == public),
                        ("machine", "machine") => {
                            (asks == "order") != (asked == "order")
                                && ports.is_some_and(|(.., internal)| port == internal)
                        }
                        _ => false,
                    };
                    if to_role == "gateway" && port == 8000 {
                        continue; // See below: everybody may.
                    }
                    let (in_there, out_here) = may_reach(&manifests, from_labels, to_labels, port);
                    assert_eq!(in_there, wanted, "{size}: {to}, port {port}, lets {from} in");
                    assert!(out_here || !wanted, "{size}: {from} is not let out to {to}, port {port}");
                }
            }
        }
    }
}

#[test]
fn the_gateway_serves_from_outside_and_routes_to_every_machine() {
    for (size, manifests) in all() {
        let policy = manifests.get("NetworkPolicy", "gateway");
        assert_eq!(*policy.at("/spec/ingress"), json!([{"ports": [{"protocol": "TCP", "port": 8000}]}]), "{size}");
        let upstreams = text(manifests.get("ConfigMap", "gateway"), "/data/upstreams.conf");
        for machine in manifests.of_kind("Deployment").filter(|deployment| deployment.name() != "gateway") {
            let port = machine.variable("PORT").expect("a port");
            assert!(upstreams.contains(&format!("server {}:{port} ", machine.name())), "{size} {}", machine.name());
        }
        let configuration = include_str!("../../../gateway/nginx.conf");
        assert_eq!(text(manifests.get("ConfigMap", "gateway"), "/data/nginx.conf"), configuration, "as compose has it");
        let front = manifests.get("Service", "gateway");
        let outside = !size.contains("gateway-api");
        assert_eq!(*front.at("/spec/type") != "ClusterIP", outside, "{size}");
        assert_eq!(manifests.of_kind("Gateway").count(), usize::from(!outside));
    }
}

#[test]
fn the_gateway_api_leads_to_the_gateway_and_asks_whether_it_lives() {
    let manifests = render(GKE, &[("FRONT", "gateway-api"), ("GATEWAY_CLASS", "another-class")]);
    let front = manifests.of_kind("Gateway").next().expect("a Gateway");
    assert_eq!(front.at("/spec/gatewayClassName"), "another-class");
    let route = manifests.of_kind("HTTPRoute").next().expect("a route");
    assert_eq!(*route.at("/spec/parentRefs"), json!([{"name": front.name()}]));
    let service = manifests.get("Service", "gateway");
    let port = service.at("/spec/ports/0/port");
    assert_eq!(*route.at("/spec/rules"), json!([{"backendRefs": [{"name": "gateway", "port": port}]}]));
    let health = manifests.of_kind("HealthCheckPolicy").next().expect("a health check");
    assert_eq!(*health.at("/spec/targetRef"), json!({"group": "", "kind": "Service", "name": "gateway"}));
    let container = manifests.get("Deployment", "gateway").container();
    let asked = health.at("/spec/default/config/httpHealthCheck");
    assert_eq!(asked["port"], container["ports"][0]["containerPort"]);
    assert_eq!(asked["requestPath"], container["readinessProbe"]["httpGet"]["path"]);
}

#[test]
fn another_configuration_of_the_gateway_is_another_pod() {
    let of = |shards| {
        let manifests = render(GKE, &[("SHARDS", shards)]);
        manifests.get("Deployment", "gateway").at("/spec/template/metadata/annotations").clone()
    };
    assert_ne!(of("2"), of("3"));
    assert_eq!(of("2"), of("2"));
}

#[test]
fn monitoring_scrapes_every_machine_and_has_the_rules_as_they_are_shipped() {
    let rules: Value = serde_yaml_ng::from_str(include_str!("../../../observability/alerts.yml")).expect("it is YAML");
    let kinds = [("gke", "PodMonitoring", "Rules"), ("operator", "ServiceMonitor", "PrometheusRule")];
    for (monitoring, scrapes, alerts) in kinds {
        let manifests = render(GKE, &[("MONITORING", monitoring), ("MONITORING_NAMESPACE", "watch")]);
        let scrapes = manifests.get(scrapes, "shardcart");
        assert_eq!(scrapes.at("/spec/endpoints/0/port"), "internal");
        let selected_labels = scrapes.at("/spec/selector/matchLabels");
        for (service, ..) in SERVICES {
            let machine = manifests.get("Deployment", &format!("{service}-1"));
            assert!(selected(&json!({"matchLabels": selected_labels}), &machine.pod_labels()), "{service}");
            let ports = pod(machine, "containers")[0]["ports"].as_array().cloned().unwrap_or_default();
            assert!(ports.iter().any(|port| port["name"] == "internal"), "{service}");
            let labels = manifests.get("Service", &format!("{service}-1")).at("/metadata/labels");
            assert_eq!(labels["shardcart/role"], "machine", "{service}");
        }
        assert_eq!(manifests.get(alerts, "shardcart").at("/spec/groups"), &rules["groups"]);
        let policy = manifests.get("NetworkPolicy", "monitoring");
        assert_eq!(policy.at("/spec/podSelector/matchLabels"), selected_labels);
        assert_eq!(policy.at("/spec/ingress/0/ports/0/port"), "internal");
        let namespaces = policy.at("/spec/ingress/0/from/0/namespaceSelector/matchExpressions/0/values").to_string();
        assert_eq!(namespaces.contains("watch"), monitoring == "operator", "{namespaces}");
    }
    assert_eq!(render(GKE, &[]).of_kind("PodMonitoring").count(), 0);
}

#[test]
fn the_way_to_a_collector_is_open_when_there_is_one() {
    let namespace = |name: &str| json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]);
    let to = |cidr: &str| json!([{"ipBlock": {"cidr": cidr}}]);
    for (endpoint, peers, port) in [
        ("http://collector.observability:4318", namespace("observability"), 4318),
        ("http://collector.observability.svc.cluster.local:4318/v1", namespace("observability"), 4318),
        ("http://10.1.2.3", to("10.1.2.3/32"), 80),
        ("http://collector.example.com:8080/", to("0.0.0.0/0"), 8080),
    ] {
        let manifests = render(GKE, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
        for (service, ..) in SERVICES {
            let egress = manifests.get("NetworkPolicy", service).at("/spec/egress").as_array().expect("rules");
            let wanted = json!({"to": peers, "ports": [{"protocol": "TCP", "port": port}]});
            assert_eq!(egress.len(), 3);
            assert_eq!(egress[2], wanted, "{endpoint}");
        }
    }
    let without = render(GKE, &[]);
    assert_eq!(without.get("NetworkPolicy", "order").at("/spec/egress").as_array().map(Vec::len), Some(2));
}

#[test]
fn names_are_asked_of_the_dns_of_the_cluster_alone() {
    for (size, manifests) in all() {
        let rules = manifests.get("NetworkPolicy", "names").at("/spec/egress").as_array().cloned().unwrap_or_default();
        assert_eq!(rules.len(), 1, "{size}");
        let peers = rules[0]["to"].as_array().expect("not to anybody");
        for peer in peers {
            let system = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == "kube-system"
                && peer["podSelector"]["matchExpressions"][0]["key"] == "k8s-app";
            let on_the_node = peer["ipBlock"]["cidr"]
                .as_str()
                .is_some_and(|cidr| cidr.starts_with("169.254.") && cidr.ends_with("/32"));
            assert!(system || on_the_node, "{size}: {peer}");
        }
    }
    let manifests = render(GKE, &[("DNS_ADDRESSES", "10.96.0.10,10.96.0.11")]);
    let peers = manifests.get("NetworkPolicy", "names").at("/spec/egress/0/to").as_array().expect("peers");
    let own = ["10.96.0.10/32", "10.96.0.11/32"].map(|cidr| json!({"ipBlock": {"cidr": cidr}}));
    assert_eq!(peers[peers.len() - 2..], own);
}

#[test]
fn with_a_certificate_only_https_is_listened_for() {
    let with = [("FRONT", "gateway-api"), ("TLS_SECRET", "certificate")];
    let listeners = |settings: &[(&str, &str)]| {
        let manifests = render(GKE, settings);
        manifests.get("Gateway", "shardcart").at("/spec/listeners").as_array().expect("listeners").clone()
    };
    let [secure] = &listeners(&with)[..] else { panic!("one listener") };
    assert_eq!((&secure["protocol"], &secure["port"]), (&json!("HTTPS"), &json!(443)));
    let certificate = json!({"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "certificate"}]});
    assert_eq!(secure["tls"], certificate);
    let [plain] = &listeners(&with[..1])[..] else { panic!("one listener") };
    assert_eq!((&plain["protocol"], &plain["port"], &plain["tls"]), (&json!("HTTP"), &json!(80), &Value::Null));
}

#[test]
fn the_gateway_keeps_connections_longer_than_a_load_balancer_and_believes_only_proxies_that_are_named() {
    let front = |settings: &[(&str, &str)]| {
        let manifests = render(GKE, settings);
        text(manifests.get("ConfigMap", "gateway"), "/data/front.conf").to_owned()
    };
    for (size, manifests) in all() {
        let front = text(manifests.get("ConfigMap", "gateway"), "/data/front.conf");
        let kept = front.lines().find_map(|line| line.strip_prefix("keepalive_timeout ")?.strip_suffix("s;"));
        assert!(kept.is_some_and(|kept| kept.parse::<u64>().is_ok_and(|kept| kept > 600)), "{size}: {front}");
        assert!(!front.contains("set_real_ip_from"), "{size}: {front}");
    }
    let named = front(&[("TRUSTED_PROXIES", "130.211.0.0/22,203.0.113.9"), ("GATEWAY_KEEP_ALIVE_S", "30")]);
    let lines: Vec<&str> = named.lines().collect();
    for line in ["keepalive_timeout 30s;", "set_real_ip_from 130.211.0.0/22;", "set_real_ip_from 203.0.113.9;"] {
        assert!(lines.contains(&line), "{named}");
    }
}

#[test]
fn alerts_link_to_the_runbook_where_it_can_be_read() {
    let manifests = render(GKE, &[("MONITORING", "operator"), ("RUNBOOKS_URL", "https://code.example/shop/")]);
    let groups = manifests.get("PrometheusRule", "shardcart").at("/spec/groups").as_array().expect("groups");
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().into_iter().flatten());
    for alert in rules.filter(|rule| !rule["alert"].is_null()) {
        let name = alert["alert"].as_str().expect("a name").to_lowercase();
        let link = format!("https://code.example/shop/observability/runbook.md#{name}");
        assert_eq!(alert["annotations"]["runbook_url"], link);
    }
}
