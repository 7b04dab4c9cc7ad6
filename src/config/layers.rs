//! The layers of a configuration: files, environment, flags. Each becomes assignments of the keys' types, with the
//! place they come from; the `config` crate merges them, the later over the earlier.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::file_layer;
use super::key_names;
use super::keys::{self, KEYS};
use super::problem::{Origin, Problem};
use super::value::Value;

/// All that a configuration is made of, as text.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The main file, then those of `conf.d` in the order of their names.
    pub files: Vec<(PathBuf, String)>,
    /// Files that could not be read, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// Environment variables; those that do not begin with `MEETD__` are passed over.
    pub environment: Vec<(String, String)>,
    /// `--set` arguments: `section.key=VALUE`.
    pub flags: Vec<String>,
}

/// One key set to one value at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// `section.key`.
    pub key: String,
    /// The value, of the key's type and as its check wants it.
    pub value: Value,
    /// Where.
    pub origin: Origin,
}

/// The layers merged: each key's value and where it comes from.
#[derive(Clone, Debug, Default)]
pub struct Effective {
    values: BTreeMap<String, (Value, Origin)>,
    /// Where each section stands first.
    sections: BTreeMap<String, Origin>,
    /// Where a problem of the whole stands: line 1 of the main file.
    start: Option<Origin>,
    /// Keys that some layer set wrongly, so that conclusions from their values mean nothing.
    pub faulty: Vec<String>,
    /// Whether all files could be read, so that what is not here is nowhere.
    pub is_complete: bool,
}

impl Effective {
    /// The value of a key; `None` when it is required and missing, or unknown.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key).map(|(value, _)| value)
    }

    /// The value of a key that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Number(_) | Value::List(_) => None,
        }
    }

    /// The value of a key that is a list; nothing when it is none.
    pub fn texts(&self, key: &str) -> &[String] {
        match self.value(key) {
            Some(Value::List(texts)) => texts,
            Some(Value::Flag(_) | Value::Number(_) | Value::Text(_)) | None => &[],
        }
    }

    /// Where the value of a key comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.values
            .get(key)
            .map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Where to complain about a key: where it is set, else at its section, else at the start of the main file.
    pub fn place(&self, key: &str) -> Origin {
        match self.origin(key) {
            Origin::Default => {}
            origin => return origin,
        }
        let mut section = key;
        while let Some((outer, _)) = section.rsplit_once('.') {
            if let Some(origin) = self.sections.get(outer) {
                return origin.clone();
            }
            section = outer;
        }
        self.start.clone().unwrap_or(Origin::Default)
    }

    /// Gives a key the value and the place that it has in another one.
    pub fn take_over(&mut self, other: &Self, key: &str) {
        match other.values.get(key) {
            Some(held) => self.values.insert(key.to_owned(), held.clone()),
            None => self.values.remove(key),
        };
    }

    /// All keys with their values and places: the table's in its order, each provider's after the calls'.
    pub fn rows(&self) -> Vec<(&str, &Value, &Origin)> {
        let position = |name: &str| {
            let row = key_names::find(name).map(|key| key.name);
            KEYS.iter()
                .position(|key| Some(key.name) == row)
                .unwrap_or(KEYS.len())
        };
        let provider = |name: &str| {
            name.strip_prefix("providers.")
                .and_then(|rest| rest.split('.').next())
                .map(str::to_owned)
        };
        let mut rows: Vec<_> = self
            .values
            .iter()
            .map(|(name, (value, origin))| (name.as_str(), value, origin))
            .collect();
        let first_provider_key = KEYS.iter().position(|key| key.name.starts_with("providers."));
        rows.sort_by_key(|(name, ..)| match provider(name) {
            None => (position(name), None, 0),
            Some(provider) => (
                first_provider_key.unwrap_or(KEYS.len()),
                Some(provider),
                position(name),
            ),
        });
        rows
    }
}

