//! Manifests: what `deploy.sh render` prints, and what can be read from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest(pub Value);

/// Many objects, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Manifests(pub Vec<Manifest>);

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_owned()
}

/// What `gke-scale/deploy.sh render` prints with these settings, and no others.
///
/// # Panics
/// When it refuses them.
pub fn render(script: &str, settings: &[(&str, &str)]) -> Manifests {
    try_render(script, settings).unwrap_or_else(|error| panic!("{script} render {settings:?}: {error}"))
}

/// The same.
///
/// # Errors
/// What it says when it refuses these settings.
///
/// # Panics
/// When it prints anything before it refuses, says anything although it does not, or prints what is no YAML.
pub fn try_render(script: &str, settings: &[(&str, &str)]) -> Result<Manifests, String> {
    let mut command = Command::new(root().join(script));
    command.arg("render").env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    let output = command.envs(settings.iter().copied()).output().expect("bash is there");
    let printed = String::from_utf8(output.stdout).expect("it prints text");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        assert!(printed.is_empty(), "{script} render {settings:?} prints before it refuses: {printed}");
        return Err(error);
    }
    assert!(error.is_empty(), "{script} render {settings:?}: {error}");
    Ok(Manifests::parse(&printed))
}

impl Manifests {
    /// Reads YAML of one or many documents.
    ///
    /// # Panics
    /// When it is not that, or a document is not an object of Kubernetes.
    pub fn parse(yaml: &str) -> Manifests {
        let documents = serde_yaml_ng::Deserializer::from_str(yaml);
        let read =
            documents.map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{error}:\n{yaml}")));
        // A document of nothing but comments is no object.
        let manifests: Vec<Manifest> = read.filter(|value| !value.is_null()).map(Manifest).collect();
        assert!(manifests.iter().all(|manifest| !manifest.name().is_empty()), "an object has a name");
        Manifests(manifests)
    }

    /// Adds an object, in place of the one with its kind and name.
    pub fn put(&mut self, manifest: Manifest) {
        match self.0.iter_mut().find(|known| known.key() == manifest.key()) {
            Some(known) => *known = manifest,
            None => self.0.push(manifest),
        }
    }

    /// All of one kind.
    pub fn of_kind<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Manifest> + use<'a> {
        let kind = kind.to_owned();
        self.0.iter().filter(move |manifest| manifest.kind() == kind)
    }

    /// The object of a kind with a name.
    ///
    /// # Panics
    /// When there is none.
    pub fn get(&self, kind: &str, name: &str) -> &Manifest {
        self.of_kind(kind)
            .find(|manifest| manifest.name() == name)
            .unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    /// The Deployment or StatefulSet with a name.
    ///
    /// # Panics
    /// When there is none.
    pub fn workload(&self, name: &str) -> &Manifest {
        let mut workloads = self.0.iter().filter(|manifest| manifest.is_workload());
        workloads.find(|manifest| manifest.name() == name).unwrap_or_else(|| panic!("there is no workload {name}"))
    }

    /// How many pods a workload has: what it says, or the least that its autoscaler allows.
    pub fn replicas(&self, workload: &Manifest) -> usize {
        let own = workload.at("/spec/replicas").as_u64();
        let scaled = || {
            let mut scalers = self.of_kind("HorizontalPodAutoscaler");
            let scaler = scalers.find(|scaler| scaler.at("/spec/scaleTargetRef/name") == workload.name())?;
            scaler.at("/spec/minReplicas").as_u64()
        };
        let replicas = own.or_else(scaled).unwrap_or_else(|| panic!("{}: how many pods?", workload.name()));
        usize::try_from(replicas).expect("a number of pods")
    }
}

impl Manifest {
    /// One value, by its JSON pointer; null when it is not there.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        self.at("/kind").as_str().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.at("/metadata/name").as_str().unwrap_or_default()
    }

    /// Kind and name: what makes it one and the same.
    pub fn key(&self) -> (&str, &str) {
        (self.kind(), self.name())
    }

    /// Whether it is of a kind, as `kubectl` is told: in lower case, and maybe in the plural.
    pub fn is_of_kind(&self, kind: &str) -> bool {
        let own = self.kind().to_lowercase();
        let plural = own.strip_suffix('y').map_or_else(|| format!("{own}s"), |stem| format!("{stem}ies"));
        kind == own || kind == plural
    }

    /// The volume claims of the one pod of a StatefulSet, by name.
    pub fn claims(&self) -> Vec<String> {
        let templates = self.at("/spec/volumeClaimTemplates").as_array().cloned().unwrap_or_default();
        let name =
            |template: &Value| template["metadata"]["name"].as_str().map(|name| format!("{name}-{}-0", self.name()));
        templates.iter().filter_map(name).collect()
    }

    /// Whether it runs pods.
    pub fn is_workload(&self) -> bool {
        matches!(self.kind(), "Deployment" | "StatefulSet")
    }

    /// Whether it is a Service whose name is that of its pod.
    pub fn is_headless(&self) -> bool {
        self.at("/spec/clusterIP") == "None"
    }

    /// Whether it has all these labels.
    pub fn has_labels(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(label, value)| self.at("/metadata/labels")[label] == *value)
    }

    /// Whether a Service's selector selects pods with these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let selector = self.at("/spec/selector").as_object().expect("a Service has a selector");
        selector.iter().all(|(label, value)| labels.get(label).is_some_and(|label| value == label))
    }

    /// The labels of the pods of a workload.
    pub fn pod_labels(&self) -> BTreeMap<String, String> {
        let labels = self.at("/spec/template/metadata/labels").as_object().expect("pods have labels");
        labels.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
    }

    /// The only container of the pods of a workload.
    ///
    /// # Panics
    /// When there are several.
    pub fn container(&self) -> &Value {
        let containers = self.at("/spec/template/spec/containers").as_array().expect("pods have containers");
        assert_eq!(containers.len(), 1, "{}: one container a pod", self.name());
        &containers[0]
    }

    /// A variable that the container's environment states as it is.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let all = self.container()["env"].as_array()?;
        all.iter().find(|variable| variable["name"] == name)?["value"].as_str()
    }
}
