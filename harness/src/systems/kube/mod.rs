//! A cluster small enough for one process: it takes what `deploy.sh` renders, and runs it.
//!
//! Every pod and every Service has a loopback address of its own. The containers' real commands run as local processes
//! with their rendered environment; names of Services are replaced by their addresses, and mounted paths by
//! directories. Deployments roll as they do on a cluster: a new pod gets ready, then the old one is told to end.

mod balancer;
mod kubectl;
mod manifest;
mod pod;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use tempfile::TempDir;

use self::balancer::Balancer;
pub use self::kubectl::{Deployed, Kubectl};
pub use self::manifest::{Manifest, Manifests, render, root, try_render};
use self::pod::Pod;
use crate::data::Data;
use crate::front::Front;
use crate::network::addresses::{Addresses, port_here};
use crate::service::Service;

/// The password of Redis and the token of the services, where `deploy.sh` did not make a secret.
const SECRET: [(&str, &str); 2] =
    [("redis-password", "the-password-of-the-tests"), ("internal-token", "the-secret-of-the-tests")];
/// A running cluster. Everything in it ends when it is dropped.
#[derive(Debug, Clone)]
pub struct Kube(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    addresses: Addresses,
    state: Mutex<State>,
    /// Volumes and configuration files.
    dir: TempDir,
}

#[derive(Debug, Default)]
struct State {
    manifests: Manifests,
    secret: BTreeMap<String, String>,
    /// The addresses of Services, by name.
    services: BTreeMap<String, String>,
    balancers: Vec<Balancer>,
    /// By the name of their Deployment or StatefulSet.
    pods: BTreeMap<String, Vec<Arc<Pod>>>,
    /// The volume claims of StatefulSets, by name, and whether each is labelled as that of an emptied shard.
    claims: BTreeMap<String, bool>,
    /// Held while the pods of a workload are replaced.
    rolling: BTreeMap<String, Arc<tokio::sync::Mutex<()>>>,
}

impl Default for Kube {
    fn default() -> Kube {
        let dir = TempDir::new().expect("a temporary directory can be made");
        let secret = SECRET.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let state = State { secret, ..State::default() };
        Kube(Arc::new(Inside { addresses: Addresses::default(), state: Mutex::new(state), dir }))
    }
}

impl Kube {
    /// Takes over manifests; what they change begins to change. See [`Kube::rolled_out`].
    pub fn take(&self, manifests: Manifests) {
        for manifest in manifests.0 {
            if manifest.kind() == "Service" {
                self.add_service(&manifest);
            }
            if manifest.kind() == "Secret" {
                let data = manifest.at("/stringData").as_object().expect("a secret has text").clone();
                let text = |value: &serde_json::Value| value.as_str().expect("a secret is text").to_owned();
                self.state(|state| state.secret = data.iter().map(|(key, value)| (key.clone(), text(value))).collect());
            }
            self.state(|state| state.manifests.put(manifest.clone()));
        }
    }

    /// Takes over manifests, and returns when everything that they say runs: Redis first, then the machines, then the
    /// gateway, as `deploy.sh` does it.
    pub async fn apply(&self, manifests: Manifests) {
        self.take(manifests);
        for role in ["redis", "machine", "gateway"] {
            let names = self.workloads(&[("shardcart/role", role)]);
            join_all(names.iter().map(|name| self.rolled_out(name))).await;
        }
    }

    /// Takes over manifests, and lets what they change change at once, without waiting for it.
    pub fn begin(&self, manifests: Manifests) {
        let workloads = manifests.0.iter().filter(|manifest| manifest.is_workload());
        let names: Vec<String> = workloads.map(|manifest| manifest.name().to_owned()).collect();
        self.take(manifests);
        for name in names {
            let kube = self.clone();
            // Who waits for it goes through the same steps, and would see the same failure.
            tokio::spawn(async move { kube.rolled_out(&name).await });
        }
    }