/// Reads and merges all layers. What is wrong is left out and becomes a problem.
pub fn merge(sources: &Sources) -> (Effective, Vec<Problem>) {
    let mut reading = Reading::default();
    for (layer, (path, text)) in sources.files.iter().enumerate() {
        file_layer::read(layer, path, text, &mut reading);
    }
    for (path, why) in &sources.unreadable {
        let origin = Origin::File {
            layer: sources
                .files
                .iter()
                .position(|(read, _)| read == path)
                .unwrap_or(0),
            path: path.clone(),
            line: 1,
        };
        reading.is_complete = false;
        reading.problems.push(Problem::error(origin, "", why.clone()));
    }
    for (name, text) in &sources.environment {
        reading.environment(name, text);
    }
    for flag in &sources.flags {
        reading.flag(flag);
    }
    let mut effective = Effective {
        sections: reading.sections,
        start: sources
            .files
            .first()
            .map(|(path, _)| path)
            .or(sources.unreadable.first().map(|(path, _)| path))
            .map(|path| Origin::File {
                layer: 0,
                path: path.clone(),
                line: 1,
            }),
        faulty: reading
            .problems
            .iter()
            .map(|problem| problem.key.clone())
            .collect(),
        values: BTreeMap::new(),
        is_complete: reading.is_complete,
    };
    let mut problems = reading.problems;
    match merged_by_config_crate(&reading.assignments) {
        Ok(values) => effective.values = values,
        Err(why) => problems.push(Problem::error(effective.place(""), "", why)),
    }
    if reading.is_complete {
        problems.extend(missing(&effective));
    }
    (effective, problems)
}

/// What is known while the layers are read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) assignments: Vec<Assignment>,
    pub(super) sections: BTreeMap<String, Origin>,
    pub(super) problems: Vec<Problem>,
    /// Whether all files could be read, so that what is not there is missing.
    pub(super) is_complete: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            assignments: Vec::new(),
            sections: BTreeMap::new(),
            problems: Vec::new(),
            is_complete: true,
        }
    }
}

impl Reading {
    /// `MEETD__SECTION__KEY=text`.
    fn environment(&mut self, name: &str, text: &str) {
        let Some(path) = name.strip_prefix("MEETD__") else {
            return;
        };
        let key = path.to_ascii_lowercase().replace("__", ".");
        self.text(&key, text, Origin::Environment(name.to_owned()), |right| {
            format!("MEETD__{}", right.to_ascii_uppercase().replace('.', "__"))
        });
    }

    /// `--set section.key=text`.
    fn flag(&mut self, flag: &str) {
        match flag.split_once('=') {
            Some((key, text)) => self.text(key.trim(), text, Origin::Flag, str::to_owned),
            None => self.flag_without_value(flag.trim()),
        }
    }

    fn flag_without_value(&mut self, flag: &str) {
        let name = normalized_key(flag);
        if let Some(key) = key_names::find(&name) {
            let sentence = format!(
                "--set gives it no value; write --set {name}=VALUE, where VALUE is {}",
                key.kind.allowed()
            );
            return self.problems.push(Problem::error(Origin::Flag, name, sentence));
        }
        // Nothing of it is repeated: it may be a value without its key.
        let sentence = match key_names::nearest(&name) {
            Some(right) => format!("a --set has no =; did you mean --set {right}=VALUE?"),
            None => "a --set has no =; write --set section.key=VALUE".to_owned(),
        };
        self.problems.push(Problem::error(Origin::Flag, "", sentence));
    }

    fn text(&mut self, name: &str, text: &str, origin: Origin, spell: impl Fn(&str) -> String) {
        let name = normalized_key(name);
        match key_names::find(&name) {
            Some(key) => self.assign(key, name, key.kind.read_text(text), origin),
            None => self.unknown(&name, origin, spell),
        }
    }

    /// A key that may be set: to its value, or to something that is none.
    pub(super) fn assign(
        &mut self,
        key: &keys::Key,
        name: String,
        value: Result<Value, String>,
        origin: Origin,
    ) {
        match value.and_then(|value| key.check(&value).map(|()| value)) {
            Ok(value) => self.assignments.push(Assignment {
                key: name,
                value,
                origin,
            }),
            Err(sentence) => self.problems.push(Problem::error(origin, name, sentence)),
        }
    }

    /// A key that does not exist. Its value is not shown: it may be a secret under a wrong name.
    pub(super) fn unknown(&mut self, name: &str, origin: Origin, spell: impl Fn(&str) -> String) {
        let remedy = match key_names::nearest(name) {
            Some(right) => format!("did you mean {}?", spell(&right)),
            None => key_names::neighbours(name),
        };
        self.problems.push(Problem::error(
            origin,
            name,
            format!("there is no such key; {remedy}"),
        ));
    }
}

