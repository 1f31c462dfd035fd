//! The `shop` program: all three services in one process, with Redis servers of its own or with
//! ours.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::data::Data;
use crate::front::Front;
use crate::network::ports;
use crate::processes::process::{Process, Refusal};
use crate::processes::settings::Settings;
use crate::redis::RedisServer;
use crate::service::Service;

/// How long a shop may take to end after SIGTERM, its Redis servers included.
const END: Duration = Duration::from_secs(15);

/// How a shop is started.
#[derive(Debug, Clone)]
pub struct ShopOptions {
    /// Redis servers that it starts for each service.
    pub shards: usize,
    /// Settings beyond the usual.
    pub settings: Settings,
}

impl Default for ShopOptions {
    fn default() -> ShopOptions {
        ShopOptions { shards: 1, settings: Settings::none() }
    }
}

/// A shop over a data directory of its own; ended when dropped, with its Redis servers.
#[derive(Debug)]
pub struct Shop {
    process: Process,
    port: u16,
    shards: usize,
    settings: Settings,
    data: DataDir,
}

impl Shop {
    /// Starts a shop with one shard a service.
    pub async fn start() -> Shop {
        Shop::start_with(ShopOptions::default()).await
    }

    /// Starts a shop and returns when it is ready.
    pub async fn start_with(options: ShopOptions) -> Shop {
        let data = DataDir::default();
        let port = ports::free();
        let settings = Settings::usual()
            .with("PORT", port)
            .with("DATA_DIR", data.path().display())
            .with("SHARDS", options.shards)
            .and(&options.settings);
        let process = Process::start("shop", &settings);
        let mut shop = Shop { process, port, shards: options.shards, settings, data };
        shop.process.ready(port).await;
        shop
    }

    /// Tries to start a shop that is expected to refuse it.
    pub async fn refused(settings: &Settings) -> Refusal {
        Process::refused("shop", settings).await
    }

    /// The settings that it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// A client of it.
    pub fn front(&self) -> Front {
        Front::behind(self.port)
    }

    /// What lies in its shards.
    pub fn data(&self) -> Data {
        let url = |service: Service, shard| format!("redis+unix://{}", self.data.socket(service, shard).display());
        Data::new(Service::ALL.map(|service| (0..self.shards).map(|shard| url(service, shard)).collect()))
    }

    /// Prints the end of what it wrote.
    pub fn report(&self) {
        self.process.report();
    }

    /// Ends it in good order and waits for that.
    ///
    /// # Panics
    /// When it does not end well, or not in time.
    pub async fn stop(&mut self) {
        self.process.terminate();
        let status = self.process.ended(END).await;
        assert_eq!(status.and_then(|status| status.code()), Some(0), "shop after SIGTERM");
    }

    /// Starts it again on the same port with the same data and settings, after it has ended.
    pub async fn start_again(&mut self) {
        self.process = Process::start("shop", &self.settings);
        self.process.ready(self.port).await;
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.process.end_within(END);
    }
}

/// A data directory; when it is dropped, Redis servers that a killed shop left behind
/// are ended, and it is removed.
#[derive(Debug)]
struct DataDir(TempDir);

impl Default for DataDir {
    fn default() -> DataDir {
        DataDir(TempDir::new().expect("a temporary directory can be made"))
    }
}

impl DataDir {
    fn path(&self) -> &Path {
        self.0.path()
    }

    fn socket(&self, service: Service, shard: usize) -> PathBuf {
        self.path().join(format!("{service}-{shard}")).join("redis.sock")
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let Ok(entries) = self.path().read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            if let Ok(mut redis) = UnixStream::connect(entry.path().join("redis.sock")) {
                let _ = redis.write_all(b"SHUTDOWN NOSAVE\r\n");
            }
        }
    }
}

/// A shop over Redis servers that the test starts, and can pause and kill.
#[derive(Debug)]
pub struct ShopOverRedis {
    shop: Shop,
    redis: [Vec<RedisServer>; 3],
}

impl ShopOverRedis {
    /// Starts as many servers a service, and a shop that uses them.
    pub async fn start(shards: usize, settings: &Settings) -> ShopOverRedis {
        let redis = Service::ALL.map(|_| RedisServer::start_many(shards));
        let redis = futures_util::future::join_all(redis).await.try_into().expect("there are three services");
        ShopOverRedis::start_over(redis, settings).await
    }

    /// Starts a shop that uses these servers, in the order of [`Service::ALL`].
    pub async fn start_over(redis: [Vec<RedisServer>; 3], settings: &Settings) -> ShopOverRedis {
        let shards = redis[0].len();
        let data = DataDir::default();
        let port = ports::free();
        let mut settings = Settings::usual().with("PORT", port).with("DATA_DIR", data.path().display()).and(settings);
        for service in Service::ALL {
            let shards: Vec<String> = redis[service.index()].iter().map(RedisServer::address).collect();
            let name = format!("{}_REDIS_ADDRS", service.program().to_uppercase());
            settings = settings.with(&name, shards.join(","));
        }
        let process = Process::start("shop", &settings);
        let mut shop = Shop { process, port, shards, settings, data };
        shop.process.ready(port).await;
        ShopOverRedis { shop, redis }
    }

    /// The shop.
    pub fn shop(&mut self) -> &mut Shop {
        &mut self.shop
    }

    /// A client of it.
    pub fn front(&self) -> Front {
        self.shop.front()
    }

    /// What lies in its shards.
    pub fn data(&self) -> Data {
        Data::new(self.redis.each_ref().map(|shards| shards.iter().map(RedisServer::url).collect()))
    }

    /// A shard, counted from 0.
    pub fn redis(&mut self, service: Service, shard: usize) -> &mut RedisServer {
        &mut self.redis[service.index()][shard]
    }
}
