//! The shipped gateway, nginx with `gateway/nginx.conf`, in front of services that are started for a measurement.
//!
//! What is measured is what ships: only its port, the directories that it writes to and the machines are put in.

use std::path::Path;
use std::process::Command;

use shardcart_harness::Service;
use shardcart_harness::network::nginx;
use shardcart_harness::processes::logged::Logged;

const CONFIGURATION: &str = include_str!("../../../gateway/nginx.conf");
const UPSTREAMS: &str = include_str!("../../../gateway/upstreams.conf");

/// What is replaced in the configuration: where it listens, and where it writes.
const LISTEN: &str = "listen 8000";
const WRITES: &str = " /tmp/";

/// Starts it on `port` of the loopback interface, before the machines of each service by their ports. Everything that it
/// writes goes into `directory`.
///
/// # Errors
/// nginx is not installed or does not start.
pub fn start(program: &Path, directory: &Path, port: u16, machines: &[(Service, Vec<u16>)]) -> Result<Logged, String> {
    let own = directory.join("gateway");
    let write = |name: &str, text: String| {
        std::fs::write(own.join(name), text).map_err(|error| format!("{}: {error}", own.join(name).display()))
    };
    std::fs::create_dir(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    write("nginx.conf", configuration(port, &own)?)?;
    write("upstreams.conf", upstreams(machines)?)?;
    let mut command = Command::new(program);
    command.env("PATH", nginx::search_path());
    command.arg("-c").arg(own.join("nginx.conf")).args(["-e", "stderr", "-g", "daemon off;"]);
    Logged::start("nginx", command, directory)
        .map_err(|error| format!("{error} (scripts/install-tools.sh nginx installs it)"))
}

fn configuration(port: u16, directory: &Path) -> Result<String, String> {
    if !CONFIGURATION.contains(LISTEN) || !CONFIGURATION.contains(WRITES) {
        return Err(format!("gateway/nginx.conf has no {LISTEN:?} or no {WRITES:?} any more"));
    }
    let writes = format!(" {}/", directory.display());
    Ok(CONFIGURATION.replace(LISTEN, &format!("listen 127.0.0.1:{port}")).replace(WRITES, &writes))
}

/// The shipped upstreams with these machines in place of those of compose, which take over their settings.
fn upstreams(machines: &[(Service, Vec<u16>)]) -> Result<String, String> {
    let mut text = String::new();
    let mut upstream = None;
    let mut put_in = 0;
    for line in UPSTREAMS.lines() {
        if let Some(name) = line.strip_prefix("upstream ").and_then(|rest| rest.split(' ').next()) {
            upstream = machines.iter().find(|(service, _)| service.to_string() == name);
        }
        let Some(shipped) = line.trim_start().strip_prefix("server ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        // The first shipped line of a service gives way to all of its machines, the others to nothing.
        let Some((_, ports)) = upstream.take() else { continue };
        let settings = shipped.split_once(' ').map_or(";", |(_, settings)| settings);
        let servers = ports.iter().map(|port| format!("    server 127.0.0.1:{port} {settings}\n"));
        text.push_str(&servers.collect::<String>());
        put_in += 1;
    }
    if put_in == machines.len() { Ok(text) } else { Err("gateway/upstreams.conf lacks a service".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_upstreams_list_our_machines_and_keep_their_settings() {
        let machines = [(Service::Order, vec![1, 2]), (Service::Stock, vec![3]), (Service::Payment, vec![4])];
        let text = upstreams(&machines).unwrap();
        for port in 1..=4 {
            let line = format!("    server 127.0.0.1:{port} max_fails=1 fail_timeout=1s;\n");
            assert_eq!(text.matches(&line).count(), 1, "{text}");
        }
        assert_eq!(text.matches("server ").count(), 4, "{text}");
        assert_eq!(text.matches("keepalive 256;").count(), 3, "{text}");
    }

    #[test]
    fn nothing_of_the_shipped_configuration_changes_but_where_it_listens_and_writes() {
        let text = configuration(8123, Path::new("/data/gateway")).unwrap();
        assert!(text.contains("listen 127.0.0.1:8123 default_server"), "{text}");
        assert!(!text.contains(WRITES), "{text}");
        assert_eq!(text.replace("127.0.0.1:8123", "8000").replace(" /data/gateway/", WRITES), CONFIGURATION);
    }
}
