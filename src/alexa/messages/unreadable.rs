//! Text that our JSON reader cannot hold: broken, or JSON with a number beyond all ranges, a lone surrogate or a
//! hundred levels of nesting. A directive among the latter still gets its one event.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::incoming::{DirectiveFault, Incoming, InvalidDirective, Unanswerable};

/// Looks once more at a text that could not be read because of `fault`.
pub(super) fn read(text: &str, fault: &serde_json::Error) -> Incoming {
    if serde_json::from_str::<OnlyDirective>(text).is_err() {
        return Incoming::Unanswerable(Unanswerable::NoJson(fault.to_string()));
    }
    let header = serde_json::from_str::<OnlyHeader>(text).ok();
    let header = header.map(|frame| frame.directive.header).unwrap_or_default();
    Incoming::Invalid(Box::new(InvalidDirective {
        message_id: header.message_id,
        correlation_token: header.correlation_token,
        fault: DirectiveFault::Unreadable(fault.to_string()),
    }))
}

/// A frame with an object under `directive`, whatever is in it.
#[derive(serde::Deserialize)]
struct OnlyDirective {
    #[expect(dead_code, reason = "that it is there is all that counts")]
    directive: AnyObject,
}

struct AnyObject;

impl<'de> Deserialize<'de> for AnyObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyObjectVisitor)
    }
}

struct AnyObjectVisitor;

impl<'de> Visitor<'de> for AnyObjectVisitor {
    type Value = AnyObject;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyObject, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(AnyObject)
    }
}

/// What an event needs of such a frame.
#[derive(serde::Deserialize)]
struct OnlyHeader {
    directive: DirectiveWithHeader,
}

#[derive(serde::Deserialize)]
struct DirectiveWithHeader {
    header: Header,
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    message_id: Option<String>,
    correlation_token: Option<String>,
}