/// The key with the NAME of `providers.NAME` as directives are compared with it.
fn normalized_key(name: &str) -> String {
    let parts: Vec<_> = name.split('.').collect();
    match parts.as_slice() {
        ["providers", provider @ .., key] if !provider.is_empty() => {
            format!(
                "providers.{}.{key}",
                crate::room::dial_plan::normalized(&provider.join("."))
            )
        }
        _ => name.to_owned(),
    }
}

/// The required keys that nobody set.
fn missing(effective: &Effective) -> Vec<Problem> {
    KEYS.iter()
        .filter(|key| key.default == keys::Fallback::Required)
        .filter(|key| {
            effective.value(key.name).is_none() && !effective.faulty.iter().any(|name| name == key.name)
        })
        .map(|key| {
            let sentence = format!("this key is missing; it takes {}", key.kind.allowed());
            Problem::error(effective.place(key.name), key.name, sentence)
        })
        .collect()
}

/// Lays the assignments over each other and over the defaults.
fn merged_by_config_crate(assignments: &[Assignment]) -> Result<BTreeMap<String, (Value, Origin)>, String> {
    let mut builder = ::config::Config::builder();
    let defaults = KEYS.iter().filter_map(|key| Some((key, key.default_value()?)));
    for (key, value) in defaults.filter(|(key, _)| !key.name.contains("NAME")) {
        builder = builder.add_source(Layer::of(key.name, &value, None));
    }
    for (number, assignment) in assignments.iter().enumerate() {
        builder = builder.add_source(Layer::of(&assignment.key, &assignment.value, Some(number)));
    }
    let merged = builder.build().map_err(|error| error.to_string())?;
    let table = ::config::Source::collect(&merged).map_err(|error| error.to_string())?;
    let mut values = BTreeMap::new();
    flatten("", table.into_iter().collect(), assignments, &mut values);
    Ok(values)
}

/// One assignment as a source of the `config` crate. Its origin is the number of the assignment.
#[derive(Clone, Debug)]
struct Layer {
    section: String,
    content: ::config::Value,
}

impl Layer {
    fn of(name: &str, value: &Value, number: Option<usize>) -> Self {
        let origin = number.map(|number| number.to_string());
        let (section, rest) = name.split_once('.').unwrap_or((name, ""));
        let leaf = ::config::Value::new(origin.as_ref(), kind_of(value));
        let content = rest.rsplit('.').fold(leaf, |inner, part| {
            let table: ::config::Map<String, ::config::Value> =
                [(part.to_owned(), inner)].into_iter().collect();
            ::config::Value::new(None, table)
        });
        Self {
            section: section.to_owned(),
            content,
        }
    }
}

impl ::config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn ::config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<::config::Map<String, ::config::Value>, ::config::ConfigError> {
        Ok([(self.section.clone(), self.content.clone())]
            .into_iter()
            .collect())
    }
}

fn kind_of(value: &Value) -> ::config::ValueKind {
    match value {
        Value::Flag(flag) => (*flag).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(texts) => texts.clone().into(),
    }
}

/// The leaves of the merged tables, by their full names.
fn flatten(
    prefix: &str,
    table: BTreeMap<String, ::config::Value>,
    assignments: &[Assignment],
    values: &mut BTreeMap<String, (Value, Origin)>,
) {
    use ::config::ValueKind;
    for (name, value) in table {
        let full = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        let origin = value
            .origin()
            .and_then(|number| number.parse::<usize>().ok())
            .and_then(|number| assignments.get(number))
            .map_or(Origin::Default, |assignment| assignment.origin.clone());
        let leaf = match value.kind {
            ValueKind::Table(inner) => {
                flatten(&full, inner.into_iter().collect(), assignments, values);
                continue;
            }
            ValueKind::Boolean(flag) => Value::Flag(flag),
            ValueKind::I64(number) => Value::Number(number),
            ValueKind::String(text) => Value::Text(text),
            ValueKind::Array(texts) => Value::List(
                texts
                    .into_iter()
                    .filter_map(|text| text.into_string().ok())
                    .collect(),
            ),
            // `kind_of` makes no others.
            _ => continue,
        };
        values.insert(full, (leaf, origin));
    }
}
