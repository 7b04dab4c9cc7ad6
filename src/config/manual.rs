//! The manual page meetd.toml(5), made from the table of keys.

use std::fmt::Write as _;

use super::keys::{KEYS, Key, Reload};

const BEGINNING: &str = r#".\" Made from the table of keys; see CONTRIBUTING.md.
.TH MEETD.TOML 5 "" "meetd" "File formats"
.SH NAME
meetd.toml \- the configuration of the conferencing agent
.SH SYNOPSIS
.nf
/etc/meetd/meetd.toml
/etc/meetd/conf.d/*.toml
.fi
.SH DESCRIPTION
TOML: sections in brackets, below each its keys. The files in
.I conf.d
are read after the first, by name; then
.B MEETD__SECTION__KEY
from the environment (lists split at commas); then
.BR "\-\-set section.key=VALUE" .
The later wins. Unknown keys and wrong values are errors:
.B meetd check
names them all, with their lines.
.PP
Durations are texts such as "500ms", "6.5s", "10m", "12h". Secrets stand in files of their own, which keys that end in
.I _file
name; a relative name is looked up in the service's credentials, then beside the configuration file.
.PP
A changed value counts, as each key says: at once when the service is reloaded, for the next call after that, or after a
restart.
.PP
The least that makes calls:
.PP
.RS 4
.nf
[room]
endpoint_id = "room\-15\-104"

[bridge]
url = "wss://bridge.example.com/rooms/room\-15\-104"

[calls]
allow = ["*.zoomcrc.com"]
.fi
.RE
"#;

const END: &str = ".SH SEE ALSO\n.BR meetd (8)\n";

/// The page, in the language of man(7).
pub fn page() -> String {
    let mut page = BEGINNING.to_owned();
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            // Writing to a String cannot fail.
            let _ = writeln!(page, ".SH [{}]", escaped(&section.to_uppercase()));
        }
        entry(&mut page, key);
    }
    page.push_str(END);
    page
}

fn entry(page: &mut String, key: &Key) {
    let name = key.name.rsplit_once('.').map_or(key.name, |(_, name)| name);
    let default = match key.default_value() {
        Some(value) => format!("default {value}"),
        None => "required".to_owned(),
    };
    let counts = match key.reload {
        Reload::Live => "at once when reloaded",
        Reload::NextCall => "for the next call when reloaded",
        Reload::Restart => "after a restart",
    };
    let _ = writeln!(
        page,
        ".TP\n.B {}\n{}\n{}; {}. A change counts {counts}.",
        escaped(name),
        escaped(key.sentence),
        escaped(&capitalised(&key.kind.allowed())),
        escaped(&default),
    );
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// Text as man(7) takes it: a backslash and a hyphen are commands, a point or an apostrophe in front as well.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}
