//! What a restart leaves of the memory.

use super::*;
use crate::alexa::messages::outcome::{ErrorType, Refusal};

#[test]
fn answers_are_known_after_a_restart() {
    let mut memory = Memory::default();
    memory.remember(identity(1), &Outcome::Done, false);
    memory.remember(identity(2), &refused(), false);
    let (memory, _) = restart(memory, Vec::new());
    assert_eq!(memory.outcome(&identity(1)), Some(&Outcome::Done));
    assert_eq!(memory.outcome(&identity(2)), Some(&refused()));
    assert_eq!(memory.outcome(&identity(3)), None);
    assert!(memory.knows_message_id_of(identity(1)));
}

#[test]
fn a_join_dies_with_us_only_while_its_call_lives() {
    let mut memory = Memory::default();
    memory.remember(identity(1), &Outcome::Done, true);
    assert_eq!(
        memory.outcome(&identity(1)),
        Some(&Outcome::Done),
        "while we live"
    );
    let (mut memory, disk) = restart(memory, Vec::new());
    assert_eq!(memory.outcome(&identity(1)), None);
    memory.remember(identity(1), &Outcome::Done, true);
    memory.settle();
    let (memory, disk) = restart(memory, disk);
    assert_eq!(memory.outcome(&identity(1)), Some(&Outcome::Done));
    let (memory, _) = restart(memory, disk);
    assert_eq!(
        memory.outcome(&identity(1)),
        Some(&Outcome::Done),
        "a second restart changes nothing"
    );
}

#[test]
fn exactly_the_last_4096_outlive_any_number_of_restarts() {
    let mut memory = Memory::default();
    let mut disk = Vec::new();
    for number in 0..10_000 {
        memory.remember(identity(number), &Outcome::Done, false);
        if number % 1500 == 7 {
            (memory, disk) = restart(memory, disk);
        }
    }
    let (memory, disk) = restart(memory, disk);
    assert_eq!(disk.len(), MOST_REMEMBERED);
    let known = (0..10_000).filter(|number| memory.outcome(&identity(*number)).is_some());
    assert!(known.eq(10_000 - MOST_REMEMBERED as u32..10_000));
    assert_eq!(
        (memory.remembered.len(), memory.order.len()),
        (MOST_REMEMBERED, MOST_REMEMBERED)
    );
}

#[test]
fn a_record_is_written_for_each_answer_and_for_each_settled_join() {
    let mut memory = Memory::default();
    memory.remember(identity(1), &refused(), false);
    assert!(memory.poll_record().is_some() && memory.poll_record().is_none());
    memory.settle();
    assert_eq!(memory.poll_record(), None, "nothing stood with a call");
    memory.remember(identity(2), &Outcome::Done, true);
    let first = memory.poll_record().unwrap();
    memory.settle();
    let second = memory.poll_record().unwrap();
    assert_eq!(first.slot, second.slot);
    assert_ne!(first.content, second.content);
    memory.settle();
    assert_eq!(memory.poll_record(), None);
}

#[test]
fn records_of_others_cost_themselves_only() {
    let mut memory = Memory::default();
    memory.remember(identity(1), &Outcome::Done, false);
    let (_, mut disk) = restart(memory, Vec::new());
    disk.push((Slot::Answer(9), vec![77; 96]));
    disk.push((Slot::Room, vec![1; 96]));
    let mut memory = Memory::default();
    memory.restore(&Restored(disk));
    assert_eq!(memory.remembered.len(), 1);
}

/// What the next process remembers, and the disk in between.
fn restart(mut memory: Memory, disk: Vec<(Slot, Vec<u8>)>) -> (Memory, Vec<(Slot, Vec<u8>)>) {
    let mut disk: BTreeMap<Slot, Vec<u8>> = disk.into_iter().collect();
    while let Some(record) = memory.poll_record() {
        assert!(record.content.len() <= record.slot.capacity());
        disk.insert(record.slot, record.content);
    }
    let disk: Vec<(Slot, Vec<u8>)> = disk.into_iter().collect();
    let mut next = Memory::default();
    next.restore(&Restored(disk.clone()));
    (next, disk)
}

fn identity(number: u32) -> Identity {
    Identity::of(&number.to_string(), "Alexa", "Name", "room", "{}")
}

fn refused() -> Outcome {
    Outcome::Refused(Refusal::new(ErrorType::EndpointBusy, "busy"))
}
