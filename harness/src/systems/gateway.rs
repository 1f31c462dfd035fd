//! The shipped gateway before machines that a test makes up: each does one thing, and notes what it was asked.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::front::Front;
use crate::network::addresses::{Addresses, port_here};
use crate::network::nginx;
use crate::processes::child::Child;
use crate::service::Service;
use crate::wait::eventually;

/// What a machine does with every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Answers 200 with the request's head as its body.
    Echo,
    /// Reads it and closes the connection.
    HangUp,
    /// Reads it and says nothing.
    Nothing,
    /// Does not even listen.
    Refuse,
}

/// A machine that is none.
#[derive(Debug)]
pub struct Mock {
    address: String,
    /// The first lines of the requests that came.
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Mock {
    fn start(address: String, does: Does) -> Mock {
        let (asked, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        if does != Does::Refuse {
            let listener = TcpListener::bind(&address).expect("the address is free");
            let (asked, connections) = (Arc::clone(&asked), Arc::clone(&connections));
            // It waits for connections as long as the test process lives.
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    connections.fetch_add(1, Ordering::Relaxed);
                    let asked = Arc::clone(&asked);
                    thread::spawn(move || talk(&stream, does, &asked));
                }
            });
        }
        Mock { address, asked, connections }
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The first lines of the requests that came so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder of this lock panics").clone()
    }
}

fn talk(mut stream: &TcpStream, does: Does, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let first = head.lines().next().unwrap_or_default().to_owned();
        asked.lock().expect("no holder of this lock panics").push(first);
        match does {
            Does::Echo => {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            Does::Nothing => {}
            Does::HangUp | Does::Refuse => return,
        }
    }
}

/// Stands in for the lookup of a name: every name has the address that a file tells.
const GETENT: &str = "#!/bin/sh\ncat \"$(dirname \"$0\")/address\"\n";
/// How long nginx may take to end its workers.
const NGINX_ENDS: Duration = Duration::from_secs(10);

/// A running nginx with the shipped configuration, and the machines behind it.
#[derive(Debug)]
pub struct Gateway {
    nginx: Child,
    dir: TempDir,
    address: String,
    /// All machines of each service, by [`Service::index`].
    pub machines: [Vec<Mock>; 3],
    _addresses: Addresses,
}

impl Gateway {
    /// Starts it before as many machines of each service as are given here, each of which does what is said.
    pub async fn before(does: &[Does]) -> Gateway {
        Gateway::with(does, |configuration| configuration).await
    }

    /// The same with another configuration.
    pub async fn with(does: &[Does], edit: impl Fn(String) -> String) -> Gateway {
        let mut nginx = Command::new("nginx");
        nginx.args(["-g", "daemon off;"]);
        Gateway::start(nginx, does, edit).await
    }

    /// The same as compose starts it. What it looks up is told by [`Gateway::move_machines`].
    pub async fn by_script(does: &[Does]) -> Gateway {
        Gateway::start(Command::new("sh"), does, |configuration| configuration).await
    }

    /// The same behind proxies at these addresses or networks.
    pub async fn behind(proxies: &str, does: &[Does]) -> Gateway {
        let mut script = Command::new("sh");
        script.env("TRUSTED_PROXIES", proxies);
        Gateway::start(script, does, |configuration| configuration).await
    }

    /// Puts the second machine of a service in the place of the first, as if that had moved, and says that the names of
    /// all machines stand for other addresses now.
    pub fn move_machines(&self, service: Service) {
        let (file, machines) = (self.dir.path().join("upstreams.conf"), &self.machines[service.index()]);
        let upstreams = fs::read_to_string(&file).expect("it is there");
        let moved = upstreams.replace(&machines[0].address, &machines[1].address);
        fs::write(&file, moved).expect("a file can be written");
        fs::write(self.dir.path().join("address"), "127.0.0.2       STREAM\n").expect("a file can be written");
    }

    async fn start(mut start: Command, does: &[Does], edit: impl Fn(String) -> String) -> Gateway {
        let (addresses, dir) = (Addresses::default(), TempDir::new().expect("a temporary directory can be made"));
        let machines =
            Service::ALL.map(|_| does.iter().map(|does| Mock::start(at_port(&addresses), *does)).collect::<Vec<_>>());
        let address = at_port(&addresses);
        let own = dir.path().to_str().expect("temporary paths are text");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway");
        let read = |name| fs::read_to_string(shipped.join(name)).expect("it is shipped");
        let configuration = read("nginx.conf").replace(" /tmp/", &format!(" {own}/"));
        let configuration = edit(configuration.replace("listen 8000", &format!("listen {address}")));
        let mut upstreams = read("upstreams.conf");
        for service in Service::ALL {
            let port = 8001 + service.index();
            let shipped: Vec<String> = (1..=2)
                .map(|machine| format!("    server {service}-{machine}:{port} max_fails=1 fail_timeout=1s;\n"))
                .collect();
            let ours = machines[service.index()]
                .iter()
                .map(|machine: &Mock| format!("    server {} max_fails=1 fail_timeout=1s;\n", machine.address));
            assert!(upstreams.contains(&shipped.concat()), "upstreams.conf lists two machines of {service}");
            upstreams = upstreams.replace(&shipped.concat(), &ours.collect::<String>());
        }
        fs::write(dir.path().join("nginx.conf"), configuration).expect("a file can be written");
        fs::write(dir.path().join("upstreams.conf"), upstreams).expect("a file can be written");
        let script = read("run.sh").replace(" /tmp/", &format!(" {own}/"));
        fs::write(dir.path().join("run.sh"), script).expect("a file can be written");
        fs::write(dir.path().join("address"), "127.0.0.1       STREAM\n").expect("a file can be written");
        fs::write(dir.path().join("getent"), GETENT).expect("a file can be written");
        fs::set_permissions(dir.path().join("getent"), fs::Permissions::from_mode(0o755)).expect("one's own file");
        if start.get_program() == "nginx" {
            start.args(["-c", &format!("{own}/nginx.conf")]);
        } else {
            start.arg(format!("{own}/run.sh"));
        }
        start.env("PATH", format!("{own}:{}", nginx::search_path()));
        let file = |name| File::create(dir.path().join(name)).expect("an output file can be made");
        start.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        // A killed nginx would leave its workers behind.
        let nginx = Child::start(start, Signal::SIGTERM);
        let gateway = Gateway { nginx, dir, address, machines, _addresses: addresses };
        eventually("the gateway listens", Duration::from_secs(20), async || {
            TcpStream::connect(&gateway.address).ok().map(|_| ())
        })
        .await;
        gateway
    }

    /// A client of it.
    pub fn front(&self) -> Front {
        Front::at(&self.address)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("stdout")).expect("its output is there")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.nginx.end_within(NGINX_ENDS);
    }
}

fn at_port(addresses: &Addresses) -> String {
    format!("{}:{}", addresses.next(), port_here(8000))
}
