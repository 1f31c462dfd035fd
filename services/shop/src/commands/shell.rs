//! `shop completions` and `shop man`: what a shell and `man` know of the command line, made from it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

/// Print completions for a shell: bash, elvish, fish, powershell, zsh
///
/// For bash: shop completions bash > ~/.local/share/bash-completion/completions/shop
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Print the manual page of shop, or write all pages
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Write the pages of shop and of each command to this directory
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Prints completions.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "shop", &mut text);
    ended(write(&text))
}

/// Prints or writes manual pages.
pub fn man(args: &ManArgs, command: Command) -> ExitCode {
    ended(match &args.dir {
        Some(dir) => pages(dir, command),
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(command).render(&mut text).and_then(|()| write(&text))
        }
    })
}

fn pages(dir: &Path, command: Command) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)
}

/// A reader that has closed stdout has read enough.
fn write(text: &[u8]) -> std::io::Result<()> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn ended(written: std::io::Result<()>) -> ExitCode {
    written.map_or_else(
        |error| {
            eprintln!("error: it cannot be written: {error}");
            ExitCode::from(3)
        },
        |()| ExitCode::SUCCESS,
    )
}
