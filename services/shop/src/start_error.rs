//! Why the shop does not start, in words that tell its user what to do about it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why the shop's data directory or its Redis servers cannot be used.
///
/// Each is one line for the terminal; where a server's own log tells more, its last lines follow.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Asked for no shard at all.
    #[error("--shards 0 leaves nowhere to store anything; give each service at least 1")]
    NoShards,
    /// Something else has the data directory's name, or that of a directory above it.
    #[error("{} is not a directory; choose another --data-dir", .0.display())]
    NotADirectory(PathBuf),
    /// This user may not create files there.
    #[error("cannot write to {}: {cause}; change its permissions, or choose another --data-dir", .path.display())]
    NotWritable {
        /// The data directory, or the nearest existing directory above it.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A Unix socket cannot have a path of that length.
    #[error(
        "the socket {} would have a path of {length} bytes, and {limit} is the most a system allows; \
         choose a shorter --data-dir",
        .socket.display()
    )]
    PathTooLong {
        /// The longest of the socket paths.
        socket: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// How many bytes it may have.
        limit: usize,
    },
    /// Addresses of Redis servers are text, so the path has to be text too.
    #[error("the path {} is not valid UTF-8; choose another --data-dir", .0.display())]
    NotUtf8(PathBuf),
    /// A live shop owns the directory.
    #[error("the data directory {} is in use by another shop; stop that one first, or choose another --data-dir", .0.display())]
    InUse(PathBuf),
    /// Some of the shards that hold data would not be served.
    #[error(
        "the data directory {} was made with {had} shards a service, and --shards {wanted} would leave data \
         behind; start with --shards {had} or more, or choose another --data-dir",
        .path.display()
    )]
    FewerShards {
        /// The data directory.
        path: PathBuf,
        /// How many shards of a service it has.
        had: usize,
        /// How many were asked for.
        wanted: u16,
    },
    /// A file operation that should work has failed.
    #[error("cannot {doing} {}: {cause}; put that right, or choose another --data-dir", .path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// What it was tried on.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// No such program.
    #[error(
        "cannot find {0}; install Redis (Debian, Ubuntu: `sudo apt-get install redis-server`; macOS: \
         `brew install redis`), or name a Redis or Valkey server with --redis-server"
    )]
    ProgramNotFound(String),
    /// There is such a program, and it is of no use.
    #[error("{program} cannot be used as the Redis server: {why}; name another one with --redis-server")]
    ProgramUnusable {
        /// The program as it was given.
        program: String,
        /// What is wrong with it.
        why: String,
    },
    /// The program lacks what the scripts need.
    #[error(
        "{program} is version {version}, and Shardcart needs Redis 7.0 or newer, or Valkey; install a newer one, \
         or name it with --redis-server"
    )]
    ProgramTooOld {
        /// The program as it was given.
        program: String,
        /// What it says of itself.
        version: String,
    },
    /// A Redis server that keeps its data elsewhere answers where one of ours should.
    #[error(
        "the Redis server that answers on {} belongs to {dir}; stop it, or choose another --data-dir",
        .socket.display()
    )]
    ForeignServer {
        /// Where it answers.
        socket: PathBuf,
        /// Where it keeps its data.
        dir: String,
    },
    /// A server left behind by an earlier shop still runs, although it was asked to stop.
    #[error(
        "a Redis server that an earlier shop left behind in {} does not stop; end it \
         (`fuser {}` names its process), then start again",
        .dir.display(),
        .dir.join("lock").display()
    )]
    LeftoverStays {
        /// The server's directory.
        dir: PathBuf,
    },
    /// A server has ended, although nobody told it to.
    #[error("redis {name} has exited ({status}); its log, {}, ends:\n{tail}", .log.display())]
    Exited {
        /// Service and shard: `stock-0`.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// Its whole log.
        log: PathBuf,
        /// The last lines of it, indented.
        tail: String,
    },
    /// A server runs and neither becomes ready nor comes any closer to it.
    #[error(
        "redis {name} does not become ready ({last}) and has not moved on for {waited_s} s; \
         look at its log, {}, then start again",
        .log.display()
    )]
    Stuck {
        /// Service and shard: `stock-0`.
        name: String,
        /// Its last answer.
        last: String,
        /// How long there was no progress, in seconds.
        waited_s: u64,
        /// Its whole log.
        log: PathBuf,
    },
}

impl StartError {
    /// Makes a failed file operation into a refusal that names it.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io { doing, path, cause }
    }
}
