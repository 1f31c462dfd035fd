//! The settings of the console.

use clap::Args;
use shardcart_types::secret::Secret;

/// The console's token is asked for from the outside: it has to be harder to guess than those between machines.
const TOKEN_MIN: usize = 16;

/// Who may see the console.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Console")]
pub struct ConsoleSettings {
    /// Secret that opens the console, also through a gateway: at least 16 printable characters. Without it the console is shown by an order machine on its internal port, by the shop to its own machine
    #[arg(long, env = "CONSOLE_TOKEN", hide_env_values = true)]
    pub console_token: Option<Secret>,
}

impl ConsoleSettings {
    /// The token. An empty one is none: a deployment may pass on a variable that nobody has set.
    pub fn token(&self) -> Option<&Secret> {
        self.console_token.as_ref().filter(|token| !token.expose().is_empty())
    }

    /// Checks what clap does not.
    ///
    /// # Errors
    /// A sentence that names the variable, without its value.
    pub fn check(&self) -> Result<(), String> {
        let Some(token) = self.token() else { return Ok(()) };
        token.check_token("CONSOLE_TOKEN")?;
        if token.expose().len() < TOKEN_MIN {
            return Err(format!(
                "CONSOLE_TOKEN is too short (its value is not shown): expected at least {TOKEN_MIN} characters"
            ));
        }
        Ok(())
    }
}
