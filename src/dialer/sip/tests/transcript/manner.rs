//! The ways in which one and the same message can be written down.

/// How a message of theirs is written down.
#[derive(Default)]
pub struct Manner {
    /// With the compact names of RFC 3261 7.3.3, folded values, and as much white space as there may be.
    pub is_compact: bool,
    /// With this name before each address in brackets.
    pub named: Option<&'static [u8]>,
}

impl Manner {
    /// The message as it goes over the wire.
    pub fn write(&self, message: Vec<u8>) -> Vec<u8> {
        let end = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 2;
        let (head, body) = message.split_at(end);
        let head = std::str::from_utf8(head).unwrap();
        let mut written = Vec::new();
        for line in head.split_terminator("\r\n") {
            match line.split_once(": ") {
                Some((name, value)) if self.is_compact => {
                    let name = compact(name).unwrap_or(name);
                    let value = value.replace(';', "\r\n\t;").replace(", ", "\r\n ,\r\n\t");
                    written.extend_from_slice(format!("{name}  :\r\n  {value}").as_bytes());
                }
                Some((name @ ("From" | "To" | "Contact"), value)) if self.named.is_some() => {
                    let (_, after) = value.split_once('<').expect("an address in brackets");
                    let parts = [
                        name.as_bytes(),
                        b": ",
                        self.named.unwrap(),
                        b" <",
                        after.as_bytes(),
                    ];
                    written.extend_from_slice(&parts.concat());
                }
                Some(_) | None => written.extend_from_slice(line.as_bytes()),
            }
            written.extend_from_slice(b"\r\n");
        }
        written.extend_from_slice(body);
        written
    }
}

fn compact(name: &str) -> Option<&'static str> {
    let names = [
        ("Via", "v"),
        ("From", "f"),
        ("To", "t"),
        ("Call-ID", "i"),
        ("Contact", "m"),
        ("Content-Type", "c"),
        ("Content-Length", "l"),
        ("Supported", "k"),
    ];
    names
        .into_iter()
        .find_map(|(long, short)| (long == name).then_some(short))
}

/// A display name of a kind: `utf-8`, `latin-1`, `tricky`.
pub fn display_name(kind: &str) -> &'static [u8] {
    match kind {
        "utf-8" => "\"Bürö Größe ☎\"".as_bytes(),
        "latin-1" => b"\"B\xfcr\xf6 Gr\xf6\xdfe\"",
        "tricky" => br#""<sip:no@one>;tag=x, \"y\" ""#,
        other => panic!("unknown name {other:?}"),
    }
}
