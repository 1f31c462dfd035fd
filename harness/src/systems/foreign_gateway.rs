//! Gateways that this project does not ship: an nginx as somebody else would set it up.

use std::fs::{self, File};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::front::Front;
use crate::network::addresses::{Addresses, port_here};
use crate::network::nginx;
use crate::processes::child::Child;
use crate::service::Service;
use crate::wait::eventually;

/// How long nginx may take to listen, and to end its workers.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where a test of its own may write.
const OWN: &str = "
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;";

/// A running nginx with somebody else's configuration.
#[derive(Debug)]
pub struct ForeignGateway {
    nginx: Child,
    _dir: TempDir,
    address: String,
    _addresses: Addresses,
}

impl ForeignGateway {
    /// `proxy_pass` and nothing else, before a shop.
    pub async fn plain(shop: &Front) -> ForeignGateway {
        let (shop, _) = shop.address(Service::Order);
        let server = format!("location / {{ proxy_pass http://{shop}; }} access_log off;");
        ForeignGateway::start("", &server).await
    }

    /// An upstream and a location for each service, as courses hand it out, before machines that are reached directly.
    pub async fn of_a_course(machines: &Front) -> ForeignGateway {
        let (mut upstreams, mut locations) = (String::new(), String::new());
        for service in Service::ALL {
            let (machine, _) = machines.address(service);
            upstreams.push_str(&format!("    upstream {service}-app {{ server {machine}; }}\n"));
            let prefix = service.prefix();
            locations.push_str(&format!("        location /{prefix}/ {{ proxy_pass http://{service}-app/; }}\n"));
        }
        locations.push_str("        access_log DIR/server.access.log;\n");
        ForeignGateway::start(&upstreams, &locations).await
    }

    async fn start(upstreams: &str, server: &str) -> ForeignGateway {
        let (addresses, dir) = (Addresses::default(), TempDir::new().expect("a temporary directory can be made"));
        let address = format!("{}:{}", addresses.next(), port_here(8000));
        let own = dir.path().to_str().expect("temporary paths are text");
        let configuration = format!(
            "pid DIR/pid;\nerror_log stderr;\nevents {{ worker_connections 2048; }}\nhttp {{{OWN}\n{upstreams}    \
             server {{\n        listen {address};\n{server}\n    }}\n}}\n"
        );
        let file = dir.path().join("nginx.conf");
        fs::write(&file, configuration.replace("DIR", own)).expect("a file can be written");
        let mut start = Command::new("nginx");
        start.args(["-g", "daemon off;", "-c"]).arg(&file).env("PATH", nginx::search_path());
        let output = |name| File::create(dir.path().join(name)).expect("an output file can be made");
        start.stdin(Stdio::null()).stdout(output("stdout")).stderr(output("stderr"));
        // A killed nginx would leave its workers behind.
        let nginx = Child::start(start, Signal::SIGTERM);
        let gateway = ForeignGateway { nginx, _dir: dir, address, _addresses: addresses };
        eventually("the gateway listens", PATIENCE, async || TcpStream::connect(&gateway.address).ok().map(|_| ()))
            .await;
        gateway
    }

    /// A client of it.
    pub fn front(&self) -> Front {
        Front::at(&self.address)
    }
}

impl Drop for ForeignGateway {
    fn drop(&mut self) {
        self.nginx.end_within(PATIENCE);
    }
}
