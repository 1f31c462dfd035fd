//! Whether a program is a Redis server that we can use, asked before anything is created for it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::start_error::StartError;

/// Scripts declare with flags what they do, which came with Redis 7. Valkey began at 7.2.
const VERSION_MAJOR_MIN: u32 = 7;

/// How long the program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes sure that `program` exists and is Redis 7.0 or newer, or Valkey.
pub(super) fn check(program: &OsStr) -> Result<(), StartError> {
    let name = program.display().to_string();
    let unusable = |why| StartError::ProgramUnusable { program: name.clone(), why };
    let said = version_output(program).map_err(|cause| {
        if is_missing(program, &cause) {
            StartError::ProgramNotFound(name.clone())
        } else {
            unusable(cause.to_string())
        }
    })?;
    let (version, major) =
        version_in(&said).ok_or_else(|| unusable("its --version is not that of Redis".to_owned()))?;
    if major < VERSION_MAJOR_MIN {
        return Err(StartError::ProgramTooOld { program: name, version: version.to_owned() });
    }
    Ok(())
}

fn is_missing(program: &OsStr, cause: &io::Error) -> bool {
    let is_path = program.as_encoded_bytes().contains(&b'/');
    match cause.kind() {
        io::ErrorKind::NotFound => true,
        // The search has found nothing, and was not allowed to look everywhere.
        io::ErrorKind::PermissionDenied => !is_path,
        _ => false,
    }
}

fn version_output(program: &OsStr) -> io::Result<String> {
    let mut command = Command::new(program);
    let mut child =
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other("it does not answer to --version"));
        }
        thread::sleep(Duration::from_millis(2));
    }
    let mut said = Vec::new();
    child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_end(&mut said))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// The version in `Redis server v=7.0.15 sha=…`, and its first number.
fn version_in(said: &str) -> Option<(&str, u32)> {
    let version = said.split_whitespace().find_map(|word| word.strip_prefix("v="))?;
    let major = version.split('.').next()?.parse().ok()?;
    Some((version, major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_in_reads_redis_and_valkey_and_nothing_else() {
        for (said, version) in [
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", Some(("7.0.15", 7))),
            ("Redis server v=6.2.7 sha=00000000:0 malloc=libc bits=64", Some(("6.2.7", 6))),
            ("Valkey server v=8.1.0 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", Some(("8.1.0", 8))),
            ("sleep (GNU coreutils) 9.1", None),
            ("v=next", None),
            ("", None),
        ] {
            assert_eq!(version_in(said), version, "{said}");
        }
    }
}