    /// The names of the Deployments and StatefulSets with these labels.
    pub fn workloads(&self, labels: &[(&str, &str)]) -> Vec<String> {
        self.state(|state| {
            let workloads = state.manifests.0.iter().filter(|manifest| manifest.is_workload());
            workloads
                .filter(|manifest| manifest.has_labels(labels))
                .map(|manifest| manifest.name().to_owned())
                .collect()
        })
    }

    /// Brings the pods of a Deployment or StatefulSet to what its manifest says, one after the other: a new one gets
    /// ready, then an old one ends.
    ///
    /// # Panics
    /// When a pod does not get ready by its own probes, or does not end well in its own time.
    pub async fn rolled_out(&self, name: &str) {
        let rolling = self.state(|state| Arc::clone(state.rolling.entry(name.to_owned()).or_default()));
        let _rolling = rolling.lock().await;
        let (workload, replicas, current) = self.state(|state| {
            let workload = state.manifests.workload(name).clone();
            let replicas = state.manifests.replicas(&workload);
            (workload, replicas, state.pods.get(name).cloned().unwrap_or_default())
        });
        let (fresh, stale): (Vec<_>, Vec<_>) = current.into_iter().partition(|pod| pod.is_of(&workload));
        let mut stale = stale.into_iter();
        assert!(
            workload.kind() == "Deployment" || stale.len() == 0,
            "{name}: a StatefulSet's pod is not replaced here: two would use one volume"
        );
        for _ in fresh.len()..replicas {
            let pod = Arc::new(self.start_pod(&workload));
            self.state(|state| state.pods.entry(name.to_owned()).or_default().push(Arc::clone(&pod)));
            pod.ready().await;
            if let Some(stale) = stale.next() {
                self.end_pod(name, &stale).await;
            }
        }
        for stale in stale {
            self.end_pod(name, &stale).await;
        }
    }

    /// Ends all pods of a workload in good order, and forgets it.
    pub async fn remove(&self, name: &str) {
        let pods = self.state(|state| {
            state.manifests.0.retain(|manifest| !(manifest.is_workload() && manifest.name() == name));
            state.pods.get(name).cloned().unwrap_or_default()
        });
        for pod in pods {
            self.end_pod(name, &pod).await;
        }
    }

    /// Removes all objects of these kinds, whose pods end in good order.
    pub async fn remove_kinds(&self, kinds: &[&str]) {
        let is_wanted = |manifest: &Manifest| kinds.iter().any(|kind| manifest.is_of_kind(kind));
        let names: Vec<String> = self.state(|state| {
            let workloads = state.manifests.0.iter().filter(|one| one.is_workload() && is_wanted(one));
            workloads.map(|workload| workload.name().to_owned()).collect()
        });
        join_all(names.iter().map(|name| self.remove(name))).await;
        self.state(|state| state.manifests.0.retain(|manifest| !is_wanted(manifest)));
    }

    /// The names of all volume claims, of emptied shards or of others.
    pub fn claims(&self, emptied: bool) -> Vec<String> {
        self.state(|state| {
            state.claims.iter().filter(|claim| *claim.1 == emptied).map(|(name, _)| name.clone()).collect()
        })
    }

    /// Labels a volume claim as that of an emptied shard, or takes the label off.
    pub fn label_claim(&self, name: &str, emptied: bool) {
        self.state(|state| *state.claims.get_mut(name).expect("a claim that there is") = emptied);
    }

    /// Removes a volume claim, and what was written to its volume.
    pub fn remove_claim(&self, name: &str) {
        let known = self.state(|state| state.claims.remove(name));
        if known.is_some() {
            let _ = std::fs::remove_dir_all(self.0.dir.path().join(name));
        }
    }

    async fn end_pod(&self, name: &str, pod: &Arc<Pod>) {
        self.state(|state| state.pods.entry(name.to_owned()).or_default().retain(|other| !Arc::ptr_eq(other, pod)));
        pod.end().await;
    }

    /// Kills the pods of a workload without warning; it is not started again until [`Kube::rolled_out`].
    pub fn kill9(&self, name: &str) {
        for pod in self.state(|state| state.pods.remove(name).unwrap_or_default()) {
            pod.kill9();
        }
    }

