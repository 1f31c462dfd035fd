//! A `kubectl` that speaks to the tests' cluster: `deploy.sh` runs as it is.
//!
//! The program is a few lines of shell, which lay each call down in a directory and wait for its answer there.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Kube, Manifests};
use crate::processes::child::Child;
use crate::systems::kube::manifest::root;
use crate::wait::PAUSE;

/// How long all of `deploy.sh` may take.
const DEPLOY: Duration = Duration::from_secs(300);

const PROGRAM: &str = r#"#!/bin/sh
set -eu
call=$(mktemp -d "$KUBECTL_CALLS/XXXXXXXX")
for word; do printf '%s\n\036' "$word"; done > "$call/words"
case " $* " in *" --filename - "*) cat > "$call/stdin" ;; esac
touch "$call/complete"
waited=0
while ! [ -e "$call/answered" ]; do
    # Nobody is there any more when the test has ended.
    waited=$((waited + 1))
    [ -d "$call" ] && [ "$waited" -lt 15000 ] || exit 1
    sleep 0.02
done
cat "$call/stdout"
exit "$(cat "$call/code")"
"#;

/// A `kubectl` before a cluster.
#[derive(Debug)]
pub struct Kubectl {
    dir: TempDir,
    server: JoinHandle<()>,
    calls: Arc<Mutex<Vec<String>>>,
}

/// How a run of `deploy.sh` ended.
#[derive(Debug)]
pub struct Deployed {
    /// Whether it ended well.
    pub success: bool,
    /// All that it printed.
    pub text: String,
}

struct Call {
    words: Vec<String>,
    stdin: String,
}

impl Kubectl {
    /// Starts to answer calls for a cluster.
    pub fn before(kube: &Kube) -> Kubectl {
        let dir = TempDir::new().expect("a temporary directory can be made");
        let program = dir.path().join("kubectl");
        fs::write(&program, PROGRAM).expect("a file can be written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("one's own file");
        let (spool, kube, calls) = (dir.path().join("calls"), kube.clone(), Arc::new(Mutex::default()));
        fs::create_dir(&spool).expect("a directory can be made");
        let server = tokio::spawn(serve(spool, kube, Arc::clone(&calls)));
        Kubectl { dir, server, calls }
    }

    /// Runs `deploy.sh` with a command and these settings, to its end or as long as it may take.
    pub async fn deploy(&self, command: &str, settings: &[(&str, &str)]) -> Deployed {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap_or_default());
        let output = TempDir::new().expect("a temporary directory can be made");
        let file = |name| File::create(output.path().join(name)).expect("an output file can be made");
        let mut deploy = Command::new(root().join("gke-scale/deploy.sh"));
        deploy.arg(command).env_clear().env("PATH", path).env("KUBECTL_CALLS", self.dir.path().join("calls"));
        deploy.envs(settings.iter().copied()).stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let mut deploy = Child::start(deploy, Signal::SIGKILL);
        let status = deploy.ended(DEPLOY).await;
        let text = |name| fs::read_to_string(output.path().join(name)).expect("it prints text");
        Deployed { success: status.is_some_and(|status| status.success()), text: text("stdout") + &text("stderr") }
    }

    /// All calls so far, each in one line; after it, a line for each machine that it sets up:
    /// `machine <name> <shards that it knows> <shards on which it makes ids>`.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().expect("no holder of this lock panics").clone()
    }
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(spool: PathBuf, kube: Kube, calls: Arc<Mutex<Vec<String>>>) {
    loop {
        let entries = fs::read_dir(&spool).expect("the directory of the calls").flatten();
        for call in entries.map(|entry| entry.path()).filter(|call| call.join("complete").exists()) {
            fs::remove_file(call.join("complete")).expect("a call is answered once");
            let words = fs::read_to_string(call.join("words")).expect("words");
            let words: Vec<String> = words.split_terminator("\n\u{1e}").map(str::to_owned).collect();
            let stdin = fs::read_to_string(call.join("stdin")).unwrap_or_default();
            calls.lock().expect("no holder of this lock panics").extend(described(&words, &stdin));
            let kube = kube.clone();
            // Each in a task of its own: a rollout takes its time.
            tokio::spawn(async move {
                let answer = answer(&kube, &Call { words, stdin }).await;
                write_answer(&call, answer);
            });
        }
        tokio::time::sleep(PAUSE / 4).await;
    }
}

