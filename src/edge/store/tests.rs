//! The store against torn writes, flipped bits, cut and foreign files, full and read-only places, and a second daemon.

use super::*;

const CALL: Slot = Slot::Dialog(0);

#[test]
fn what_was_recorded_is_there_after_a_restart() {
    let place = Place::new();
    {
        let (mut store, restored) = place.open();
        assert_eq!(restored, Restored::default());
        store.record(CALL, b"first").unwrap();
        store.record(CALL, b"second").unwrap();
        store.record(Slot::Ports, b"5062").unwrap();
    }
    let (_, restored) = place.open();
    assert_eq!(restored.get(CALL), Some(b"second".as_slice()));
    assert_eq!(restored.get(Slot::Ports), Some(b"5062".as_slice()));
    assert_eq!(restored.get(Slot::Room), None);
}

#[test]
fn every_slot_takes_its_full_capacity_and_no_byte_more() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        for slot in Slot::all() {
            let capacity = slot.capacity();
            store.record(slot, &vec![0xA5; capacity]).unwrap();
            let length = capacity + 1;
            let refused = store.record(slot, &vec![1; length]);
            assert_eq!(refused, Err(RecordFault::TooLong { length, capacity }));
        }
    }
    let (_, restored) = place.open();
    assert_eq!(restored.0.len(), Slot::all().count());
    assert!(
        restored
            .0
            .iter()
            .all(|(slot, content)| *content == vec![0xA5; slot.capacity()])
    );
}

#[test]
fn erased_content_is_gone_from_every_byte_of_the_file() {
    let place = Place::new();
    let (mut store, _) = place.open();
    for pin in ["PIN 0012345 long long long", "PIN 0012345"] {
        store.record(CALL, pin.as_bytes()).unwrap();
    }
    assert!(place.contains(b"0012345"));
    store.record(CALL, b"").unwrap();
    assert!(!place.contains(b"0012345"));
    drop(store);
    assert_eq!(place.open().1.get(CALL), None);
}

#[test]
fn a_write_torn_at_any_byte_leaves_the_former_content() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"long ago").unwrap();
        store.record(CALL, b"former").unwrap();
    }
    let before = place.bytes();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"the latest").unwrap();
    }
    let after = place.bytes();
    let differing: Vec<usize> = (0..after.len()).filter(|at| before[*at] != after[*at]).collect();
    let (start, end) = (differing[0], differing[differing.len() - 1] + 1);
    for torn_at in start..=end {
        let torn = [&after[..torn_at], &before[torn_at..]].concat();
        place.put(&torn);
        let (mut store, restored) = place.open();
        let expected: &[u8] = if torn_at == end { b"the latest" } else { b"former" };
        assert_eq!(restored.get(CALL), Some(expected), "torn at byte {torn_at}");
        store.record(CALL, b"goes on").unwrap();
        drop(store);
        assert_eq!(
            place.open().1.get(CALL),
            Some(b"goes on".as_slice()),
            "torn at byte {torn_at}"
        );
    }
}

#[test]
fn an_erasure_torn_at_any_byte_leaves_the_former_content_or_none() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"older").unwrap();
        store.record(CALL, b"former").unwrap();
    }
    let before = place.bytes();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"").unwrap();
    }
    let after = place.bytes();
    // The older half is the first to be overwritten, so the file changes from its start on.
    for torn_at in (0..after.len()).filter(|at| before[*at] != after[*at]) {
        place.put(&[&after[..torn_at], &before[torn_at..]].concat());
        let restored = place.open().1;
        let content = restored.get(CALL);
        assert!(
            content.is_none() || content == Some(b"former"),
            "torn at byte {torn_at}: {content:?}"
        );
    }
}

#[test]
fn a_flipped_bit_costs_one_half_and_nothing_else() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"former").unwrap();
        store.record(CALL, b"latest").unwrap();
        store.record(Slot::Room, b"volume 40").unwrap();
    }
    let good = place.bytes();
    let halves = (0..3 * 2 * HALF_SIZE).step_by(HALF_SIZE);
    for at in halves.flat_map(|start| start..start + 40) {
        for bit in [0, 3, 7] {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << bit;
            place.put(&flipped);
            let restored = place.open().1;
            let call = restored.get(CALL);
            assert!(
                call == Some(b"former") || call == Some(b"latest"),
                "bit {bit} of byte {at}: {call:?}"
            );
            let room = restored.get(Slot::Room);
            assert!(
                room == Some(b"volume 40") || room.is_none(),
                "bit {bit} of byte {at}: {room:?}"
            );
            assert!(room.is_some() || call == Some(b"latest"));
        }
    }
}

