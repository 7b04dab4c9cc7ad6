//! What must be true of every life, each under its name.

use std::collections::BTreeMap;

use meetd::bridge::link::LinkId;
use serde_json::Value;

use crate::far_end::Leg;
use crate::log::PIN;
use crate::run::{ANSWERED, Life};
use crate::stories::name_of;
use crate::world::World;

/// A promise that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub promise: &'static str,
    pub words: String,
}

impl Broken {
    pub fn new(promise: &'static str, words: &str) -> Self {
        Self {
            promise,
            words: words.to_owned(),
        }
    }
}

/// What the directive with this token was answered with.
pub fn answers(world: &World, token: &str) -> Vec<String> {
    let frames = world.bridge.frames.iter().map(|(_, _, frame)| frame);
    frames
        .filter(|frame| frame["event"]["header"]["correlationToken"] == token)
        .map(kind_of)
        .collect()
}

/// State and callerId as they were published last.
pub fn shown(world: &World) -> (&str, &str) {
    let last = world.bridge.frames.iter().rev().find_map(|(_, _, frame)| {
        (frame["header"]["messageDescription"]["action"] == "CallStateChanged").then_some(&frame["payload"])
    });
    let text = |name| {
        last.and_then(|payload| payload[name].as_str())
            .unwrap_or_default()
    };
    (text("state"), text("callerId"))
}

/// A directive whose connection and process stay is answered.
pub fn answered(life: &mut Life) -> Result<(), Broken> {
    let now = life.world.now();
    let due: Vec<usize> = (0..life.sent.len())
        .filter(|index| life.sent[*index].is_undisturbed && now - life.sent[*index].at >= ANSWERED)
        .collect();
    for index in due {
        let directive = life.sent[index].directive;
        // A repeat while the first is being worked on shares its event.
        let group = life.sent.iter().filter(|sent| sent.directive == directive);
        if !group
            .into_iter()
            .any(|sent| !answers(&life.world, &sent.token).is_empty())
        {
            return Err(Broken::new("each_directive_is_answered", &life.sent[index].token));
        }
        life.sent[index].is_undisturbed = false;
    }
    Ok(())
}

/// After some quiet the room shows what the conference sees.
pub fn truth(world: &World) -> Result<(), Broken> {
    let alive = world.far.alive();
    let (state, _) = shown(world);
    let is_true = match state {
        "IDLE" => alive.is_empty() && world.audio.is_empty(),
        "ACTIVE" => alive.len() == 1 && alive[0].1 == Leg::Confirmed && world.audio.len() == 1,
        _ => false,
    };
    if !is_true {
        let words = format!(
            "{state}, while the conference has {alive:?} and {} calls sound",
            world.audio.len()
        );
        return Err(Broken::new("statuses_tell_the_truth_at_rest", &words));
    }
    Ok(())
}

/// The process is gone: which answers stand from here on. Those of a join stand once its call was over.
pub fn settle(life: &mut Life) {
    if life.world.disk.has_lost_an_answer() {
        return;
    }
    let frames = &life.world.bridge.frames;
    let last_idle = frames.iter().rposition(|(_, _, frame)| {
        frame["header"]["messageDescription"]["action"] == "CallStateChanged"
            && frame["payload"]["state"] == "IDLE"
    });
    let last_call = frames
        .iter()
        .rposition(|(_, _, frame)| frame["header"]["messageDescription"]["action"] == "CallStateChanged");
    // What earlier processes answered was judged when they died.
    for (at, (_, _, frame)) in frames.iter().enumerate().skip(life.first_frame) {
        let Some(token) = frame["event"]["header"]["correlationToken"].as_str() else {
            continue;
        };
        let Some(sent) = life.sent.iter().find(|sent| sent.token == token) else {
            continue;
        };
        let kind = kind_of(frame);
        let is_join = life.orders[sent.directive].meeting.is_some();
        let is_over = last_idle == last_call && last_idle.is_some_and(|idle| idle > at);
        if !is_join || kind != "Response" || is_over {
            let sendings = life.sent.len();
            life.settled.entry(sent.directive).or_insert((kind, sendings));
        }
    }
}

