//! Calls that go out as one pipeline: each has its own reply, and one whose script is missing is run again alone.

use std::collections::HashMap;

use redis::{Cmd, Pipeline, RedisError};

use crate::connections::{Lent, Reply, is_missing_script, load};
use crate::script::{Call, Script};

/// Calls for one server, and commands that end every pipeline in which they go out.
pub(crate) struct Calls {
    /// One for each call; the commands of the pipeline beyond them are the ending.
    scripts: Vec<Option<&'static Script>>,
    pipeline: Pipeline,
}

impl Calls {
    /// These calls, and after them these commands.
    pub(crate) fn new(calls: Vec<Call>, ending: &[Cmd]) -> Self {
        let mut scripts = Vec::with_capacity(calls.len());
        let mut pipeline = Pipeline::with_capacity(calls.len() + ending.len());
        for call in calls {
            scripts.push(call.script);
            pipeline.add_command(call.command);
        }
        for command in ending {
            pipeline.add_command(command.clone());
        }
        Calls { scripts, pipeline }
    }

    /// The same without some of the calls; the ending stays.
    pub(crate) fn retain(&self, wanted: &[bool]) -> Self {
        let is_wanted = |place: usize| wanted.get(place).is_none_or(|wanted| *wanted);
        let mut pipeline = Pipeline::with_capacity(self.pipeline.len());
        for (_, command) in self.pipeline.cmd_iter().enumerate().filter(|(place, _)| is_wanted(*place)) {
            pipeline.add_command(command.clone());
        }
        let scripts = self.scripts.iter().enumerate().filter(|(place, _)| is_wanted(*place));
        Calls { scripts: scripts.map(|(_, script)| *script).collect(), pipeline }
    }

    /// Sends them. The replies come in order, those of the ending last.
    ///
    /// # Errors
    /// The connection broke, or was silent: any of them may have run.
    pub(crate) async fn send(&self, lent: &mut Lent) -> Result<Vec<Reply>, RedisError> {
        let mut replies = lent.send_all(&self.pipeline).await?;
        self.rerun_missing(lent, &mut replies).await?;
        Ok(replies)
    }

    /// Loads the scripts that were found missing, and runs just the calls that did not run: their neighbours did, and
    /// are not run again. The ending follows once more.
    async fn rerun_missing(&self, lent: &mut Lent, replies: &mut [Reply]) -> Result<(), RedisError> {
        let is_missing = |reply: &Reply| reply.as_ref().is_err_and(is_missing_script);
        if !replies.iter().any(is_missing) {
            return Ok(());
        }
        let missing: Vec<bool> = replies[..self.scripts.len()].iter().map(is_missing).collect();
        let again = self.retain(&missing);
        let to_load: HashMap<&str, &Script> =
            again.scripts.iter().flatten().map(|script| (script.name(), *script)).collect();
        for script in to_load.into_values() {
            load(&mut lent.connection, script).await?;
        }
        let rerun = lent.send_all(&again.pipeline).await?;
        let places =
            replies.iter_mut().enumerate().filter(|(place, _)| missing.get(*place).is_none_or(|missing| *missing));
        for ((_, reply), rerun) in places.zip(rerun) {
            *reply = rerun;
        }
        Ok(())
    }
}