#[test]
fn a_file_cut_at_any_length_gives_the_slots_that_are_left_and_grows_back() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        for slot in Slot::all() {
            store.record(slot, format!("{slot:?}").as_bytes()).unwrap();
        }
    }
    let good = place.bytes();
    let edges = (0..LARGE_PART)
        .step_by(HALF_SIZE)
        .flat_map(|start| [0, 1, 8, 31, 32, 33, 40].map(|at| start + at));
    let answers = (LARGE_PART..LARGE_PART + 2 * ANSWER_SIZE).step_by(9);
    let answers = answers.chain([good.len() - ANSWER_SIZE, good.len() - 1, good.len()]);
    for length in edges.chain(answers) {
        place.put(&good[..length]);
        let (_, restored) = place.open();
        let held: Vec<Slot> = restored.0.into_iter().map(|(slot, _)| slot).collect();
        let needed = |slot: &Slot| offset(*slot, 0) as usize + 32 + format!("{slot:?}").len();
        let whole: Vec<Slot> = Slot::all().filter(|slot| needed(slot) <= length).collect();
        assert_eq!(held, whole, "{length} bytes");
        assert_eq!(place.bytes().len(), good.len());
    }
}

#[test]
fn a_file_cut_at_every_single_byte_gives_the_latest_content_that_is_whole() {
    let place = Place::new();
    let content = |slot: Slot, round: u8| format!("{slot:?} {round}").into_bytes();
    {
        let (mut store, _) = place.open();
        for (slot, round) in Slot::all().flat_map(|slot| [(slot, 1), (slot, 2)]) {
            store.record(slot, &content(slot, round)).unwrap();
        }
    }
    let good = place.bytes();
    let mut cuts = 0;
    // A cut goes through one half of one slot; the halves before it are whole, those behind it are gone.
    for (slot, which) in Slot::all().flat_map(|slot| [(slot, 0), (slot, 1)]) {
        let start = offset(slot, which) as usize;
        for length in start..start + size(slot) {
            let cut = &good[..length];
            let mut state = SlotState {
                slot,
                next_half: 0,
                sequence: 0,
            };
            let found =
                state.take_in([0, 1].map(|which| half::read(slot.number(), half_of(cut, slot, which))));
            let is_whole = |round: u8| {
                let start = offset(slot, usize::from(round) - 1) as usize;
                start + 32 + content(slot, round).len() <= length
            };
            let latest = [2, 1].into_iter().find(|round| is_whole(*round));
            assert_eq!(
                found,
                latest.map(|round| content(slot, round)),
                "{slot:?}, {length} bytes"
            );
            cuts += 1;
        }
    }
    assert_eq!(cuts, file_size(), "every length of the file");
}

#[test]
fn the_file_of_an_older_version_is_used_and_grows_without_a_word() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"call").unwrap();
    }
    let bytes = place.bytes();
    place.put(&bytes[..FORMER_SIZE]);
    assert!(!is_cut(FORMER_SIZE) && is_cut(FORMER_SIZE - 1) && is_cut(file_size() - 1));
    let (mut store, restored) = place.open();
    assert_eq!(restored.0, [(CALL, b"call".to_vec())]);
    store.record(Slot::Answer(4095), b"answer").unwrap();
    drop(store);
    assert_eq!(place.open().1.get(Slot::Answer(4095)), Some(b"answer".as_slice()));
    assert_eq!(place.bytes().len(), file_size());
}

#[test]
fn records_of_a_newer_version_are_not_taken_for_ours() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"call").unwrap();
        store.record(Slot::Room, b"volume 40").unwrap();
    }
    let mut bytes = place.bytes();
    let call = offset(CALL, 0) as usize;
    // A whole record of version 2: only the version forbids it.
    bytes[call + 8] = 2;
    let checked = [&bytes[call..call + 28], b"call"].concat();
    bytes[call + 28..call + 32].copy_from_slice(&crc32fast::hash(&checked).to_le_bytes());
    place.put(&bytes);
    assert_eq!(place.open().1.0, [(Slot::Room, b"volume 40".to_vec())]);
}

#[test]
fn the_calls_of_another_machine_are_left_alone_and_its_settings_kept() {
    let place = Place::new();
    let ours = Machine::of("4d2b5f0e8c1a4f7fb3c96c4f5f4f2b1a");
    let theirs = Machine::of("00000000000000000000000000000001");
    {
        let (mut store, _) = place.open_on(theirs);
        for (slot, content) in [
            (CALL, "PIN 0012345"),
            (Slot::Answer(7), "done"),
            (Slot::Room, "loud"),
        ] {
            store.record(slot, content.as_bytes()).unwrap();
        }
    }
    assert_eq!(place.open_on(theirs).1.get(CALL), Some(b"PIN 0012345".as_slice()));
    assert_eq!(place.open_on(None).1.get(CALL), Some(b"PIN 0012345".as_slice()));
    let (_, restored) = place.open_on(ours);
    assert_eq!(restored.get(CALL), None);
    assert_eq!(restored.get(Slot::Answer(7)), None);
    assert_eq!(restored.get(Slot::Room), Some(b"loud".as_slice()));
    assert!(!place.contains(b"0012345"), "nor is what they dialled kept");
    assert_eq!(place.open_on(theirs).1.get(CALL), None, "it is ours from here on");
}

#[test]
fn a_state_without_a_machine_is_taken_over_whole() {
    let place = Place::new();
    place.open_on(None).0.record(CALL, b"call").unwrap();
    let ours = Machine::of("4d2b5f0e8c1a4f7fb3c96c4f5f4f2b1a");
    assert_eq!(place.open_on(ours).1.get(CALL), Some(b"call".as_slice()));
    assert_eq!(place.open_on(ours).1.get(CALL), Some(b"call".as_slice()));
}

