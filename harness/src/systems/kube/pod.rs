//! One pod: a container's command as a local process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hyper::Method;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::manifest::{Manifest, Manifests};
use crate::http::HttpClient;
use crate::network::addresses::port_here;
use crate::processes::binaries;
use crate::processes::child::Child;
use crate::wait::PAUSE;

/// How much longer than they say things may take here: the machine is busy with everything else as well.
const PATIENCE: u32 = 3;
/// How long nginx may take to end its workers.
const NGINX_ENDS: Duration = Duration::from_secs(5);

/// A pod, killed when dropped.
#[derive(Debug)]
pub struct Pod {
    name: String,
    template: Value,
    labels: BTreeMap<String, String>,
    container: Value,
    address: String,
    environment: BTreeMap<String, String>,
    paths: Vec<(String, PathBuf)>,
    dir: PathBuf,
    child: Mutex<Child>,
    ready: AtomicBool,
    reported: AtomicBool,
}

/// Takes names in texts for what they stand for in this cluster.
struct Translation<'a> {
    services: &'a BTreeMap<String, String>,
    paths: &'a [(String, PathBuf)],
}

impl Pod {
    /// Starts a pod of a workload at an address.
    pub fn start(
        workload: &Manifest,
        address: &str,
        manifests: &Manifests,
        services: &BTreeMap<String, String>,
        secret: &BTreeMap<String, String>,
        root: &Path,
    ) -> Pod {
        let container = workload.container().clone();
        let dir = root.join(format!("{}-{address}", workload.name()));
        fs::create_dir_all(&dir).expect("a directory can be made");
        let paths = mounts(workload, &container, &dir, root);
        let translation = Translation { services, paths: &paths };
        translation.write_configuration(workload, manifests, address);
        let environment = translation.environment(&container, address, secret);
        let command = translation.command(&container["command"]);
        let child = Mutex::new(Pod::spawn(&command, &environment, &dir));
        Pod {
            name: workload.name().to_owned(),
            template: workload.at("/spec/template").clone(),
            labels: workload.pod_labels(),
            container,
            address: address.to_owned(),
            environment,
            paths,
            dir,
            child,
            ready: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        }
    }

    fn spawn(command: &[String], environment: &BTreeMap<String, String>, dir: &Path) -> Child {
        let mut start = local(command, environment, dir);
        let file = |name| File::create(dir.join(name)).expect("an output file can be made");
        start.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        // A killed nginx would leave its workers behind.
        let orphaned = if command[0] == "nginx" { Signal::SIGTERM } else { Signal::SIGKILL };
        Child::start(start, orphaned)
    }

    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// Whether it runs what the workload says now.
    pub fn is_of(&self, workload: &Manifest) -> bool {
        self.template == *workload.at("/spec/template")
    }

    /// Whether Services send connections to it.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// `address:port` of one of its ports, by the port's name.
    pub fn address_of(&self, port: &str) -> String {
        let ports = self.container["ports"].as_array().expect("containers have ports");
        let port = ports.iter().find(|known| known["name"] == port).unwrap_or_else(|| panic!("no port {port}"));
        let number = port["containerPort"].as_u64().expect("a port is a number");
        format!("{}:{}", self.address, port_here(number))
    }

