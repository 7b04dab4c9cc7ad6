//! What must last over the death of the process: one preallocated file of slots, each with two halves that are
//! written in turn, so that a torn write leaves the former content. Writing is one `pwrite` in the loop; syncing is
//! a thread's work.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::mem::discriminant;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use thiserror::Error;

use crate::agent::Wake;
use crate::edge::wakes::Wakes;
use crate::record::{Restored, Slot};

use half::{ANSWER_SIZE, HALF_SIZE, Half};
use machine::Machine;

mod half;
mod machine;

/// Why the daemon must not start.
#[derive(Debug, Error)]
pub enum StoreFault {
    /// Another daemon holds the state directory.
    #[error("another meetd uses {0}; stop it first, or give this one another STATE_DIRECTORY")]
    InUse(PathBuf),
}

/// Why a record does not last.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordFault {
    /// More than a slot takes: a fault of ours.
    #[error("{length} bytes do not fit into a slot of {capacity}")]
    TooLong {
        /// How many there were.
        length: usize,
        /// How many there may be.
        capacity: usize,
    },
    /// The state file cannot be written.
    #[error("{0}")]
    Unwritable(String),
}

/// `$STATE_DIRECTORY` (the first, when systemd names several), or `/var/lib/meetd`.
pub fn state_directory() -> PathBuf {
    super::directory_from("STATE_DIRECTORY", "/var/lib/meetd")
}

/// The open state file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: Result<Arc<File>, String>,
    slots: Vec<SlotState>,
    /// What was not written last, and why; said once, until its like is written again.
    unwritable: Option<(Slot, String)>,
    syncer: Option<Syncer>,
    /// Held for as long as the store lives.
    _lock: Option<File>,
}

/// Which half is written next, and with which number.
#[derive(Clone, Debug)]
struct SlotState {
    slot: Slot,
    next_half: usize,
    sequence: u64,
}

impl Store {
    /// Opens the state of `directory` and reads what it holds. A directory that cannot be written costs only the
    /// durability, which is said once; one that another daemon uses is an error.
    pub fn open(directory: &Path, wakes: &Wakes) -> Result<(Self, Restored), StoreFault> {
        Self::open_on(Machine::this(), directory, wakes)
    }

    fn open_on(
        machine: Option<Machine>,
        directory: &Path,
        wakes: &Wakes,
    ) -> Result<(Self, Restored), StoreFault> {
        // It may exist, and an attempt to write will tell if it does not.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        let lock = lock(directory)?;
        let path = directory.join("state");
        let mut store = Self {
            slots: Slot::all()
                .map(|slot| SlotState {
                    slot,
                    next_half: 0,
                    sequence: 0,
                })
                .collect(),
            file: Err(String::new()),
            unwritable: None,
            syncer: None,
            _lock: lock,
            path,
        };
        let (mut restored, unreadable) = store.restore();
        match store.open_for_writing() {
            Ok(file) => {
                let file = Arc::new(file);
                if let Err(error) = prepare(&file, &unreadable) {
                    // What room it has is used, and more once there is more.
                    store.remark_unwritable(FIRST_TO_MISS_ROOM, error.to_string());
                }
                store.syncer = Syncer::start(Arc::clone(&file), wakes.clone());
                store.file = Ok(file);
            }
            Err(error) => {
                store.file = Err(error.to_string());
                store.remark_unwritable(Slot::Machine, error.to_string());
            }
        }
        if let Some(machine) = machine {
            store.keep_to(&machine, &mut restored);
        }
        Ok((store, restored))
    }

    /// Calls and answers of another machine, whose state was copied, are none of ours: to end its calls would be to
    /// hang up on somebody. What the room was set to goes with the copy.
    fn keep_to(&mut self, machine: &Machine, restored: &mut Restored) {
        let written = restored.get(Slot::Machine);
        if written == Some(machine.mark()) {
            return;
        }
        if written.is_some() {
            let is_of_it = |slot: &Slot| matches!(slot, Slot::Dialog(_) | Slot::Answer(_));
            let foreign: Vec<Slot> = restored
                .0
                .iter()
                .map(|(slot, _)| *slot)
                .filter(is_of_it)
                .collect();
            tracing::warn!(
                path = %self.path.display(), records = foreign.len(),
                "the state was written on another machine; its calls and answers are not used"
            );
            restored.0.retain(|(slot, _)| !is_of_it(slot));
            for slot in foreign {
                // Said where it fails.
                let _ = self.record(slot, &[]);
            }
        }
        let _ = self.record(Slot::Machine, machine.mark());
    }

    /// Writes the content of a slot; empty content erases it, in both halves. It survives the death of the process
    /// once this returns.
    pub fn record(&mut self, slot: Slot, content: &[u8]) -> Result<(), RecordFault> {
        let (length, capacity) = (content.len(), slot.capacity());
        if length > capacity {
            tracing::error!(?slot, length, "a record is too long for its slot");
            return Err(RecordFault::TooLong { length, capacity });
        }
        match self.write(slot, content) {
            Ok(()) => {
                let is_like = |(other, _): &mut (Slot, _)| discriminant(other) == discriminant(&slot);
                if self.unwritable.take_if(is_like).is_some() {
                    tracing::info!(path = %self.path.display(), "the state can be written again");
                }
                Ok(())
            }
            Err(why) => {
                self.remark_unwritable(slot, why.clone());
                Err(RecordFault::Unwritable(why))
            }
        }
    }

