//! The walls of the house: only the edge touches the world, and modules use each other through their doors.
//!
//! Architecture invariant: what is absent from the lists below is absent from the code. A violation names the
//! file, the line and the path that crossed the wall.

#![allow(clippy::unwrap_used, reason = "every function in this binary serves a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// The modules that may touch the world: everything else is pure.
const WORLDLY: [&str; 4] = ["edge", "daemon", "cli", "main"];

/// The crates that pure modules may name: they compute, and touch nothing.
const PURE_CRATES: [&str; 24] = [
    "base64",
    "config",
    "crc32fast",
    "httpdate",
    "idna",
    "jiff",
    "md5",
    "opusic_c",
    "percent_encoding",
    "prometheus_client",
    "rand_chacha",
    "rsip",
    "rtcp_types",
    "rtp_types",
    "sdp_types",
    "secrecy",
    "serde",
    "serde_json",
    "sha2",
    "sonora",
    "strsim",
    "thiserror",
    "toml_edit",
    "webrtc_srtp",
];

/// Also pure: `tracing` only hands values on, `uuid` gets its bytes from us.
const PURE_CRATES_TOO: [&str; 2] = ["tracing", "uuid"];

/// The parts of the standard library that are the world.
const WORLDLY_STD: [&str; 15] = [
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::ToSocketAddrs",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::sync::mpsc",
];

/// The words that all modules share.
const WORDS: [&str; 6] = ["time", "chance", "secret", "network", "record", "call"];

/// The doors: which module may use which others, words aside. `a::b` opens that part only.
const DOORS: [(&str, &[&str]); 14] = [
    ("alexa::messages", &[]),
    ("alexa::client", &["alexa::messages"]),
    ("bridge", &["alexa"]),
    ("room", &["alexa::messages", "media"]),
    ("media", &[]),
    ("dialer", &["media"]),
    ("control", &[]),
    (
        "agent",
        &["alexa", "bridge", "room", "media", "dialer", "control", "config"],
    ),
    ("config", &["bridge", "room", "media", "dialer"]),
    ("edge", &["agent", "bridge", "media", "config", "control"]),
    ("daemon", &["agent", "edge", "config", "media", "bridge"]),
    ("doctor", &["bridge", "config", "control"]),
    (
        "cli",
        &[
            "agent", "bridge", "config", "edge", "daemon", "control", "room", "dialer", "doctor",
        ],
    ),
    ("main", &["cli"]),
];

