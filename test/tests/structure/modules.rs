//! The modules of a crate, and which of them use which.
//!
//! In every folder (the crate's own, and that of each module that has modules in it) the modules beside each other are
//! compared: one of them uses another when anything inside it names anything inside that other, directly or by a name that
//! a module above passes on. What lies in the file of the folder itself belongs to nobody there: a part may use it, and it
//! may use its parts.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::tokens::tokens;

/// A module's place: the names of the modules around it, and its own.
type Path = Vec<String>;

/// What one module names.
#[derive(Debug, Default)]
struct Module {
    /// Paths as they are written, with the module in which they are: it may lie inside this one's file.
    named: Vec<(Path, Path)>,
    /// Names that it brings in, with their paths as they are written.
    brought: BTreeMap<String, Path>,
}

/// All modules of a crate.
#[derive(Debug, Default)]
pub struct Modules(BTreeMap<Path, Module>);

impl Modules {
    /// Reads a crate from its root file on. `read` gives the code of a file by its path below the root's directory, if it
    /// is there.
    ///
    /// # Panics
    /// When the file of a module is not there.
    pub fn read(root: &str, read: &impl Fn(&str) -> Option<String>) -> Modules {
        let mut modules = Modules::default();
        let code = read(root).unwrap_or_else(|| panic!("{root} is not there"));
        modules.add(Vec::new(), "", &code, read);
        modules
    }

    /// Adds a module with all that is in it. The files of its modules lie in `dir`, which ends with a slash if it is one.
    fn add(&mut self, place: Path, dir: &str, code: &str, read: &impl Fn(&str) -> Option<String>) {
        let mut parts = Vec::new();
        self.0.insert(place.clone(), Module::default());
        self.take(&place, &tokens(code), &mut parts);
        for part in parts {
            let name = part.last().expect("a part has a name");
            let inside: String = part[place.len()..].iter().map(|name| format!("{name}/")).collect();
            let inside = format!("{dir}{inside}");
            let file = format!("{}.rs", inside.trim_end_matches('/'));
            let code = read(&file).or_else(|| read(&format!("{inside}mod.rs")));
            let code = code.unwrap_or_else(|| panic!("the module {name} has neither {file} nor {inside}mod.rs"));
            self.add(part, &inside, &code, read);
        }
    }

