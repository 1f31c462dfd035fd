//! Asks a Redis server how it is: one short connection for each question, all of them bounded.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::Duration;

use redis::{Client, Connection, ConnectionAddr, InfoDict, IntoConnectionInfo, RedisResult};

/// How long a server may take over one answer before it counts as silent. One that loads its data
/// looks at its connections only now and then.
const REPLY_PATIENCE: Duration = Duration::from_secs(1);

/// How a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It serves.
    Ready,
    /// It still reads its data from disk.
    Loading {
        /// How far it is, in bytes.
        bytes: u64,
        /// How far it is, in whole per cent.
        percent: u64,
    },
    /// It gives no answer that is of use; this is what came instead.
    Silent(String),
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Loading { percent, .. } => write!(f, "{percent}% loaded"),
            Self::Silent(why) => f.write_str(why),
        }
    }
}

/// Connects to a server, for a few commands that are each answered in time or fail.
pub(super) fn connect(socket: &Path) -> RedisResult<Connection> {
    let address = ConnectionAddr::Unix(socket.to_owned()).into_connection_info()?;
    let connection = Client::open(address)?.get_connection_with_timeout(REPLY_PATIENCE)?;
    connection.set_read_timeout(Some(REPLY_PATIENCE))?;
    connection.set_write_timeout(Some(REPLY_PATIENCE))?;
    Ok(connection)
}

/// Asks whether a server is ready, and how far it is if it is not.
pub(super) fn ask(socket: &Path) -> Answer {
    let answer = connect(socket).and_then(|mut connection| ready_or_loading(&mut connection));
    answer.unwrap_or_else(|error| Answer::Silent(error.to_string()))
}

fn ready_or_loading(connection: &mut Connection) -> RedisResult<Answer> {
    match redis::cmd("PING").exec(connection) {
        Err(error) if error.code() == Some("LOADING") => {
            let info: InfoDict = redis::cmd("INFO").arg("persistence").query(connection)?;
            let number = |field| info.get::<f64>(field).map(|number| number as u64);
            let progress = number("loading_loaded_bytes").zip(number("loading_loaded_perc"));
            // Without progress to tell of, it has become ready between the two questions.
            Ok(progress.map_or(Answer::Ready, |(bytes, percent)| Answer::Loading { bytes, percent }))
        }
        answer => answer.map(|()| Answer::Ready),
    }
}
