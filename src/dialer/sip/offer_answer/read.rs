//! Their answers, and their offers.

use super::{AnswerFault, OfferParts, Offered};
use crate::media::Plan;

/// Reads the answer to our offer.
pub fn read_answer(offered: &Offered, body: &[u8]) -> Result<Plan, AnswerFault> {
    let _ = (offered, body);
    Err(AnswerFault::NoAudio)
}

/// Answers an offer of theirs: our answer, and the plan when it is sent.
pub fn answer(ours: &OfferParts, body: &[u8]) -> Result<(Vec<u8>, Plan), AnswerFault> {
    let _ = (ours, body);
    Err(AnswerFault::NoAudio)
}
