//! The whole system as separate processes: machines and shards for each service, and a proxy.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::Method;

use crate::data::Data;
use crate::front::Front;
use crate::http::HttpClient;
use crate::network::ports;
use crate::network::proxy::Proxy;
use crate::processes::process::Process;
use crate::processes::settings::Settings;
use crate::redis::RedisServer;
use crate::service::Service;
use crate::systems::relays::Network;
use crate::wait::eventually;

/// The secret of the participant protocol in every cluster; tests look for it in logs.
pub const TOKEN: &str = "the-secret-of-the-tests";

/// How long a machine may take to end after SIGTERM: draining included.
const END: Duration = Duration::from_secs(15);

/// How long all machines may take to be ready again after faults.
const READY: Duration = Duration::from_secs(60);

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Machines of each service.
    pub machines: usize,
    /// Redis servers of each service.
    pub shards: usize,
    /// Settings of all machines beyond the usual.
    pub settings: Settings,
}

impl Default for ClusterOptions {
    fn default() -> ClusterOptions {
        ClusterOptions { machines: 2, shards: 2, settings: Settings::none() }
    }
}

/// One instance of a service: its ports stay the same over restarts.
#[derive(Debug)]
pub struct Machine {
    /// Its public port.
    pub port: u16,
    /// The port of the participant protocol.
    pub internal_port: u16,
    process: Option<Process>,
}

/// A running cluster. Everything in it ends when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    machines: [Vec<Machine>; 3],
    redis: [Vec<RedisServer>; 3],
    settings: Settings,
    proxy: Proxy,
    /// The relays between all of these, if there are any.
    network: Option<Network>,
}

impl Cluster {
    /// Starts two machines and two shards of each service.
    pub async fn start() -> Cluster {
        Cluster::start_with(ClusterOptions::default()).await
    }

    /// Starts a cluster and returns when every machine is ready.
    pub async fn start_with(options: ClusterOptions) -> Cluster {
        Cluster::launch_all(options, false).await
    }

    /// The same, with relays in front of each shard and each internal port: see [`Cluster::network`]. Clients and
    /// [`Cluster::data`] still reach everything directly.
    pub async fn start_relayed(options: ClusterOptions) -> Cluster {
        Cluster::launch_all(options, true).await
    }

    async fn launch_all(options: ClusterOptions, relayed: bool) -> Cluster {
        let redis = Service::ALL.map(|_| RedisServer::start_many(options.shards));
        let redis = join_all(redis).await.try_into().expect("there are three services");
        let machine = |_| Machine { port: ports::free(), internal_port: ports::free(), process: None };
        let machines = Service::ALL.map(|_| (0..options.machines).map(machine).collect::<Vec<_>>());
        let public = machines.each_ref().map(|all| all.iter().map(|machine| machine.port).collect());
        let proxy = Proxy::start(ports::free(), public);
        let mut cluster = Cluster { machines, redis, settings: options.settings, proxy, network: None };
        if relayed {
            let internal = |all: &Vec<Machine>| all.iter().map(|machine| machine.internal_port).collect();
            let internal = cluster.machines.each_ref().map(internal);
            cluster.network = Some(Network::before(&cluster.redis, internal).await);
        }
        // All at once: the services may ask one another for their health when they start.
        for service in Service::ALL {
            for machine in 0..options.machines {
                cluster.launch(service, machine);
            }
        }
        for service in Service::ALL {
            for machine in 0..options.machines {
                cluster.ready(service, machine).await;
            }
        }
        cluster
    }

    /// A client that goes through the proxy.
    pub fn front(&self) -> Front {
        Front::behind(self.proxy.port())
    }

    /// A client that talks to the `machine`-th machine (from 0) of each service without a proxy.
    pub fn direct(&self, machine: usize) -> Front {
        Front::direct(Service::ALL.map(|service| self.machine(service, machine).port))
    }

    /// What lies in its shards.
    pub fn data(&self) -> Data {
        Data::new(self.redis.each_ref().map(|shards| shards.iter().map(RedisServer::url).collect()))
    }

    /// A machine, counted from 0.
    pub fn machine(&self, service: Service, machine: usize) -> &Machine {
        &self.machines[service.index()][machine]
    }

    /// All machines of a service.
    pub fn machines(&self, service: Service) -> &[Machine] {
        &self.machines[service.index()]
    }

    /// The process of a machine that has been started.
    pub fn process(&mut self, service: Service, machine: usize) -> &mut Process {
        let machine = &mut self.machines[service.index()][machine];
        machine.process.as_mut().expect("the machine has been started")
    }

    /// A shard, counted from 0.
    pub fn redis(&mut self, service: Service, shard: usize) -> &mut RedisServer {
        &mut self.redis[service.index()][shard]
    }

