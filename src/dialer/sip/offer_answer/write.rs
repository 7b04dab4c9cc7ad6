//! Our offers, and our answers to theirs.

use super::OfferParts;

/// The offer.
pub fn offer(parts: &OfferParts) -> Vec<u8> {
    let _ = parts;
    Vec::new()
}
