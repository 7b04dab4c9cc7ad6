//! What is wrong with a configuration, and where: the lines of `meetd check`.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from, in the order in which the later wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The table of keys.
    Default,
    /// A line of a file.
    File {
        /// The number of the file, the main file first.
        layer: usize,
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable of this name.
    Environment(String),
    /// `--set`.
    Flag,
}

/// As `meetd config` shows it: `default`, `FILE:LINE`, `env NAME`, `flag`.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line, .. } => write!(formatter, "{}:{line}", path.display()),
            Self::Environment(name) => write!(formatter, "env {name}"),
            Self::Flag => formatter.write_str("flag"),
        }
    }
}

/// Whether a problem keeps the daemon from running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does.
    Error,
    /// It runs, but somebody should know.
    Warning,
}

/// One thing that is wrong. They sort by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// `section.key`; empty when it is the file itself that is wrong.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, what is allowed, and the way out. Never a secret.
    pub sentence: String,
}

impl Problem {
    /// An error.
    pub fn error(origin: Origin, key: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            origin,
            key: key.into(),
            severity: Severity::Error,
            sentence: sentence.into(),
        }
    }

    /// A warning.
    pub fn warning(origin: Origin, key: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(origin, key, sentence)
        }
    }

    /// Whether the daemon cannot run with it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line: `FILE:LINE: section.key: sentence`, warnings with `warning: ` before it.
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.is_error() { "" } else { "warning: " };
        let key = if self.key.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.key)
        };
        // File names, keys and values come from outside: they may forge no line and drive no terminal.
        formatter.write_str(&printable(&format!(
            "{warning}{}: {key}{}",
            self.origin, self.sentence
        )))
    }
}

/// The text with control characters and those that turn the direction of writing made visible.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let hidden = character.is_control()
                || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let escaped = hidden.then(|| character.escape_default());
            escaped.into_iter().flatten().chain((!hidden).then_some(character))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_sort_by_the_order_of_the_layers() {
        let file = |layer, line| Origin::File {
            layer,
            path: PathBuf::from(if layer == 0 { "z.toml" } else { "a.toml" }),
            line,
        };
        let mut places = [
            Origin::Flag,
            Origin::Environment("MEETD__B".to_owned()),
            file(1, 1),
            file(0, 10),
            file(0, 9),
        ];
        places.sort();
        let shown: Vec<_> = places.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["z.toml:9", "z.toml:10", "a.toml:1", "env MEETD__B", "flag"]
        );
    }

    #[test]
    fn what_was_found_cannot_forge_a_second_line() {
        let problem = Problem::error(Origin::Flag, "room.x", "\"a\nb\u{1b}[31m\u{202e}\" is wrong");
        assert_eq!(
            problem.to_string(),
            "flag: room.x: \"a\\nb\\u{1b}[31m\\u{202e}\" is wrong"
        );
    }
}