    /// Whether all pods of a workload would be sent requests now: asks what their readiness probes ask.
    pub async fn all_ready(&self, name: &str) -> bool {
        let pods = self.state(|state| state.pods.get(name).cloned().unwrap_or_default());
        join_all(pods.iter().map(|pod| pod.probe("readinessProbe"))).await.into_iter().all(|ready| ready)
    }

    /// One value of the secret.
    pub fn secret(&self, key: &str) -> String {
        self.state(|state| state.secret[key].clone())
    }

    /// Puts a value into the secret, for pods that start from now on.
    pub fn put_secret(&self, key: &str, value: &str) {
        self.state(|state| state.secret.insert(key.to_owned(), value.to_owned()));
    }

    /// A client of the gateway's Service.
    pub fn front(&self) -> Front {
        let address = self.state(|state| state.services["gateway"].clone());
        Front::at(&format!("{address}:{}", port_here(80)))
    }

    /// A client of the first machine of each service.
    pub fn direct(&self) -> Front {
        Front::direct_at(Service::ALL.map(|service| {
            let name = format!("{service}-1");
            self.state(|state| {
                let port = state.manifests.get("Service", &name).at("/spec/ports/0/port").clone();
                format!("{}:{port}", state.services[&name])
            })
        }))
    }

    /// Prints the end of what each pod wrote.
    pub fn report(&self) {
        let pods: Vec<Arc<Pod>> = self.state(|state| state.pods.values().flatten().cloned().collect());
        pods.iter().for_each(|pod| pod.report());
    }

    /// What lies in its shards.
    pub fn data(&self) -> Data {
        let shards = |service: Service| {
            let labels = [("shardcart/role", "redis"), ("shardcart/service", service.program())];
            let count = self.workloads(&labels).len();
            self.state(|state| {
                let url = |shard| {
                    let address = &state.services[&format!("{service}-redis-{shard}")];
                    format!("redis://:{}@{address}:6379", state.secret["redis-password"])
                };
                (0..count).map(url).collect()
            })
        };
        Data::new(Service::ALL.map(shards))
    }

    fn add_service(&self, service: &Manifest) {
        let known = self.state(|state| state.services.contains_key(service.name()));
        if known {
            return;
        }
        let address = self.0.addresses.next();
        self.state(|state| state.services.insert(service.name().to_owned(), address.clone()));
        if service.is_headless() {
            return; // Its name is its pod's: the pod takes this address.
        }
        for port in service.at("/spec/ports").as_array().expect("a Service has ports") {
            let (inside, service, port) = (Arc::downgrade(&self.0), service.clone(), port.clone());
            let number = port_here(port["port"].as_u64().expect("a port is a number"));
            let target = port["targetPort"].as_str().expect("targetPort is a name").to_owned();
            let choose = move || {
                let inside = inside.upgrade()?;
                let state = inside.state.lock().expect("no holder of this lock panics");
                let pods = state.pods.values().flatten();
                let ready = pods.filter(|pod| pod.is_ready() && service.selects(pod.labels()));
                Some(ready.map(|pod| pod.address_of(&target)).collect())
            };
            let balancer = Balancer::start(&format!("{address}:{number}"), choose);
            self.state(|state| state.balancers.push(balancer));
        }
    }

    fn start_pod(&self, workload: &Manifest) -> Pod {
        self.state(|state| {
            for claim in workload.claims() {
                state.claims.entry(claim).or_default();
            }
            // A pod behind a headless Service is what that name stands for.
            let own_name = workload.at("/spec/serviceName").as_str().and_then(|name| state.services.get(name));
            let address = own_name.cloned().unwrap_or_else(|| self.0.addresses.next());
            Pod::start(workload, &address, &state.manifests, &state.services, &state.secret, self.0.dir.path())
        })
    }

    fn state<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.0.state.lock().expect("no holder of this lock panics"))
    }
}