fn described(words: &[String], stdin: &str) -> Vec<String> {
    let mut lines = vec![words.join(" ")];
    if words.iter().any(|word| word == "apply") {
        for machine in Manifests::parse(stdin).of_kind("Deployment").filter(|one| one.variable("MACHINE_ID").is_some())
        {
            let shards = machine.variable("REDIS_ADDRS").map_or(0, |all| all.split(',').count());
            let minting = machine.variable("MINT_SHARDS").unwrap_or_default();
            lines.push(format!("machine {} {shards} {minting}", machine.name()));
        }
    }
    lines
}

fn write_answer(call: &Path, answer: Result<String, String>) {
    let (code, stdout) = match answer {
        Ok(stdout) => ("0", stdout),
        Err(reason) => {
            eprintln!("kubectl: {reason}");
            ("1", String::new())
        }
    };
    for (name, text) in [("stdout", stdout.as_str()), ("code", code), ("answered", "")] {
        fs::write(call.join(name), text).expect("a file can be written");
    }
}

impl Call {
    fn option(&self, name: &str) -> Option<&str> {
        let place = self.words.iter().position(|word| word == name)?;
        self.words.get(place + 1).map(String::as_str)
    }

    fn labels(&self) -> Vec<(&str, &str)> {
        let selector = self.option("--selector").unwrap_or_default();
        selector.split(',').filter_map(|label| label.split_once('=')).collect()
    }
}

async fn answer(kube: &Kube, call: &Call) -> Result<String, String> {
    let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
    let words = match words[..] {
        ["--namespace", "shardcart", ref rest @ ..] => rest,
        ref rest => rest,
    };
    match words {
        ["cluster-info"] | ["apply", "--server-side", ..] if call.stdin.is_empty() => Ok(String::new()),
        ["config", "current-context"] => Ok("the tests\n".to_owned()),
        ["auth", "can-i", ..] => Ok("yes\n".to_owned()),
        ["create", "--filename", "-"] => {
            let made = Manifests::parse(&call.stdin);
            if let Some(known) = made.0.iter().find(|one| kube.object(one.kind(), one.name()).is_ok()) {
                return Err(format!("{:?} exists", known.key()));
            }
            kube.begin(made);
            Ok(String::new())
        }
        ["apply", "--server-side", ..] => {
            kube.begin(Manifests::parse(&call.stdin));
            Ok(String::new())
        }
        ["rollout", "status", name, "--timeout", _] => {
            kube.rolled_out(name.split_once('/').ok_or("KIND/NAME")?.1).await;
            Ok(String::new())
        }
        ["exec", pod, "--container", _, "--", command @ ..] => kube.exec(pod, command).await,
        ["get", "secret", name] => kube.found("Secret", name),
        ["get", "persistentvolumeclaims", "--selector", selector, "--output", "name"] => {
            let claims = kube.claims(selector.ends_with("emptied=yes"));
            Ok(claims.iter().fold(String::new(), |all, claim| all + "persistentvolumeclaim/" + claim + "\n"))
        }
        ["get", kinds, "--selector", _] => {
            let found = kinds.split(',').flat_map(|kind| kube.list(kind, &call.labels()));
            Ok(found.fold(String::new(), |all, one| {
                all + &format!("{}/{}\n", one["kind"], one["metadata"]["name"]).replace('"', "")
            }))
        }
        ["get", kind, "--selector", _, "--output", format] => {
            let found = kube.list(kind, &call.labels());
            if *format == "name" {
                return Ok(found.iter().fold(String::new(), |all, one| {
                    all + &format!("{kind}/{}\n", one["metadata"]["name"].as_str().unwrap_or_default())
                }));
            }
            json_path(format, &json!({ "items": found }))
        }
        ["get", "statefulset", name, "--output", format] => {
            let mut shard = kube.object("StatefulSet", name)?;
            let pods = kube.state(|state| state.pods.get(*name).cloned().unwrap_or_default());
            shard["status"] = json!({ "readyReplicas": pods.iter().filter(|pod| pod.is_ready()).count() });
            json_path(format, &shard)
        }
        ["get", kind, name, "--output", format] => json_path(format, &kube.object(kind, name)?),
        ["delete", "namespace", ..] => {
            kube.remove_kinds(&["deployment", "statefulset", "secret"]).await;
            for claim in [kube.claims(false), kube.claims(true)].concat() {
                kube.remove_claim(&claim);
            }
            Ok(String::new())
        }
        ["delete", kinds, "--selector", ..] => {
            kube.remove_kinds(&kinds.split(',').collect::<Vec<_>>()).await;
            Ok(String::new())
        }
        ["label", "persistentvolumeclaim", name, .., label] => {
            kube.label_claim(name, label.ends_with("=yes"));
            Ok(String::new())
        }
        ["delete", kind, names @ .., "--ignore-not-found"] => {
            if matches!(*kind, "deployment" | "statefulset") {
                join_all(names.iter().map(|name| kube.remove(name))).await;
            }
            Ok(String::new())
        }
        other => Err(format!("the tests do not know this call: {other:?}")),
    }
}