#[test]
fn only_the_edge_touches_the_world() {
    let dependencies = dependencies();
    let mut faults = Vec::new();
    for file in source_files() {
        if WORLDLY.contains(&file.module[0].as_str()) {
            continue;
        }
        for named in &file.paths {
            let first = named.path.split("::").next().unwrap_or_default();
            let is_worldly_std = WORLDLY_STD
                .iter()
                .any(|worldly| named.path == *worldly || named.path.starts_with(&format!("{worldly}::")));
            let is_worldly_crate = dependencies.contains(first)
                && !PURE_CRATES.contains(&first)
                && !PURE_CRATES_TOO.contains(&first)
                && first != "crate"
                // A single segment is a variable or a type of ours.
                && named.path.contains("::");
            if is_worldly_std || is_worldly_crate {
                faults.push(format!("{}:{}: names {}", file.shown, named.line, named.path));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "pure modules touch the world:\n{}",
        faults.join("\n")
    );
}

#[test]
fn modules_use_each_other_through_their_doors() {
    let mut faults = Vec::new();
    for file in source_files() {
        let here = file.module.join("::");
        if here == "lib" {
            continue;
        }
        let Some(doors) = doors_of(&here) else {
            faults.push(format!(
                "{}: module {here} has no row among the doors",
                file.shown
            ));
            continue;
        };
        for named in &file.paths {
            let Some(inner) = named.path.strip_prefix("crate::") else {
                continue;
            };
            if !is_open(&here, inner, &doors) {
                faults.push(format!("{}:{}: {here} uses {inner}", file.shown, named.line));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "modules go through walls:\n{}",
        faults.join("\n")
    );
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let faults: Vec<_> = source_files()
        .into_iter()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| format!("{}:1: does not open with `//!`", file.shown))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_required_packages_are_really_used() {
    let named: BTreeSet<String> = source_files()
        .iter()
        .flat_map(|file| file.paths.iter())
        .filter_map(|named| named.path.split("::").next().map(str::to_owned))
        .collect();
    for package in [
        "tokio",
        "rsip",
        "tokio_tungstenite",
        "serde_json",
        "tracing_subscriber",
        "config",
        "systemd_journal_logger",
    ] {
        assert!(named.contains(package), "no source file names {package}");
    }
}

#[test]
fn the_walls_are_seen_where_they_are_crossed() {
    let paths = |text: &str| -> Vec<String> {
        let named = read_paths(text, &["room".into()]);
        named
            .into_iter()
            .map(|named| named.path)
            .filter(|path| path.contains("::"))
            .collect()
    };
    assert_eq!(
        paths("use tokio::{net::UdpSocket, time};"),
        ["tokio::net::UdpSocket", "tokio::time"]
    );
    assert_eq!(paths("fn f() { std::fs::read(x); }"), ["std::fs::read"]);
    assert_eq!(
        paths("fn f() { format!(\"{}\", std::env::args()); }"),
        ["std::env::args"]
    );
    assert_eq!(
        paths("mod a { use super::super::edge::clock; }"),
        ["crate::edge::clock"]
    );
    assert_eq!(
        paths("#[cfg(test)] mod tests { use std::fs; }"),
        Vec::<String>::new()
    );
    assert!(!is_open("room", "edge::clock", &[]));
    assert!(is_open("room::dial_plan", "room::room", &[]));
    assert!(!is_open("room", "alexa::client::auth", &["alexa::messages"]));
}

/// A path that a file names, and where.
struct Named {
    path: String,
    line: usize,
}

/// One source file of ours.
struct SourceFile {
    shown: String,
    text: String,
    module: Vec<String>,
    paths: Vec<Named>,
}

fn source_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let read: Vec<_> = files
        .into_iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).ok()?.to_owned();
            let module = module_of(&inside);
            // Files of `#[cfg(test)] mod tests;` are tests, not code.
            if module
                .iter()
                .any(|part| part == "tests" || part.ends_with("_tests"))
            {
                return None;
            }
            let text = fs::read_to_string(&path).unwrap();
            let paths = read_paths(&text, &module);
            Some(SourceFile {
                shown: format!("src/{}", inside.display()),
                text,
                module,
                paths,
            })
        })
        .collect();
    assert!(read.len() > 10, "the source files were not found");
    read
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module_of(inside: &Path) -> Vec<String> {
    let mut module: Vec<String> = inside
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

fn read_paths(text: &str, module: &[String]) -> Vec<Named> {
    let file = syn::parse_file(text).unwrap();
    let mut reader = PathReader {
        module: module.to_vec(),
        found: Vec::new(),
    };
    reader.visit_file(&file);
    reader.found
}

struct PathReader {
    module: Vec<String>,
    found: Vec<Named>,
}

impl PathReader {
    fn note(&mut self, segments: &[String], span: Span) {
        let mut absolute = segments.to_vec();
        let mut base = self.module.clone();
        if absolute.first().is_some_and(|first| first == "self") && absolute.len() > 1 {
            absolute.splice(0..1, std::iter::once("crate".to_owned()).chain(base.clone()));
        }
        let mut climbed = false;
        while absolute.first().is_some_and(|first| first == "super") {
            absolute.remove(0);
            base.pop();
            climbed = true;
        }
        if climbed {
            absolute.splice(0..0, std::iter::once("crate".to_owned()).chain(base));
        }
        self.found.push(Named {
            path: absolute.join("::"),
            line: span.start().line,
        });
    }

    fn use_tree(&mut self, prefix: &[String], tree: &syn::UseTree, span: Span) {
        let with = |name: &syn::Ident| {
            let mut path = prefix.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&with(&path.ident), &path.tree, path.ident.span()),
            syn::UseTree::Name(name) => {
                let path = if name.ident == "self" {
                    prefix.to_vec()
                } else {
                    with(&name.ident)
                };
                self.note(&path, name.ident.span());
            }
            syn::UseTree::Rename(rename) => self.note(&with(&rename.ident), rename.ident.span()),
            syn::UseTree::Glob(_) => self.note(prefix, span),
            syn::UseTree::Group(group) => {
                for item in &group.items {
                    self.use_tree(prefix, item, span);
                }
            }
        }
    }

    /// Paths in the arguments of a macro, which syn leaves as tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.finish(&mut path, start);
                    }
                    if path.is_empty() {
                        start = ident.span();
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.finish(&mut path, start);
                    self.tokens(group.stream());
                    colons = 0;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.finish(&mut path, start);
                    colons = 0;
                }
            }
        }
        self.finish(&mut path, start);
    }

    fn finish(&mut self, path: &mut Vec<String>, start: Span) {
        let whole = std::mem::take(path);
        if whole.len() > 1 {
            self.note(&whole, start);
        }
    }
}

impl<'ast> Visit<'ast> for PathReader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_for_tests(&item.attrs) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.use_tree(&[], &item.tree, item.use_token.span);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if let Some(first) = path.segments.first() {
            self.note(&segments, first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Ident>()
                    .is_ok_and(|what| what == "test")
    })
}

fn dependencies() -> BTreeSet<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let manifest: toml_edit::DocumentMut = manifest.parse().unwrap();
    manifest["dependencies"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, _)| crate_name(name))
        .collect()
}

fn crate_name(package: &str) -> String {
    match package {
        "md-5" => "md5".to_owned(),
        other => other.replace('-', "_"),
    }
}

fn doors_of(here: &str) -> Option<Vec<&'static str>> {
    let doors: BTreeMap<_, _> = DOORS.into_iter().collect();
    let mut part = here;
    loop {
        if let Some(open) = doors.get(part) {
            return Some(open.to_vec());
        }
        if WORDS.contains(&part) || part == "alexa" {
            return Some(Vec::new());
        }
        part = part.rsplit_once("::")?.0;
    }
}

fn is_open(here: &str, inner: &str, doors: &[&str]) -> bool {
    let leads_into = |door: &str| inner == door || inner.starts_with(&format!("{door}::"));
    // A module is at home in all of itself; `alexa` alone is two houses.
    let home = match here.split("::").collect::<Vec<_>>()[..] {
        ["alexa", second, ..] => format!("alexa::{second}"),
        [first, ..] => first.to_owned(),
        [] => return false,
    };
    leads_into(&home)
        || WORDS.iter().any(|word| leads_into(word))
        || doors.iter().any(|door| leads_into(door))
}
