//! The templates of `[providers]`: `{id}`, `{pin}` and `{endpoint}` are filled in, and `[…]` is left out when a name
//! inside has no value.

use std::str::FromStr;

/// A template, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Always(Element),
    WhenKnown(Vec<Element>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Element {
    Text(String),
    Name(Name),
}

/// What a template can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `{id}`
    Id,
    /// `{pin}`
    Pin,
    /// `{endpoint}`: host and port, without scheme and parameters.
    Endpoint,
}

/// What the names stand for. Not printable: the PIN is in the clear.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The cleaned meeting id.
    pub id: Option<&'a str>,
    /// The cleaned PIN, or what stands for it.
    pub pin: Option<&'a str>,
    /// Host and port.
    pub endpoint: &'a str,
}

/// A filled-in template, piece by piece. Not printable: the PIN is in the clear.
pub struct Filled<'a>(pub Vec<Piece<'a>>);

/// A piece of a filled-in template.
pub enum Piece<'a> {
    /// As the template has it.
    Text(&'a str),
    /// The value of a name.
    Value(Name, &'a str),
}

impl Template {
    /// Fills it in; `None` when a name outside `[…]` has no value.
    pub fn fill<'a>(&'a self, values: Values<'a>) -> Option<Filled<'a>> {
        let mut pieces = Vec::new();
        for part in &self.0 {
            match part {
                Part::Always(element) => pieces.push(element.piece(values)?),
                Part::WhenKnown(elements) => {
                    let group: Option<Vec<_>> =
                        elements.iter().map(|element| element.piece(values)).collect();
                    pieces.extend(group.into_iter().flatten());
                }
            }
        }
        Some(Filled(pieces))
    }

    /// Whether it writes a user part itself, so that an endpoint that has one cannot be put in.
    pub fn writes_user(&self) -> bool {
        let has_at = |element: &Element| matches!(element, Element::Text(text) if text.contains('@'));
        self.0.iter().any(|part| match part {
            Part::Always(element) => has_at(element),
            Part::WhenKnown(elements) => elements.iter().any(has_at),
        })
    }
}

impl Filled<'_> {
    /// The text.
    pub fn text(&self) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) | Piece::Value(_, text) => *text,
            })
            .collect()
    }

    /// Whether this name's value is in it.
    pub fn uses(&self, name: Name) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Value(used, _) if *used == name))
    }
}

impl Element {
    fn piece<'a>(&'a self, values: Values<'a>) -> Option<Piece<'a>> {
        match self {
            Self::Text(text) => Some(Piece::Text(text)),
            Self::Name(name) => {
                let value = match name {
                    Name::Id => values.id,
                    Name::Pin => values.pin,
                    Name::Endpoint => Some(values.endpoint),
                };
                value.map(|value| Piece::Value(*name, value))
            }
        }
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(next) = rest.chars().next() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (group, after) = inside
                    .split_once(']')
                    .ok_or_else(|| format!("the template \"{template}\" has a [ without its ]"))?;
                if group.contains('[') {
                    return Err(format!("the template \"{template}\" has a [ inside [ ]"));
                }
                parts.push(Part::WhenKnown(read_elements(group, template)?));
                rest = after;
            } else if next == ']' {
                return Err(format!("the template \"{template}\" has a ] without its ["));
            } else {
                let (plain, after) = rest.split_at(rest.find(['[', ']']).unwrap_or(rest.len()));
                parts.extend(read_elements(plain, template)?.into_iter().map(Part::Always));
                rest = after;
            }
        }
        if parts.is_empty() {
            return Err("a template is empty: leave the key out where there is none".to_owned());
        }
        Ok(Self(parts))
    }
}

fn read_elements(text: &str, template: &str) -> Result<Vec<Element>, String> {
    let mut elements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, after) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
        if !plain.is_empty() {
            elements.push(Element::Text(plain.to_owned()));
        }
        if after.is_empty() {
            break;
        }
        let (name, after) = after
            .strip_prefix('{')
            .and_then(|name| name.split_once('}'))
            .ok_or_else(|| format!("the template \"{template}\" has a brace without its partner"))?;
        elements.push(Element::Name(match name {
            "id" => Name::Id,
            "pin" => Name::Pin,
            "endpoint" => Name::Endpoint,
            unknown => {
                return Err(format!(
                    "the template \"{template}\" names {{{unknown}}}; known are {{id}}, {{pin}} and {{endpoint}}"
                ));
            }
        }));
        rest = after;
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_left_out_when_a_name_inside_has_no_value() {
        let filled = |template: &str, id, pin| {
            let template: Template = template.parse().unwrap();
            let values = Values {
                id,
                pin,
                endpoint: "host",
            };
            template.fill(values).map(|filled| filled.text())
        };
        let zoom = "{id}[.{pin}]@{endpoint}";
        assert_eq!(filled(zoom, Some("1"), Some("2")).as_deref(), Some("1.2@host"));
        assert_eq!(filled(zoom, Some("1"), None).as_deref(), Some("1@host"));
        assert_eq!(filled(zoom, None, Some("2")), None);
        assert_eq!(
            filled("[{id}.{pin}@]{endpoint}", Some("1"), None).as_deref(),
            Some("host")
        );
        assert_eq!(filled("[x]{endpoint}", None, None).as_deref(), Some("xhost"));
    }

    #[test]
    fn a_broken_template_says_what_is_wrong() {
        for (template, wrong) in [
            ("{id}@{host}", "{host}"),
            ("{id", "brace"),
            ("id}", "brace"),
            ("[{id}", "["),
            ("{id}]", "]"),
            ("[[{id}]]", "inside"),
            ("{i[d}]", "brace"),
            ("", "empty"),
        ] {
            let error = template.parse::<Template>().unwrap_err();
            assert!(error.contains(wrong), "{template}: {error}");
        }
    }
}