/// The part of `jsonpath=` that `deploy.sh` uses: paths, quoted text, and one range over the items.
fn json_path(format: &str, value: &Value) -> Result<String, String> {
    let template = format.strip_prefix("jsonpath=").ok_or_else(|| format!("not understood: {format}"))?;
    let steps: Vec<&str> =
        template.split_terminator('}').map(|step| step.strip_prefix('{').ok_or(template)).collect::<Result<_, _>>()?;
    let print = |steps: &[&str], value: &Value| -> String {
        steps
            .iter()
            .map(|step| match step.strip_prefix('"') {
                Some(text) => text.trim_end_matches('"').replace("\\n", "\n"),
                None => {
                    let pointer = step.replace('/', "~1").replace('.', "/").replace("[0]", "/0");
                    match value.pointer(&pointer) {
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                        None => String::new(),
                    }
                }
            })
            .collect()
    };
    match steps[..] {
        ["range .items[*]", ref steps @ .., "end"] => {
            let items = value["items"].as_array().ok_or("no items")?;
            Ok(items.iter().map(|item| print(steps, item)).collect())
        }
        ref steps => Ok(print(steps, value)),
    }
}

impl Kube {
    fn found(&self, kind: &str, name: &str) -> Result<String, String> {
        self.object(kind, name).map(|_| String::new())
    }

    fn object(&self, kind: &str, name: &str) -> Result<Value, String> {
        self.state(|state| {
            let mut all = state.manifests.0.iter();
            let object = all.find(|object| object.kind().eq_ignore_ascii_case(kind) && object.name() == name);
            object.map(|object| object.0.clone()).ok_or_else(|| format!("there is no {kind} {name}"))
        })
    }

    fn list(&self, kind: &str, labels: &[(&str, &str)]) -> Vec<Value> {
        self.state(|state| {
            let all = state.manifests.0.iter().filter(|object| object.is_of_kind(kind) && object.has_labels(labels));
            all.map(|object| object.0.clone()).collect()
        })
    }

    /// `<StatefulSet>-0` is the pod of a StatefulSet.
    async fn exec(&self, pod: &str, command: &[&str]) -> Result<String, String> {
        let workload = pod.strip_suffix("-0").ok_or("a pod of a StatefulSet")?;
        let pods = self.state(|state| state.pods.get(workload).cloned().unwrap_or_default());
        let pod = pods.first().ok_or_else(|| format!("{workload} has no pod"))?;
        match pod.exec(&json!(command)).await {
            (true, stdout) => Ok(stdout),
            (false, stdout) => Err(format!("{command:?} in {workload}: {stdout}")),
        }
    }
}
