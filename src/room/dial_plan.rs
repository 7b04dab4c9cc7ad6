//! The dial plan: what is dialled for a join, and whether it may be.

use std::str::FromStr;

/// The templates of one provider. `{id}`, `{pin}` and `{endpoint}` are filled in; `[…]` is left out when a name
/// inside has no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provider {
    /// For SIP and SIPS.
    pub sip: Option<String>,
    /// For H.323.
    pub h323: Option<String>,
    /// Digits after the answer.
    pub dtmf: Option<String>,
}

/// An entry of `calls.allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowEntry(String);

impl FromStr for AllowEntry {
    type Err = String;

    fn from_str(entry: &str) -> Result<Self, String> {
        Ok(Self(entry.to_owned()))
    }
}