    /// Brings to the disk what was recorded. [`Wake::Stored`] follows from the store's thread, one for all syncs that
    /// were asked for while it was busy; the wake is returned at once when there is nothing to wait for.
    pub fn sync(&mut self) -> Option<Wake> {
        if let Some((_, why)) = &self.unwritable {
            return Some(Wake::Stored(Err(why.clone())));
        }
        match &self.syncer {
            Some(syncer) if syncer.ask() => None,
            Some(_) | None => Some(Wake::Stored(Err(
                "the thread that syncs the state is gone".to_owned()
            ))),
        }
    }

    /// Waits for the syncs that were asked for, no longer than `limit`: a disk may take for ever.
    pub fn close(&mut self, limit: Duration) {
        if let Some(syncer) = self.syncer.take() {
            syncer.finish(limit);
        }
    }

    fn write(&mut self, slot: Slot, content: &[u8]) -> Result<(), String> {
        let file = self.file.as_ref().map_err(Clone::clone)?;
        let Some(state) = usize::try_from(slot.number())
            .ok()
            .and_then(|number| self.slots.get_mut(number))
            .filter(|state| state.slot == slot)
        else {
            return Err(format!("the state file has no place for {slot:?}"));
        };
        let (number, newer, older) = (
            slot.number(),
            offset(slot, state.next_half),
            offset(slot, 1 - state.next_half),
        );
        let sequence = state.sequence.saturating_add(1);
        let result = if content.is_empty() {
            // The older half first: torn between the two, the newer number still says "erased".
            let erased = half::write_erased(number, sequence, size(slot));
            file.write_all_at(&erased, newer)
                .and_then(|()| file.write_all_at(&erased, older))
        } else {
            let written = half::write(number, sequence, content);
            file.write_all_at(&written, newer)
        };
        // A write that failed half-way has spoilt this half only: it is written again next time.
        result.map_err(|error| error.to_string())?;
        state.sequence = sequence;
        state.next_half = 1 - state.next_half;
        Ok(())
    }

    /// What the file holds, and where the halves are that cannot be read.
    fn restore(&mut self) -> (Restored, Vec<Spoilt>) {
        let mut restored = Restored::default();
        let mut unreadable = Vec::new();
        let Some(bytes) = self.read_file() else {
            return (restored, unreadable);
        };
        for state in &mut self.slots {
            let slot = state.slot;
            let halves = [0, 1].map(|which| half::read(slot.number(), half_of(&bytes, slot, which)));
            let spoilt = (0..).zip(&halves).filter(|(_, half)| **half == Half::Unreadable);
            unreadable.extend(spoilt.map(|(which, _)| Spoilt {
                offset: offset(slot, which),
                size: size(slot),
            }));
            if let Some(content) = state.take_in(halves) {
                restored.0.push((slot, content));
            }
        }
        if !unreadable.is_empty() || is_cut(bytes.len()) {
            tracing::warn!(
                path = %self.path.display(), unreadable = unreadable.len(), restored = restored.0.len(),
                "parts of the state file are unreadable; what else it holds is used"
            );
        }
        (restored, unreadable)
    }

    /// `None` when there is no file, or none that can be read.
    fn read_file(&self) -> Option<Vec<u8>> {
        let file = match open_ours(OpenOptions::new().read(true), &self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), error = %error, "the state file cannot be read");
                return None;
            }
        };
        let mut bytes = Vec::with_capacity(file_size());
        match io::Read::read_to_end(&mut io::Read::take(file, file_size() as u64), &mut bytes) {
            Ok(_) => Some(bytes),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), error = %error, "the state file cannot be read");
                // What came before the fault may hold good slots.
                Some(bytes)
            }
        }
    }

    /// Opens it for writing, for our eyes only.
    fn open_for_writing(&self) -> io::Result<File> {
        let file = open_ours(
            OpenOptions::new().read(true).write(true).create(true).mode(0o600),
            &self.path,
        )?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    }

    fn remark_unwritable(&mut self, slot: Slot, why: String) {
        if self.unwritable.is_none() {
            tracing::error!(
                event = "state-unwritable", path = %self.path.display(), error = %why,
                "the state cannot be written; calls work, but what the room was set to and calls in progress are \
                 forgotten when the daemon dies"
            );
        }
        self.unwritable = Some((slot, why));
    }
}

impl SlotState {
    /// Takes the content of the newer readable half, if it is not an erased one, and goes on in the other.
    fn take_in(&mut self, halves: [Half; 2]) -> Option<Vec<u8>> {
        let newest = (0usize..)
            .zip(halves)
            .filter_map(|(which, half)| match half {
                Half::Written { sequence, content } => Some((sequence, which, content)),
                Half::Blank | Half::Unreadable => None,
            })
            .max_by_key(|(sequence, _, _)| *sequence);
        let (sequence, which, content) = newest?;
        self.sequence = sequence;
        self.next_half = 1 - which;
        Some(content).filter(|content| !content.is_empty())
    }
}