    /// All shards of a service.
    pub fn shards(&self, service: Service) -> &[RedisServer] {
        &self.redis[service.index()]
    }

    /// The relays between services, and between services and shards.
    ///
    /// # Panics
    /// When the cluster was started without.
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("the cluster was started with relays")
    }

    /// Prints the end of what each machine wrote.
    pub fn report(&self) {
        let machines = self.machines.iter().flatten();
        machines.filter_map(|machine| machine.process.as_ref()).for_each(Process::report);
    }

    /// Starts another Redis server for a service. Machines know it from their next start on.
    pub async fn add_shard(&mut self, service: Service) {
        self.redis[service.index()].push(RedisServer::start().await);
    }

    /// Changes a setting of the machines, from their next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings = self.settings.clone().with(name, value);
    }

    /// Starts a machine that has ended or been killed, and returns when it is ready.
    pub async fn start_machine(&mut self, service: Service, machine: usize) {
        self.launch(service, machine);
        self.ready(service, machine).await;
    }

    /// The same with settings that only this start has.
    pub async fn start_machine_with(&mut self, service: Service, machine: usize, settings: &Settings) {
        self.launch_with(service, machine, settings);
        self.ready(service, machine).await;
    }

    /// Starts a machine that has ended or been killed, with settings that only this start has, and returns at once.
    pub fn launch_with(&mut self, service: Service, machine: usize, settings: &Settings) {
        let settings = self.settings_of(service, machine).and(settings);
        let process = Process::start(service.program(), &settings);
        self.machines[service.index()][machine].process = Some(process);
    }

    /// Returns when a machine that has been started is ready.
    pub async fn ready(&mut self, service: Service, machine: usize) {
        let port = self.machine(service, machine).port;
        self.process(service, machine).ready(port).await;
    }

    /// Ends a machine in good order, waits for that, and starts it again with the present
    /// settings and shards.
    ///
    /// # Panics
    /// When it does not end well, or not in time.
    pub async fn restart_machine(&mut self, service: Service, machine: usize) {
        self.end_machine(service, machine).await;
        self.start_machine(service, machine).await;
    }

    /// Ends a machine in good order, and waits for that.
    ///
    /// # Panics
    /// When it does not end well, or not in time.
    pub async fn end_machine(&mut self, service: Service, machine: usize) {
        let process = self.process(service, machine);
        process.terminate();
        let status = process.ended(END).await;
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{service} after SIGTERM");
    }

    /// Starts again what has ended, and returns when every machine is ready.
    ///
    /// # Panics
    /// When that takes more than a minute.
    pub async fn all_ready(&mut self) {
        for shard in self.redis.iter_mut().flatten() {
            if !shard.is_running() {
                shard.restart().await;
            }
        }
        let client = HttpClient::default();
        for service in Service::ALL {
            for machine in 0..self.machines(service).len() {
                let url = format!("http://127.0.0.1:{}/health/ready", self.machine(service, machine).port);
                eventually(format!("{service} machine {machine} is ready"), READY, async || {
                    // One that was started while its shards were away may have given up.
                    if !self.process(service, machine).is_running() {
                        self.launch(service, machine);
                    }
                    client.request(Method::GET, &url).await.is_ok_and(|answer| answer.status == 200).then_some(())
                })
                .await;
            }
        }
    }

    fn launch(&mut self, service: Service, machine: usize) {
        self.launch_with(service, machine, &Settings::none());
    }

    fn settings_of(&self, service: Service, machine: usize) -> Settings {
        let all = &self.machines[service.index()];
        let addresses: Vec<String> = match &self.network {
            Some(network) => network.shard_addresses(service),
            None => self.shards(service).iter().map(RedisServer::address).collect(),
        };
        let mut settings = Settings::usual()
            .with("BIND", "127.0.0.1")
            .with("PORT", all[machine].port)
            .with("INTERNAL_PORT", all[machine].internal_port)
            .with("INTERNAL_TOKEN", TOKEN)
            .with("MACHINE_ID", format!("{}/{}", machine + 1, all.len()))
            .with("REDIS_ADDRS", addresses.join(","));
        for other in Service::ALL {
            let ports = match &self.network {
                Some(network) => network.internal_ports(other),
                None => self.machines[other.index()].iter().map(|machine| machine.internal_port).collect(),
            };
            let urls: Vec<String> = ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
            let name = format!("{}_SERVICE_URL", other.program().to_uppercase());
            let asks = (service == Service::Order) != (other == Service::Order);
            if asks {
                settings = settings.with(&name, urls.join(","));
            }
        }
        settings.and(&self.settings)
    }
}