#[test]
fn foreign_files_are_taken_for_empty_and_become_ours() {
    let place = Place::new();
    let foreign: [&[u8]; 4] = [b"", b"#!/bin/sh\n", &[0xFF; 500_000], b"meetdrec"];
    for bytes in foreign {
        place.put(bytes);
        let (mut store, restored) = place.open();
        assert_eq!(restored, Restored::default());
        store.record(CALL, b"ours").unwrap();
        drop(store);
        assert_eq!(place.open().1.get(CALL), Some(b"ours".as_slice()));
    }
}

#[test]
fn a_slot_copied_to_another_place_is_not_taken_for_it() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        store.record(Slot::Ports, b"5062").unwrap();
    }
    let mut bytes = place.bytes();
    bytes.copy_within(0..2 * HALF_SIZE, 2 * HALF_SIZE);
    place.put(&bytes);
    assert_eq!(place.open().1.0, [(Slot::Ports, b"5062".to_vec())]);
}

#[test]
fn two_daemons_never_share_a_state() {
    let place = Place::new();
    let (first, _) = place.open();
    let second = Store::open(place.0.path(), &Wakes::channel().0);
    assert!(matches!(second, Err(StoreFault::InUse(_))));
    drop(first);
    place.open();
}

#[test]
fn a_place_that_cannot_be_written_costs_the_durability_only() {
    let directory_in_the_way = Place::new();
    std::fs::create_dir(directory_in_the_way.0.path().join("state")).unwrap();
    let file_in_the_way = tempfile::NamedTempFile::new().unwrap();
    for path in [
        directory_in_the_way.0.path(),
        &file_in_the_way.path().join("below"),
    ] {
        let (mut store, restored) = Store::open(path, &Wakes::channel().0).unwrap();
        assert_eq!(restored, Restored::default());
        assert!(matches!(
            store.record(CALL, b"lost"),
            Err(RecordFault::Unwritable(_))
        ));
        assert!(matches!(store.sync(), Some(Wake::Stored(Err(_)))));
    }
}

#[test]
fn a_full_disk_after_the_start_does_no_harm() {
    let place = Place::new();
    let (mut store, _) = place.open();
    let before = place.bytes().len();
    for round in 0..100u32 {
        store.record(CALL, &round.to_le_bytes().repeat(2000)).unwrap();
    }
    assert_eq!(place.bytes().len(), before, "no write needs new room");
}

#[test]
fn what_is_no_file_of_ours_is_neither_written_nor_changed() {
    let target = tempfile::NamedTempFile::new().unwrap();
    std::fs::set_permissions(target.path(), Permissions::from_mode(0o644)).unwrap();
    let linked = Place::new();
    std::os::unix::fs::symlink(target.path(), linked.path()).unwrap();
    let piped = Place::new();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, piped.path(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    for place in [&linked, &piped] {
        let (mut store, _) = place.open();
        assert!(matches!(
            store.record(CALL, b"lost"),
            Err(RecordFault::Unwritable(_))
        ));
    }
    let status = target.as_file().metadata().unwrap();
    assert_eq!((status.len(), status.permissions().mode() & 0o777), (0, 0o644));
}

#[test]
fn a_sync_is_answered_and_many_are_answered_together() {
    let place = Place::new();
    let (wakes, mut heard) = Wakes::channel();
    let (mut store, _) = Store::open(place.0.path(), &wakes).unwrap();
    for _ in 0..100 {
        store.record(CALL, b"content").unwrap();
        assert!(store.sync().is_none());
    }
    store.close(Duration::from_secs(20));
    drop((store, wakes));
    let mut answers = 0;
    while let Some(wake) = heard.blocking_recv() {
        assert!(matches!(wake, Wake::Stored(Ok(()))));
        answers += 1;
    }
    assert!((1..=100).contains(&answers), "{answers}");
}

#[test]
fn what_a_torn_write_left_of_a_pin_is_wiped_at_the_next_start() {
    let place = Place::new();
    {
        let (mut store, _) = place.open();
        store.record(CALL, b"PIN 0012345 and more").unwrap();
    }
    let mut bytes = place.bytes();
    let end = bytes.windows(4).position(|window| window == b"more").unwrap();
    bytes[end] = 0;
    place.put(&bytes);
    assert_eq!(place.open().1.get(CALL), None);
    assert!(!place.contains(b"0012345"));
}

#[test]
fn nobody_else_may_read_the_state() {
    let place = Place::new();
    std::fs::write(place.path(), b"").unwrap();
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o644)).unwrap();
    place.open();
    let mode = std::fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> (Store, Restored) {
        self.open_on(None)
    }

    fn open_on(&self, machine: Option<Machine>) -> (Store, Restored) {
        Store::open_on(machine, self.0.path(), &Wakes::channel().0).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("state")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).unwrap();
    }

    fn contains(&self, needle: &[u8]) -> bool {
        self.bytes().windows(needle.len()).any(|window| window == needle)
    }
}
