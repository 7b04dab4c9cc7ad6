//! The records of services as the pure side reads them.

use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};

use crate::network::{NamesAnswer, Naptr, Srv};

/// What SIP reads of a NAPTR record.
pub(super) fn naptr(record: &NAPTR) -> Naptr {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        service: text(&record.services),
        replacement: record.replacement.to_ascii().trim_end_matches('.').to_owned(),
    }
}

/// An SRV record with what was found for its target.
pub(super) fn srv(record: &SRV, found: NamesAnswer) -> Srv {
    let addresses = match found {
        NamesAnswer::Addresses(addresses) => addresses,
        NamesAnswer::Naptr(_) | NamesAnswer::Srv(_) | NamesAnswer::NotFound | NamesAnswer::Slow => Vec::new(),
    };
    Srv {
        priority: record.priority,
        weight: record.weight,
        port: record.port,
        addresses,
    }
}
