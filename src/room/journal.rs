//! The room's lines in the journal: one for each change that a person would look for.

use tracing::{debug, error, info, warn};

use crate::alexa::messages::outcome::Refusal;
use crate::call::Agreed;
use crate::media::Figures;
use crate::time::Now;

use super::dial_plan::AllowEntry;
use super::equipment::Equipment;
use super::reports::LastCall;
use super::state::{Call, Talk};

pub fn placed(call: &Call) {
    info!(
        event = "call-placed",
        call_id = %call.id,
        directive_id = call.directive_id.as_deref(),
        meeting_provider = call.planned.provider,
        protocol = call.planned.target.protocol.name(),
        remote = call.planned.target.shown,
        dialer = call.planned.dialer,
        allowed_by = call.planned.allowed_by,
        "calling {}",
        call.planned.target.shown
    );
}

pub fn followed(call: &Call, allowed_by: &AllowEntry) {
    info!(
        call_id = %call.id,
        %allowed_by,
        "the far end sends the call on to somebody who may be dialled"
    );
}

pub fn not_followed(call: &Call, why: &str) {
    warn!(call_id = %call.id, "the far end sends the call on, which is not followed: {why}");
}

pub fn refused(refusal: &Refusal) {
    info!(
        event = "directive-refused",
        error_type = refusal.kind.name(),
        "not done: {}",
        refusal.message
    );
}

/// What the room is set to changed.
pub fn set(before: Equipment, after: Equipment) {
    let power = if after.is_on { "on" } else { "off" };
    if before.is_on != after.is_on {
        info!(event = "power-changed", power, "the room is {power}");
    }
    if before.volume != after.volume {
        let volume = after.volume;
        info!(
            event = "volume-changed",
            volume, "the loudspeaker's volume is {volume}"
        );
    }
    if before.is_muted != after.is_muted {
        let muted = after.is_muted;
        let word = if muted { "muted" } else { "not muted" };
        info!(event = "mute-changed", muted, "the loudspeaker is {word}");
    }
}

pub fn answered(now: Now, call: &Call, agreed: &Agreed) {
    info!(
        event = "call-answered",
        call_id = %call.id,
        directive_id = call.directive_id.as_deref(),
        meeting_provider = call.planned.provider,
        remote = call.planned.target.shown,
        transport = agreed.transport.in_lower_case(),
        codec = agreed.codec,
        srtp = agreed.srtp,
        after_seconds = (now.moment - call.placed.moment).as_secs_f64(),
        "in a meeting with {}",
        call.planned.target.shown
    );
}

pub fn far_audio(now: Now, call: &Call, talk: &Talk) {
    debug!(
        event = "far-audio",
        call_id = %call.id,
        after_seconds = (now.moment - talk.since.moment).as_secs_f64(),
        "the far end is heard"
    );
}

pub fn digits_sent(call: &Call) {
    info!(
        event = "digits-sent",
        call_id = %call.id,
        meeting_provider = call.planned.provider,
        "entered as digits: {}",
        call.planned.entered()
    );
}

pub fn digits_failed(call: &Call, why: &str) {
    let why = call.planned.mask.hide(why);
    warn!(
        event = "digits-failed",
        call_id = %call.id,
        meeting_provider = call.planned.provider,
        "the digits after the answer could not be sent: {why}"
    );
}

pub fn microphone_muted(call: &Call) {
    let muted = call.is_muted;
    let word = if muted { "muted" } else { "on" };
    info!(event = "microphone-muted", call_id = %call.id, muted, "the microphone is {word} towards the meeting");
}

pub fn microphone_in_dialog(call: &Call, is_in_dialog: bool) {
    let what = if is_in_dialog { "does not hear" } else { "hears" };
    debug!(
        event = "microphone-in-dialog",
        call_id = %call.id,
        "the meeting {what} the room, which talks to its assistant or has done"
    );
}

pub fn no_far_audio(call: &Call) {
    warn!(
        event = "no-far-audio",
        call_id = %call.id,
        meeting_provider = call.planned.provider,
        remote = call.planned.target.shown,
        "no audio has come from the far end for 10 s"
    );
}

pub fn microphone_silent(call: &Call) {
    warn!(
        event = "microphone-silent",
        call_id = %call.id,
        meeting_provider = call.planned.provider,
        "no sound has come from the microphone for 10 s, the meeting hears nothing"
    );
}

pub fn device_lost(call: &Call, why: &str) {
    let why = call.planned.mask.hide(why);
    warn!(event = "audio-device-lost", call_id = %call.id, "the meeting goes on without an audio device: {why}");
}

pub fn device_back(call: &Call, which: &str) {
    info!(event = "audio-device-back", call_id = %call.id, "{which} works again");
}

pub fn overdue(call: &Call) {
    error!(call_id = %call.id, dialer = call.planned.dialer, "the dialer kept ringing beyond calls.ring_timeout");
}

pub fn never_ended(call: &Call) {
    error!(call_id = %call.id, dialer = call.planned.dialer, "the dialer did not say that the call is over");
}

/// The one line that sums a call up: `call-failed`, or `call-ended` after an orderly end.
pub fn over(call: &Call, talk: Option<&Talk>, end_reason: &str, last: &LastCall) {
    let figures = talk.and_then(|talk| talk.watch.figures());
    let duration = last.duration.as_secs_f64();
    macro_rules! sum_up {
        ($level:ident, $event:literal, $sentence:literal) => {
            $level!(
                event = $event,
                call_id = %call.id,
                directive_id = call.directive_id.as_deref(),
                meeting_provider = call.planned.provider,
                remote = call.planned.target.shown,
                end_reason,
                sip_status = last.sip_status,
                call_failed_code = last.code.map(|code| code.name()),
                duration_seconds = duration,
                received_packets = figures.map(|figures| figures.received),
                sent_packets = figures.map(|figures| figures.sent),
                loss_percent = figures.map(|figures| figures.loss_percent),
                jitter_ms = figures.map(|figures| figures.jitter_ms),
                rtt_ms = figures.and_then(|figures| figures.round_trip).map(|way| way.as_millis() as u64),
                concealed_percent = figures.map(|figures| figures.concealed_percent),
                playout_delay_ms = figures.map(|figures| figures.playout_delay.as_millis() as u64),
                mos = figures.and_then(|figures| figures.mos),
                far_level_dbfs = figures.map(|figures| figures.far_level_dbfs),
                near_level_dbfs = figures.map(|figures| figures.near_level_dbfs),
                microphone_level_dbfs = figures.map(|figures| figures.microphone_level_dbfs),
                device_slips = figures.map(|figures| figures.device_slips),
                $sentence,
                last.message,
                figures.map(quality).unwrap_or_default()
            )
        };
    }
    match last.code {
        Some(_) => sum_up!(warn, "call-failed", "the call failed: {}{}"),
        None => sum_up!(info, "call-ended", "the call is over: {}{}"),
    }
}

/// How a call sounded, for the end of its last sentence.
fn quality(figures: Figures) -> String {
    let Some(mos) = figures.mos else {
        return "; nothing was heard of the far end".to_owned();
    };
    format!(
        "; it sounded like {mos:.1} of 4.5: {:.1} % lost, {:.1} % made up, {:.0} ms jitter, {} ms held back",
        figures.loss_percent,
        figures.concealed_percent,
        figures.jitter_ms,
        figures.playout_delay.as_millis(),
    )
}