/// What is asked of a whole life at its end.
pub fn whole(life: &Life) -> Result<(), Broken> {
    once(life)?;
    one_call(&life.world)?;
    secrets(&life.world)?;
    if let Some(complaint) = life.world.far.complaints.first() {
        return Err(Broken::new("the_conference_has_no_complaint", complaint));
    }
    let last_dialog = life.world.bridge.frames.iter().rev().find_map(|(_, _, frame)| {
        (frame["header"]["messageDescription"]["action"] == "DialogStateChanged").then_some(frame)
    });
    if last_dialog.is_some_and(|frame| frame["payload"]["state"] != "IDLE") {
        return Err(Broken::new("no_state_waits_for_ever", "the dialog is not IDLE"));
    }
    Ok(())
}

/// Each directive is done once and answered once.
fn once(life: &Life) -> Result<(), Broken> {
    for (number, sent) in life.sent.iter().enumerate() {
        let kinds = answers(&life.world, &sent.token);
        if kinds.len() > 1 {
            let words = format!("{}: {kinds:?}", sent.token);
            return Err(Broken::new("each_directive_is_answered_once", &words));
        }
        if let (Some((settled, sendings)), Some(kind)) = (life.settled.get(&sent.directive), kinds.first())
            && settled != kind
            && number >= *sendings
            && life.is_remembered(sent.directive)
        {
            let words = format!("{}: {kind} after {settled}", sent.token);
            return Err(Broken::new("a_repeat_gets_the_same_event", &words));
        }
    }
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for user in life.world.far.called.values() {
        *calls.entry(user).or_default() += 1;
    }
    for (user, count) in calls {
        let meeting = life
            .allowed
            .iter()
            .find(|(meeting, _)| user.starts_with(meeting.as_str()));
        if meeting.is_none_or(|(_, allowed)| count > *allowed) {
            let words = format!("{count} calls to {user}, where {meeting:?} may be");
            return Err(Broken::new("each_join_is_done_once", &words));
        }
    }
    Ok(())
}

/// On one connection the calls follow each other, and each ends once.
fn one_call(world: &World) -> Result<(), Broken> {
    let mut current: Option<(LinkId, String)> = None;
    let mut ended = Vec::new();
    for (_, link, frame) in &world.bridge.frames {
        match frame["header"]["messageDescription"]["action"].as_str() {
            Some("ConnectionStatusChanged") => current = None,
            Some("CallStateChanged") => {
                let call = frame["payload"]["callId"].as_str().unwrap_or_default().to_owned();
                let is_over = frame["payload"]["state"] == "IDLE";
                if let Some((of, other)) = &current
                    && of == link
                    && *other != call
                {
                    let words = format!("{call} while {other} is up");
                    return Err(Broken::new("one_call_at_most", &words));
                }
                if is_over && !call.is_empty() && ended.contains(&call) {
                    return Err(Broken::new("every_dial_ends_once", &call));
                }
                if is_over {
                    ended.push(call);
                    current = None;
                } else {
                    current = Some((*link, call));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn secrets(world: &World) -> Result<(), Broken> {
    let frames = world.bridge.frames.iter().map(|(_, _, frame)| frame.to_string());
    let notices = world.notices.iter().map(|notice| format!("{notice:?}"));
    match frames.chain(notices).find(|text| text.contains(PIN)) {
        Some(text) => Err(Broken::new("nothing_secret_in_any_output", &text)),
        None => Ok(()),
    }
}

fn kind_of(frame: &Value) -> String {
    match frame["event"]["payload"]["type"].as_str() {
        Some(kind) => kind.to_owned(),
        None => name_of(frame),
    }
}