    /// Takes what a file names, and notes the modules that lie in files of their own.
    fn take(&mut self, place: &Path, tokens: &[String], parts: &mut Vec<Path>) {
        let mut here = place.clone();
        // The depth of braces around each module inside this file.
        let mut ends = Vec::new();
        let (mut depth, mut at) = (0, 0);
        let word = |at: usize| tokens.get(at).map_or("", String::as_str);
        while at < tokens.len() {
            match (word(at), word(at + 1), word(at + 2)) {
                ("mod", name, ";") => parts.push([here.as_slice(), &[name.to_owned()]].concat()),
                ("mod", name, "{") => {
                    here.push(name.to_owned());
                    self.0.insert(here.clone(), Module::default());
                    ends.push(depth);
                }
                ("use", next, _) if next != "<" => {
                    let mut paths = Vec::new();
                    at = tree(tokens, at + 1, &[], &mut paths);
                    let module = self.0.get_mut(&here).expect("the module was added");
                    for (path, name) in paths {
                        module.brought.insert(name, path.clone());
                        module.named.push((here.clone(), path));
                    }
                    continue;
                }
                ("crate" | "super" | "self", "::", _) => {
                    let mut path = vec![word(at).to_owned()];
                    while word(at + 1) == "::"
                        && word(at + 2).starts_with(|sign: char| sign.is_alphabetic() || sign == '_')
                    {
                        path.push(word(at + 2).to_owned());
                        at += 2;
                    }
                    self.0.get_mut(&here).expect("the module was added").named.push((here.clone(), path));
                }
                ("{", ..) => depth += 1,
                ("}", ..) => {
                    depth -= 1;
                    if ends.last() == Some(&depth) {
                        ends.pop();
                        here.pop();
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// The first circle that is found in each folder, as sentences.
    pub fn cycles(&self) -> Vec<String> {
        let mut graphs: BTreeMap<Path, Graph> = BTreeMap::new();
        for (from, module) in &self.0 {
            for (here, path) in &module.named {
                let Some(to) = self.find(here, path, &mut BTreeSet::new()) else { continue };
                let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
                if shared < from.len() && shared < to.len() {
                    let example = format!("{} names {}", from.join("::"), path.join("::"));
                    graphs.entry(from[..shared].to_vec()).or_default().add(&from[shared], &to[shared], &example);
                }
            }
        }
        let told = |(folder, graph): (&Path, &Graph)| {
            let cycle = graph.cycle()?.join("; ");
            let folder = if folder.is_empty() { "the crate".to_owned() } else { folder.join("::") };
            Some(format!("in {folder}: {cycle}"))
        };
        graphs.iter().filter_map(told).collect()
    }

    /// The module in which that lies which is written as `path` in the module `here`; `None` when it is not of this crate.
    fn find(&self, here: &Path, path: &[String], seen: &mut BTreeSet<(Path, Path)>) -> Option<Path> {
        if !seen.insert((here.clone(), path.to_vec())) {
            return None;
        }
        let (mut place, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (here.clone(), &path[1..]),
            "super" => (here[..here.len().checked_sub(1)?].to_vec(), &path[1..]),
            first if self.0.contains_key(&[here.as_slice(), &[first.to_owned()]].concat()) => (here.clone(), path),
            _ => return None,
        };
        while let Some((name, further)) = rest.split_first() {
            if name == "super" {
                place.pop();
            } else {
                let part = [place.as_slice(), std::slice::from_ref(name)].concat();
                if self.0.contains_key(&part) {
                    place = part;
                } else if let Some(brought) = self.0.get(&place).and_then(|module| module.brought.get(name)) {
                    let passed_on = [brought.as_slice(), further].concat();
                    return self.find(&place, &passed_on, seen).or(Some(place));
                } else {
                    break;
                }
            }
            rest = further;
        }
        Some(place)
    }
}

/// Reads one tree of a `use` from `at` on: adds its paths, each with the name that it brings in, and gives the place after.
fn tree(tokens: &[String], mut at: usize, before: &[String], paths: &mut Vec<(Path, String)>) -> usize {
    let mut path = before.to_vec();
    let mut name = None;
    loop {
        match tokens.get(at).map_or(";", String::as_str) {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = tree(tokens, at, &path, paths);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            ";" | "," | "}" => {
                if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    path.pop();
                }
                let last = path.last().cloned().unwrap_or_default();
                paths.push((path, name.unwrap_or(last)));
                return at;
            }
            "as" => {
                name = tokens.get(at + 1).cloned();
                at += 1;
            }
            "::" | "*" => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &str| Some(files.iter().find(|(file, _)| *file == path)?.1.to_owned());
        Modules::read("lib.rs", &read).cycles()
    }

    #[test]
    fn imports_that_go_one_way_are_no_circle() {
        let files = [
            ("lib.rs", "pub mod a; pub mod b; pub use a::A;"),
            ("a.rs", "use std::fmt; pub struct A;"),
            ("b.rs", "use crate::{A, a}; fn f(_: super::a::A) {}"),
        ];
        assert_eq!(cycles(&files), [""; 0]);
    }

    #[test]
    fn two_modules_that_use_one_another_are_a_circle() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::{self, C as D};"),
            ("b.rs", "pub struct C; fn f() { super::a::g(); }"),
        ];
        let expected = "in the crate: a uses b: a names crate::b; b uses a: b names super::a::g";
        assert_eq!(cycles(&files), [expected]);
    }

    #[test]
    fn a_folder_is_one_module_to_those_beside_it() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod x; mod y;"),
            ("a/x.rs", "use crate::b::B;"),
            ("a/y.rs", ""),
            ("b.rs", "pub struct B; use crate::a::y::Y;"),
        ];
        assert_eq!(
            cycles(&files),
            ["in the crate: a uses b: a::x names crate::b::B; b uses a: b names crate::a::y::Y"]
        );
    }

    #[test]
    fn modules_in_a_folder_are_compared_as_well() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod x; mod y; pub struct Own; fn f() { x::g(); }"),
            ("a/x.rs", "use super::y::Y; use super::Own;"),
            ("a/y.rs", "use crate::a::x;"),
        ];
        assert_eq!(cycles(&files), ["in a: x uses y: a::x names super::y::Y; y uses x: a::y names crate::a::x"]);
    }

    #[test]
    fn a_name_that_is_passed_on_counts_for_where_it_lies() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::B;"),
            ("a.rs", "use crate::B;"),
            ("b.rs", "pub struct B; use crate::a;"),
        ];
        assert_eq!(cycles(&files).len(), 1);
    }

    #[test]
    fn what_is_for_tests_alone_may_look_anywhere() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "#[cfg(test)] mod tests { use crate::b; }"),
            ("b.rs", "use crate::a; // and crate::c"),
        ];
        assert_eq!(cycles(&files), [""; 0]);
    }

    #[test]
    fn a_module_inside_a_file_is_a_module() {
        let files = [("lib.rs", "mod a { pub mod c { use super::super::b; } } mod b { use crate::a::c; }")];
        assert_eq!(cycles(&files).len(), 1);
    }
}
