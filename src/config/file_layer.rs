//! One TOML file as assignments, each with its line.

use std::path::Path;

use toml_edit::{Document, Item, Key, TableLike};

use super::key_names;
use super::layers::Reading;
use super::problem::{Origin, Problem};

/// Reads a file's text; what is wrong with it becomes problems.
pub(super) fn read(layer: usize, path: &Path, text: &str, reading: &mut Reading) {
    let file = File { layer, path, text };
    match Document::parse(text) {
        Ok(document) => file.table("", document.as_table(), reading),
        Err(error) => {
            // The message alone: the whole error repeats the line, which may hold a secret.
            let why = error.message().trim().replace('\n', "; ");
            let origin = file.origin(error.span().map_or(0, |span| span.start));
            reading.is_complete = false;
            reading
                .problems
                .push(Problem::error(origin, "", format!("this is no TOML: {why}")));
        }
    }
}

struct File<'a> {
    layer: usize,
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn table(&self, prefix: &str, table: &dyn TableLike, reading: &mut Reading) {
        for (written, item) in table.iter() {
            // A provider's name may have dots and capitals: `[providers."Amazon.Chime"]`.
            let name = match prefix {
                "providers" => crate::room::dial_plan::normalized(written),
                // A dot inside a quoted key is no step into a section.
                _ if written.contains('.') => format!("{written:?}"),
                _ => written.to_owned(),
            };
            let full = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            self.item(full, table.key(written), item, reading);
        }
    }

    fn item(&self, name: String, key: Option<&Key>, item: &Item, reading: &mut Reading) {
        let start = key
            .and_then(Key::span)
            .or(item.span())
            .map_or(0, |span| span.start);
        let origin = self.origin(start);
        if let Some(row) = key_names::find(&name) {
            return reading.assign(row, name, row.kind.read_toml(item), origin);
        }
        match item.as_table_like() {
            Some(table) if key_names::is_section(&name) => {
                reading.sections.entry(name.clone()).or_insert(origin);
                self.table(&name, table, reading);
            }
            // Each key below a wrong section is named with the one that it may be.
            Some(table) if !table.is_empty() => self.table(&name, table, reading),
            _ if key_names::is_section(&name) => {
                let sentence = format!("this is a section; write [{name}] and its keys below");
                reading.problems.push(Problem::error(origin, name, sentence));
            }
            _ => reading.unknown(&name, origin, str::to_owned),
        }
    }

    fn origin(&self, byte: usize) -> Origin {
        let before = self.text.get(..byte).unwrap_or(self.text);
        Origin::File {
            layer: self.layer,
            path: self.path.to_owned(),
            line: 1 + before.matches('\n').count(),
        }
    }
}