    /// Waits for its startup probe, and then for its readiness probe; from then on it is ready.
    ///
    /// # Panics
    /// When it ends before, or takes longer than its probes allow.
    pub async fn ready(&self) {
        for probe in ["startupProbe", "readinessProbe"] {
            let number =
                |field: &str| self.container[probe][field].as_u64().unwrap_or_else(|| panic!("{probe}: {field}"));
            let within = Duration::from_secs(number("periodSeconds") * number("failureThreshold")) * PATIENCE;
            let start = Instant::now();
            while !self.probe(probe).await {
                let ended = self.child(Child::status);
                assert!(ended.is_none(), "{} ended with {ended:?} instead of getting ready", self.name);
                assert!(start.elapsed() < within, "{}: {probe} fails after {within:?}", self.name);
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.ready.store(true, Ordering::Release);
    }

    /// Asks what one of its probes asks.
    pub async fn probe(&self, probe: &str) -> bool {
        let probe = &self.container[probe];
        if let Some(path) = probe["httpGet"]["path"].as_str() {
            let port = probe["httpGet"]["port"].as_str().expect("a probe names its port");
            let url = format!("http://{}{path}", self.address_of(port));
            let answer = HttpClient::default().request(Method::GET, &url).await;
            return answer.is_ok_and(|answer| (200..400).contains(&answer.status));
        }
        self.exec(&probe["exec"]["command"]).await.0
    }

    /// Runs a command as in its container, and returns whether it ended well and what it printed.
    ///
    /// # Panics
    /// When it does not end within a minute.
    pub async fn exec(&self, command: &Value) -> (bool, String) {
        let translation = Translation { services: &BTreeMap::new(), paths: &self.paths };
        let mut command = local(&translation.command(command), &self.environment, &self.dir);
        let mut output = tempfile::tempfile().expect("a temporary file can be made");
        let stdout = output.try_clone().expect("an open file");
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null());
        // Who no longer waits for it, ends it.
        let status = Child::start(command, Signal::SIGKILL).ended(Duration::from_secs(60)).await;
        let mut text = String::new();
        output.rewind().and_then(|()| output.read_to_string(&mut text)).expect("it prints text");
        (status.expect("a command ends").success(), text)
    }

    /// Ends it as a cluster does: no new connections, the preStop hook, SIGTERM.
    ///
    /// # Panics
    /// When it does not end within its own time, or not well.
    pub async fn end(&self) {
        self.ready.store(false, Ordering::Release);
        let grace = self.template["spec"]["terminationGracePeriodSeconds"].as_u64().expect("a time to end is set");
        let (start, grace) = (Instant::now(), Duration::from_secs(grace));
        let hook = &self.container["lifecycle"]["preStop"]["exec"]["command"];
        if !hook.is_null() {
            // The hook is cut short when the process has ended.
            tokio::select! {
                _ = self.exec(hook) => {}
                () = self.gone() => {}
            }
        }
        self.child(|child| child.signal(Signal::SIGTERM));
        let ended = tokio::time::timeout(grace.saturating_sub(start.elapsed()), self.gone()).await;
        let status = self.child(Child::status);
        let code = status.and_then(|status| status.code());
        assert!(ended.is_ok() && code == Some(0), "{} ends within {grace:?}, and well: {status:?}", self.name);
    }

    async fn gone(&self) {
        while self.child(Child::status).is_none() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Kills it without warning.
    pub fn kill9(&self) {
        self.ready.store(false, Ordering::Release);
        self.reported.store(true, Ordering::Relaxed);
        self.child(Child::kill);
    }

    /// Prints the end of what it wrote.
    pub fn report(&self) {
        const LINES: usize = 15;
        for name in ["stdout", "stderr"] {
            let text = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
            eprintln!("--- {} at {}, {name} (last {LINES} lines):", self.name, self.address);
            text.lines().skip(text.lines().count().saturating_sub(LINES)).for_each(|line| eprintln!("{line}"));
        }
    }

    fn child<T>(&self, use_it: impl FnOnce(&mut Child) -> T) -> T {
        use_it(&mut self.child.lock().expect("no holder of this lock panics"))
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        if thread::panicking() && !self.reported.load(Ordering::Relaxed) {
            self.report();
        }
        if self.container["command"][0] == "nginx" {
            self.child(|child| child.end_within(NGINX_ENDS));
        }
    }
}

/// Where the paths that the container sees are here. Volumes of a StatefulSet outlive its pods.
fn mounts(workload: &Manifest, container: &Value, dir: &Path, root: &Path) -> Vec<(String, PathBuf)> {
    let mounts = container["volumeMounts"].as_array().cloned().unwrap_or_default();
    let place = |mount: &Value| {
        let (name, path) = (mount["name"].as_str().expect("a name"), mount["mountPath"].as_str().expect("a path"));
        let claim = format!("{name}-{}-0", workload.name());
        let place = if workload.claims().contains(&claim) { root.join(claim) } else { dir.join(name) };
        fs::create_dir_all(&place).expect("a directory can be made");
        (path.to_owned(), place)
    };
    mounts.iter().map(place).collect()
}

fn local(command: &[String], environment: &BTreeMap<String, String>, dir: &Path) -> Command {
    let program = match command[0].as_str() {
        ours @ ("order" | "stock" | "payment") => binaries::path(ours),
        other => other.into(),
    };
    let mut start = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    // nginx is where only administrators look.
    start.args(&command[1..]).env_clear().envs(environment).env("PATH", format!("{path}:/usr/sbin:/sbin"));
    start.current_dir(dir);
    start
}

/// Whether the nginx of this machine does not know yet what came with a release.
fn nginx_is_older_than(major: u32, minor: u32, patch: u32) -> bool {
    let version = local(&["nginx".to_owned(), "-v".to_owned()], &BTreeMap::new(), Path::new("/")).output();
    let version = version.expect("nginx is there: `make tools` installs it").stderr;
    let version = String::from_utf8_lossy(&version).into_owned();
    let number = version.split_once('/').map_or("", |(_, number)| number.trim());
    let numbers: Vec<u32> = number.split(['.', ' ']).map_while(|part| part.parse().ok()).collect();
    numbers < vec![major, minor, patch]
}

impl Translation<'_> {
    fn command(&self, command: &Value) -> Vec<String> {
        let words = command.as_array().expect("a container states its command");
        words.iter().map(|word| self.paths(word.as_str().expect("a command is words"))).collect()
    }

    fn environment(
        &self,
        container: &Value,
        address: &str,
        secret: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let value = |variable: &Value| {
            if let Some(text) = variable["value"].as_str() {
                return Some(self.names(text));
            }
            let source = &variable["valueFrom"];
            if source["fieldRef"]["fieldPath"] == "status.podIP" {
                return Some(address.to_owned());
            }
            let key = &source["secretKeyRef"];
            assert_eq!(key["name"], "shardcart", "{variable} comes from the secret");
            let value = secret.get(key["key"].as_str().expect("a key")).cloned();
            assert!(value.is_some() || key["optional"] == true, "{variable} is in the secret");
            value
        };
        let all = container["env"].as_array().cloned().unwrap_or_default();
        let named = |variable: &Value| Some((variable["name"].as_str().expect("a name").to_owned(), value(variable)?));
        all.iter().filter_map(named).collect()
    }

    /// Writes the files of the ConfigMaps that the pod mounts.
    fn write_configuration(&self, workload: &Manifest, manifests: &Manifests, address: &str) {
        let volumes = workload.at("/spec/template/spec/volumes").as_array().cloned().unwrap_or_default();
        for volume in volumes.iter().filter(|volume| !volume["configMap"].is_null()) {
            let map = manifests.get("ConfigMap", volume["configMap"]["name"].as_str().expect("a name"));
            let mounts = workload.container()["volumeMounts"].as_array().expect("the volume is mounted");
            let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]).expect("the volume is mounted");
            let (_, place) =
                self.paths.iter().find(|(path, _)| mount["mountPath"] == path.as_str()).expect("a known mount");
            for (file, text) in map.at("/data").as_object().expect("a ConfigMap has data") {
                if file == "newer.conf" && nginx_is_older_than(1, 27, 4) {
                    continue;
                }
                let listens = format!("listen {address}:{}", port_here(8000));
                let text = text.as_str().expect("files are text").replace("listen 8000", &listens);
                fs::write(place.join(file), self.paths(&self.names(&text))).expect("a file can be written");
            }
        }
    }

    /// Puts addresses in the place of the names of Services: of every `name:port`.
    ///
    /// # Panics
    /// When something else than a Service, a number or this cluster's own words stands before a port.
    fn names(&self, text: &str) -> String {
        let mut translated = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(|c: char| c.is_ascii_lowercase()) {
            translated.push_str(&rest[..start]);
            rest = &rest[start..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let before_port =
                after.strip_prefix(':').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
            match self.services.get(word) {
                Some(address) if before_port => translated.push_str(address),
                _ => translated.push_str(word),
            }
            rest = after;
        }
        translated.push_str(rest);
        translated
    }

    /// Puts the directories of mounted volumes in the place of the paths that the container sees.
    fn paths(&self, text: &str) -> String {
        // In two steps: the directories here may contain the paths there.
        let mut text = format!(" {text}");
        for (number, (path, _)) in self.paths.iter().enumerate() {
            for after in ["/", "\n", ";"] {
                text = text.replace(&format!(" {path}{after}"), &format!(" \u{1}{number}\u{1}{after}"));
            }
        }
        for (number, (_, place)) in self.paths.iter().enumerate() {
            text = text.replace(&format!("\u{1}{number}\u{1}"), place.to_str().expect("temporary paths are text"));
        }
        text.split_off(1)
    }
}
