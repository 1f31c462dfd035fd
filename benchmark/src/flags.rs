//! Flags that have no effect beside the others are refused, and never passed over in silence.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::commands::experiments::Which;
use crate::commands::growth::What;
use crate::load::fill::How;
use crate::systems::system::Setting;
use crate::{Args, Command};

/// Looks whether everything on the command line has an effect.
///
/// # Errors
/// What has none, in one sentence.
pub fn sensible(args: &Args, matches: &ArgMatches) -> Result<(), String> {
    let Some((_, of_command)) = matches.subcommand() else {
        return Ok(());
    };
    // The first of these flags that was given.
    let given = |ids: &[&str]| {
        let id = ids.iter().find(|id| of_command.value_source(id) == Some(ValueSource::CommandLine));
        id.map(|id| format!("--{}", id.replace('_', "-")))
    };
    let refuse =
        |ids: &[&str], why: &str| given(ids).map_or(Ok(()), |flag| Err(format!("{flag} has no effect: {why}")));
    let unless = |effect: bool, ids: &[&str], why: &str| if effect { Ok(()) } else { refuse(ids, why) };
    let batch = |how: How| unless(how == How::Batch, &["batch_timeout_s"], "nothing is loaded with batch_init");
    let nginx = |settings: &[Setting]| {
        let gateway = settings.iter().any(|setting| *setting != Setting::A);
        unless(gateway, &["nginx"], "there is no gateway in setting A")
    };
    match &args.command {
        Command::Load(load) => batch(load.how),
        Command::Checkout(_) => Ok(()),
        Command::Stress(stress) => batch(stress.load).and_then(|()| stress.sensible()),
        Command::Consistency(consistency) => {
            let large = ["large_items", "large_users", "large_clients"];
            unless(consistency.large_orders > 0, &large, "--large-orders 0 leaves the large burst out")?;
            refuse(&["batch_timeout_s"], "nothing is loaded with batch_init")
        }
        Command::Experiments(experiments) => {
            let divided = experiments.only.iter().any(|which| *which != Which::Few);
            unless(divided, &["fewer"], "`few` has 1 to 5 clients always")?;
            batch(experiments.load)
        }
        Command::Price(price) => nginx(&price.settings),
        Command::Growth(growth) => {
            let has = |wanted: &[What]| growth.only.iter().any(|what| wanted.contains(what));
            refuse(&["nginx"], "growth measures setting A, which has no gateway")?;
            unless(has(&[What::Overload]), &["overload_s"], "--only has no overload")?;
            unless(has(&[What::Memory, What::Overload]), &["many_clients"], "--only has neither memory nor overload")
        }
        Command::Kept(kept) => nginx(&kept.settings),
        Command::Bare(_) => refuse(&["json", "html", "charts"], "there is nothing to show"),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;

    fn read(line: &str) -> Result<(), String> {
        let words = std::iter::once("benchmark").chain(line.split_whitespace());
        let matches = Args::command().try_get_matches_from(words).map_err(|error| error.to_string())?;
        sensible(&Args::from_arg_matches(&matches).unwrap(), &matches)
    }

    #[test]
    fn a_flag_that_has_no_effect_is_named() {
        for (line, flag) in [
            ("bare --port 1 --charts charts", "--charts"),
            ("--json bare --port 1", "--json"),
            ("load --how plain --batch-timeout-s 5", "--batch-timeout-s"),
            ("stress --load plain --batch-timeout-s 5", "--batch-timeout-s"),
            ("stress --mix purchase --checkouts 5", "--checkouts"),
            ("consistency --large-orders 0 --large-items 9", "--large-items"),
            ("consistency --batch-timeout-s 5", "--batch-timeout-s"),
            ("experiments --only few --fewer 5", "--fewer"),
            ("price --settings a --nginx /sbin/nginx", "--nginx"),
            ("kept --settings a --nginx /sbin/nginx", "--nginx"),
            ("growth --nginx /sbin/nginx", "--nginx"),
            ("growth --only hot --overload-s 5", "--overload-s"),
            ("growth --only hot --many-clients 5", "--many-clients"),
        ] {
            let said = read(line).unwrap_err();
            assert!(said.starts_with(flag), "{line}: {said}");
        }
        let both = "load --url http://a --order-url http://b --stock-url http://c --payment-url http://d";
        assert!(read(both).unwrap_err().contains("--url"));
    }

    #[test]
    fn a_flag_that_has_an_effect_is_taken() {
        for line in [
            "stress --checkouts 5 --charts charts --html page.html --json",
            "consistency --large-items 9",
            "price --settings a,b --nginx /sbin/nginx",
            "growth --only memory --many-clients 5",
            "experiments --only few,many --fewer 5",
            "load --order-url http://b --stock-url http://c --payment-url http://d",
        ] {
            assert_eq!(read(line), Ok(()), "{line}");
        }
    }
}
