//! nginx in front of separate services: one worker, and connections to the services that are kept.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::processes::logged::Logged;
use crate::service::Service;

/// More requests than any measurement sends: nginx would close a connection after a thousand.
const REQUESTS_MAX: u64 = 1_000_000_000;

/// The directories in which nginx may be: it is not always installed where a user looks for programs.
pub fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/usr/local/sbin")
}

/// The configuration of a gateway on `port` before the machines of orders, stock and payment, by their ports.
pub fn configuration(port: u16, machines: &[(Service, Vec<u16>)]) -> String {
    let mut upstreams = String::new();
    let mut locations = String::new();
    for (service, ports) in machines {
        let name = service.prefix();
        let servers: String = ports.iter().map(|port| format!("server 127.0.0.1:{port}; ")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            upstreams,
            "  upstream {name} {{ {servers}keepalive 512; keepalive_requests {REQUESTS_MAX}; keepalive_timeout 60s; }}"
        );
        // The slash after the name takes the prefix off.
        let _ = writeln!(locations, "    location /{name}/ {{ proxy_pass http://{name}/; }}");
    }
    format!(
        "daemon off;\nworker_processes 1;\nworker_rlimit_nofile 65536;\npid nginx.pid;\nerror_log error.log warn;\n\
         events {{ worker_connections 40000; }}\n\
         http {{\n  access_log off;\n  server_tokens off;\n  keepalive_timeout 75s;\n  keepalive_requests {REQUESTS_MAX};\n\
         \x20 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         {upstreams}\
         \x20 server {{\n    listen 127.0.0.1:{port} backlog=16384;\n\
         \x20   proxy_http_version 1.1;\n    proxy_set_header Connection \"\";\n    proxy_connect_timeout 2s;\n\
         \x20   proxy_read_timeout 600s;\n    proxy_next_upstream off;\n\
         {locations}\
         \x20   location /health/ {{ proxy_pass http://orders/health/; }}\n  }}\n}}\n"
    )
}

/// Starts it, with everything it writes in `directory`.
///
/// # Errors
/// It is not installed, or does not start.
pub fn start(program: &Path, directory: &Path, port: u16, machines: &[(Service, Vec<u16>)]) -> Result<Logged, String> {
    let file = directory.join("nginx.conf");
    let failed = |error| format!("{}: {error}", file.display());
    std::fs::write(&file, configuration(port, machines)).map_err(failed)?;
    let mut command = Command::new(program);
    command.env("PATH", search_path());
    command.arg("-p").arg(directory).arg("-c").arg(&file).args(["-e", "error.log"]);
    Logged::start("nginx", command, directory)
        .map_err(|error| format!("{error} (scripts/install-tools.sh nginx installs it)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_machines_and_loses_its_prefix() {
        let machines = [(Service::Order, vec![1, 2]), (Service::Stock, vec![3]), (Service::Payment, vec![4])];
        let text = configuration(8000, &machines);
        assert!(text.contains("upstream orders { server 127.0.0.1:1; server 127.0.0.1:2; keepalive 512;"), "{text}");
        assert!(text.contains("location /stock/ { proxy_pass http://stock/; }"), "{text}");
        assert!(text.contains("listen 127.0.0.1:8000 "), "{text}");
        assert_eq!(text.matches('{').count(), text.matches('}').count());
    }
}