fn lock(directory: &Path) -> Result<Option<File>, StoreFault> {
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join("state.lock"));
    // A directory that cannot be written is remarked when the state file is opened; nobody else writes there either.
    let Ok(file) = opened else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreFault::InUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => {
            tracing::warn!(error = %error, "the state directory cannot be locked");
            Ok(None)
        }
    }
}

/// Opens a regular file that is no symbolic link; a pipe in its place does not hold us up.
fn open_ours(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = options.custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(file)
}

/// Takes all the room of the file: a full disk later does no harm. What is unreadable is wiped, since half a dialog
/// may be a whole PIN.
fn prepare(file: &File, unreadable: &[Spoilt]) -> io::Result<()> {
    for spoilt in unreadable {
        file.write_all_at(&vec![0; spoilt.size], spoilt.offset)?;
    }
    let length = file.metadata()?.len();
    let missing = (file_size() as u64).saturating_sub(length);
    if missing > 0 {
        file.write_all_at(&vec![0; usize::try_from(missing).unwrap_or(0)], length)?;
        file.sync_all()?;
    }
    Ok(())
}

/// A half that cannot be read.
struct Spoilt {
    offset: u64,
    size: usize,
}

/// The end of the file: what a disk without room for all of it lacks first.
const FIRST_TO_MISS_ROOM: Slot = Slot::Answer(Slot::ANSWERS - 1);
/// The slots with large halves stand first.
const LARGE_SLOTS: usize = 2 + Slot::DIALOGS as usize + 1;
const LARGE_PART: usize = LARGE_SLOTS * 2 * HALF_SIZE;
const ANSWER_PART: usize = Slot::ANSWERS as usize * ANSWER_SIZE;
/// How long the file was before machine and answers had a place in it.
const FORMER_SIZE: usize = LARGE_PART - 2 * HALF_SIZE;

fn file_size() -> usize {
    LARGE_PART + 2 * ANSWER_PART
}

/// Whether the file has lost its end.
fn is_cut(length: usize) -> bool {
    length > 0 && length < file_size() && length != FORMER_SIZE
}

fn size(slot: Slot) -> usize {
    match slot {
        Slot::Ports | Slot::Room | Slot::Dialog(_) | Slot::Machine => HALF_SIZE,
        Slot::Answer(_) => ANSWER_SIZE,
    }
}

/// Where a half stands. The halves of an answer are far apart, so that they share no page.
fn offset(slot: Slot, which: usize) -> u64 {
    let offset = match slot {
        Slot::Ports | Slot::Room | Slot::Dialog(_) | Slot::Machine => {
            (slot.number() as usize * 2 + which) * HALF_SIZE
        }
        Slot::Answer(answer) => LARGE_PART + which * ANSWER_PART + usize::from(answer) * ANSWER_SIZE,
    };
    offset as u64
}

fn half_of(bytes: &[u8], slot: Slot, which: usize) -> &[u8] {
    let start = usize::try_from(offset(slot, which))
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let end = start.saturating_add(size(slot)).min(bytes.len());
    &bytes[start..end]
}

/// The thread that waits for the disk.
#[derive(Debug)]
struct Syncer {
    asks: SyncSender<()>,
    ended: Receiver<()>,
}

impl Syncer {
    fn start(file: Arc<File>, wakes: Wakes) -> Option<Self> {
        // One ask may wait: it covers all that were written before the thread comes to it.
        let (asks, asked) = sync_channel(1);
        let (end, ended) = sync_channel(0);
        let work = move || {
            let _end = end;
            let mut is_failing = false;
            while asked.recv().is_ok() {
                let result = file.sync_data().map_err(|error| error.to_string());
                match &result {
                    Err(why) if !is_failing => tracing::error!(
                        event = "state-unwritable", error = %why,
                        "the state does not reach the disk; calls work, but a power cut may leave one behind"
                    ),
                    Ok(()) if is_failing => tracing::info!("the state reaches the disk again"),
                    Ok(()) | Err(_) => {}
                }
                is_failing = result.is_err();
                // The loop may be gone already; the sync counts all the same.
                wakes.send_from_thread(Wake::Stored(result));
            }
        };
        match std::thread::Builder::new()
            .name("meetd-store".to_owned())
            .spawn(work)
        {
            Ok(_) => Some(Self { asks, ended }),
            Err(error) => {
                tracing::error!(error = %error, "no thread to sync the state");
                None
            }
        }
    }

    /// False when the thread is gone. A full queue is an ask that is waiting already.
    fn ask(&self) -> bool {
        !matches!(
            self.asks.try_send(()),
            Err(std::sync::mpsc::TrySendError::Disconnected(()))
        )
    }

    fn finish(self, limit: Duration) {
        drop(self.asks);
        if self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the disk did not take the state in time");
        }
    }
}

#[cfg(test)]
mod tests;
