//! A system that runs already, in containers: the tests are told where it is.

use shardcart_harness::data::Data;
use shardcart_harness::front::Front;
use shardcart_harness::processes::settings::Settings;
use shardcart_harness::service::Service;

use crate::auditor::Audit;

/// `address:port` of the gateway of the system to test; the other variables begin with it.
pub const GATEWAY: &str = "SHARDCART_TEST_GATEWAY";

/// Where a running system is. Its Redis servers must be reached from here as well.
#[derive(Debug, Clone)]
pub struct Given {
    gateway: String,
    password: String,
    /// `address:port` of machines and of shards, by [`Service::index`].
    machines: [Vec<String>; 3],
    shards: [Vec<String>; 3],
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Given {
    /// The system that the environment names, if it names one: [`GATEWAY`], `…_REDIS_PASSWORD`, and for each service
    /// `…_ORDER_MACHINES` and `…_ORDER_REDIS`, comma-separated.
    ///
    /// # Panics
    /// When some of it is missing.
    pub fn system() -> Option<Given> {
        let gateway = setting(GATEWAY)?;
        let wanted = |name: String| setting(&name).unwrap_or_else(|| panic!("{name} is missing beside {GATEWAY}"));
        let list = |service: Service, what: &str| {
            let name = format!("{GATEWAY}_{}_{what}", service.program().to_uppercase());
            wanted(name).split(',').map(str::to_owned).collect()
        };
        Some(Given {
            gateway,
            password: wanted(format!("{GATEWAY}_REDIS_PASSWORD")),
            machines: Service::ALL.map(|service| list(service, "MACHINES")),
            shards: Service::ALL.map(|service| list(service, "REDIS")),
        })
    }

    /// A client of its gateway.
    pub fn front(&self) -> Front {
        Front::at(&self.gateway)
    }

    /// A client of the first machine of each service.
    pub fn direct(&self) -> Front {
        Front::direct_at(self.machines.each_ref().map(|machines| machines[0].clone()))
    }

    /// What lies in its shards.
    pub fn data(&self) -> Data {
        let url = |address: &String| format!("redis://:{}@{address}", self.password);
        Data::new(self.shards.each_ref().map(|shards| shards.iter().map(url).collect()))
    }

    /// Runs `shop audit` over its shards.
    pub async fn audit(&self) -> Audit {
        let mut settings = Settings::none().with("REDIS_PASSWORD", &self.password);
        for service in Service::ALL {
            let name = format!("{}_REDIS_ADDRS", service.program().to_uppercase());
            settings = settings.with(&name, self.shards[service.index()].join(","));
        }
        Audit::run(&settings, &["--json"]).await
    }
}
