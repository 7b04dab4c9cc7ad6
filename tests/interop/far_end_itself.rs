//! Our own far end judged by callers that others wrote, so that what it says of meetd can be believed.

use std::time::Duration;

use crate::peers::far_end::{FarEnd, Manner, Phase};
use crate::peers::programs::Skipped;
use crate::sipp::{Over, Sipp};

/// sipp's built-in caller.
pub fn sipp_calls(over: Over) -> Result<(), Skipped> {
    let far_end = FarEnd::start(Manner::Answer {
        after: Duration::ZERO,
    });
    let mut sipp = Sipp::start(over, &["-sn", "uac", &far_end.endpoint()])?;
    sipp.wait_for_success();
    far_end.wait_for_phase(Phase::TheyLeft);
    Ok(())
}
