//! In which order `deploy.sh apply` changes shards that run, told by a `kubectl` that only notes what it is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use shardcart_harness::systems::kube::root;
use tempfile::TempDir;

/// Knows two shards of a service, of which the first of stock is not ready. It notes each StatefulSet that it is given.
const KUBECTL: &str = r#"#!/bin/sh
case " $* " in
*" --filename - "*) sed -n '/^kind: StatefulSet/,/^spec:/s/^  name: /apply /p' >> "$CALLS" ;;
*" rollout status "*) echo "$*" | sed 's/.* status /wait /; s/ --timeout.*//' >> "$CALLS" ;;
*" delete pod "*) echo "$*" | sed 's/.* delete pod /delete /; s/ --.*//' >> "$CALLS" ;;
*" can-i "*) echo yes ;;
*" --output name "*) ;;
*" get statefulset --selector "*metadata.name*) printf '%s\n' $KNOWN ;;
*" get statefulset stock-redis-0 "*) echo 0 ;;
*" get statefulset "*) echo 1 ;;
*" get gatewayclass "* | *" get secret shardcart "*) ;;
*" get secret "*) exit 1 ;;
esac
case "$*" in *" rollout status statefulset/$STUCK "*) exit 1 ;; esac
exit 0
"#;

const KNOWN: &str = "order-redis-0 order-redis-1 stock-redis-0 stock-redis-1 payment-redis-0 payment-redis-1";

/// What becomes of the shards when two of each service are there and three are wanted; whether apply ended well.
fn applied(settings: &[(&str, &str)]) -> (bool, Vec<String>, String) {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let program = dir.path().join("kubectl");
    fs::write(&program, KUBECTL).expect("a file can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("one's own file");
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut deploy = Command::new(root().join("gke-scale/deploy.sh"));
    deploy.arg("apply").env_clear().env("PATH", path).env("CALLS", dir.path().join("calls")).env("KNOWN", KNOWN);
    deploy.env("SHARDS", "3").env("FRONT", "cluster-ip").envs(settings.iter().copied()).stdin(Stdio::null());
    let output = deploy.output().expect("bash is there");
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap_or_default();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), calls.lines().map(str::to_owned).collect(), told)
}

#[test]
fn shards_that_run_change_one_after_the_other_and_new_ones_come_after_them() {
    let (success, calls, told) = applied(&[("STUCK", "none")]);
    assert!(success, "{told}");
    let mut wanted = Vec::new();
    for shard in KNOWN.split(' ') {
        wanted.push(format!("apply {shard}"));
        if shard == "stock-redis-0" {
            wanted.push(format!("delete {shard}-0"));
        }
        wanted.push(format!("wait statefulset/{shard}"));
    }
    wanted.extend(["order", "stock", "payment"].map(|service| format!("apply {service}-redis-2")));
    assert_eq!(calls, wanted, "{told}");
}

#[test]
fn a_shard_that_does_not_come_back_ends_the_apply_before_another_changes() {
    let (success, calls, told) = applied(&[("STUCK", "order-redis-1")]);
    assert!(!success && told.contains("order-redis-1 is not ready"), "{told}");
    let wanted = ["apply order-redis-0", "wait statefulset/order-redis-0", "apply order-redis-1"];
    assert_eq!(calls[..3], wanted);
    assert_eq!(calls[3..], ["wait statefulset/order-redis-1"]);
}

#[test]
fn a_certificate_that_is_not_there_is_refused_before_anything_changes() {
    let (success, calls, told) = applied(&[("FRONT", "gateway-api"), ("TLS_SECRET", "certificate")]);
    assert!(!success && told.contains("no secret certificate") && calls.is_empty(), "{told}: {calls:?}");
}
