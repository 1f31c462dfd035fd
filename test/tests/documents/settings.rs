//! The table of settings is what the programs say of themselves. `UPDATE_DOCS=1` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use shardcart_harness::processes::binaries;

use crate::repository;

const PAGE: &str = "docs/use/settings.md";
const BEGIN: &str = "<!-- made from --help by test/tests/documents: begin -->\n";
const END: &str = "<!-- made from --help by test/tests/documents: end -->\n";

/// Services first: what they have in common with `shop` has a better heading there.
const PROGRAMS: [&str; 4] = ["order", "stock", "payment", "shop"];

/// A setting of one program.
#[derive(Debug, Default, Clone)]
struct Setting {
    heading: String,
    flag: String,
    variable: String,
    meaning: String,
    values: Vec<String>,
    default: Option<String>,
    required: bool,
}

#[test]
fn the_table_of_settings_is_what_the_programs_say() {
    let page = repository::text(PAGE).expect("the page of settings can be read");
    let (before, rest) = page.split_once(BEGIN).expect("the page says where the table begins");
    let (_, after) = rest.split_once(END).expect("the page says where the table ends");
    let made = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(repository::root().join(PAGE), &made).expect("the page of settings can be written");
    } else {
        assert!(page == made, "{PAGE} is not what --help says: run this test with UPDATE_DOCS=1");
    }
}

fn table() -> String {
    let mut programs: BTreeMap<String, Vec<(&str, Setting)>> = BTreeMap::new();
    let (mut headings, mut order) = (Vec::new(), Vec::new());
    for program in PROGRAMS {
        for setting in settings(program) {
            let known = programs.entry(setting.variable.clone()).or_default();
            if known.is_empty() {
                order.push((setting.heading.clone(), setting.variable.clone()));
                if !headings.contains(&setting.heading) {
                    headings.push(setting.heading.clone());
                }
            }
            known.push((program, setting));
        }
    }
    let mut sections = Vec::new();
    for heading in headings {
        let mut section = format!("## {heading}\n\n| setting | of | default | meaning |\n|---|---|---|---|\n");
        for (_, variable) in order.iter().filter(|(of, _)| *of == heading) {
            section.push_str(&row(variable, &programs[variable]));
        }
        sections.push(section);
    }
    sections.join("\n")
}

fn row(variable: &str, programs: &[(&str, Setting)]) -> String {
    let (_, first) = &programs[0];
    let usual = format!("--{}", variable.to_lowercase().replace('_', "-"));
    let flag = if first.flag == usual { String::new() } else { format!(", `{}`", first.flag) };
    let names: Vec<&str> = programs.iter().map(|(program, _)| *program).collect();
    let of = match names.as_slice() {
        ["order", "stock", "payment", "shop"] => "all".to_owned(),
        ["order", "stock", "payment"] => "services".to_owned(),
        names => names.join(", "),
    };
    let shown = |setting: &Setting| match &setting.default {
        Some(text) => format!("`{text}`"),
        None if setting.required => "required".to_owned(),
        None => "none".to_owned(),
    };
    let default = if programs.iter().all(|(_, setting)| setting.default == first.default) {
        shown(first)
    } else {
        let each = programs.iter().map(|(program, setting)| format!("{} {program}", shown(setting)));
        each.collect::<Vec<_>>().join(", ")
    };
    let values = match first.values.as_slice() {
        [] => String::new(),
        values => format!(". Values: {}", values.join("; ")),
    };
    let meaning = format!("{}{values}", first.meaning).replace('|', "\\|");
    format!("| `{variable}`{flag} | {of} | {default} | {meaning} |\n")
}

/// What a program says of its settings when nothing is set.
fn settings(program: &str) -> Vec<Setting> {
    let help = Command::new(binaries::path(program)).arg("--help").env_clear().output().expect("the program runs");
    assert!(help.status.success(), "{program} --help");
    let help = String::from_utf8(help.stdout).expect("help is text");
    let usage: Vec<&str> = help.lines().filter(|line| line.contains("Usage: ")).collect();
    let mut settings: Vec<Setting> = Vec::new();
    let mut heading = "General".to_owned();
    for line in help.lines() {
        let text = line.trim();
        if !line.starts_with(' ') && text.ends_with(':') && !text.starts_with("Usage") {
            let named = text.trim_end_matches(':');
            named.clone_into(&mut heading);
            if matches!(named, "Options" | "Commands") {
                "General".clone_into(&mut heading);
            }
        } else if text.starts_with('-') && !text.starts_with("- ") {
            let flag = text.split([' ', ',']).find(|word| word.starts_with("--")).unwrap_or(text).to_owned();
            let flag = flag.split(['[', '=']).next().unwrap_or_default().to_owned();
            // The usage names the flags without which the program does not start.
            let required = usage.iter().any(|usage| usage.contains(&format!(" {flag} <")));
            settings.push(Setting { heading: heading.clone(), flag, required, ..Setting::default() });
        } else if let Some(setting) = settings.last_mut() {
            setting.take(text);
        }
    }
    // What has no variable is no setting: --help and --version.
    settings.retain(|setting| !setting.variable.is_empty());
    settings
}

impl Setting {
    /// Takes a line of what is said of it.
    fn take(&mut self, text: &str) {
        let bracket = |name: &str| text.strip_prefix(name).map(|rest| rest.trim_end_matches(']').to_owned());
        if let Some(variable) = bracket("[env: ") {
            variable.trim_end_matches('=').clone_into(&mut self.variable);
        } else if let Some(default) = bracket("[default: ") {
            self.default = Some(default);
        } else if let Some(values) = bracket("[possible values: ") {
            self.values = values.split(", ").map(|value| format!("`{value}`")).collect();
        } else if let Some((value, meaning)) = text.strip_prefix("- ").and_then(|rest| rest.split_once(':')) {
            self.values.push(format!("`{value}`: {}", meaning.trim()));
        } else if self.meaning.is_empty() {
            text.clone_into(&mut self.meaning);
        }
    }
}
