//! What must last over the death of the process: one preallocated file of slots, each with two halves that are
//! written in turn, so that a torn write leaves the former content. Writing is one `pwrite` in the loop; syncing is
//! a thread's work.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use thiserror::Error;

use crate::agent::Wake;
use crate::edge::wakes::Wakes;
use crate::record::{Restored, SLOT_CAPACITY, Slot};

use half::{HALF_SIZE, Half};

mod half;

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
    #[error("{length} bytes do not fit into a slot of {SLOT_CAPACITY}")]
    TooLong {
        /// How many there were.
        length: usize,
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
    /// Why the last record was not written; said once, until one is written again.
    unwritable: Option<String>,
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
        let (restored, unreadable) = store.restore();
        match store.prepare(&unreadable) {
            Ok(file) => {
                let file = Arc::new(file);
                store.syncer = Syncer::start(Arc::clone(&file), wakes.clone());
                store.file = Ok(file);
            }
            Err(error) => {
                store.file = Err(error.to_string());
                store.remark_unwritable(error.to_string());
            }
        }
        Ok((store, restored))
    }

    /// Writes the content of a slot; empty content erases it, in both halves. It survives the death of the process
    /// once this returns.
    pub fn record(&mut self, slot: Slot, content: &[u8]) -> Result<(), RecordFault> {
        if content.len() > SLOT_CAPACITY {
            tracing::error!(slot = ?slot, length = content.len(), "a record is too long for its slot");
            return Err(RecordFault::TooLong {
                length: content.len(),
            });
        }
        match self.write(slot, content) {
            Ok(()) => {
                if self.unwritable.take().is_some() {
                    tracing::info!(path = %self.path.display(), "the state can be written again");
                }
                Ok(())
            }
            Err(why) => {
                self.remark_unwritable(why.clone());
                Err(RecordFault::Unwritable(why))
            }
        }
    }

    /// Brings to the disk what was recorded. [`Wake::Stored`] follows from the store's thread, one for all syncs that
    /// were asked for while it was busy; the wake is returned at once when there is nothing to wait for.
    pub fn sync(&mut self) -> Option<Wake> {
        if let Some(why) = &self.unwritable {
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
        let Some((number, state)) = (0u32..)
            .zip(&mut self.slots)
            .find(|(_, state)| state.slot == slot)
        else {
            return Err(format!("the state file has no place for {slot:?}"));
        };
        let sequence = state.sequence.saturating_add(1);
        let result = if content.is_empty() {
            // The older half first: torn between the two, the newer number still says "erased".
            let erased = half::write_erased(number, sequence);
            file.write_all_at(&erased, offset(number, state.next_half))
                .and_then(|()| file.write_all_at(&erased, offset(number, 1 - state.next_half)))
        } else {
            let written = half::write(number, sequence, content);
            file.write_all_at(&written, offset(number, state.next_half))
        };
        // A write that failed half-way has spoilt this half only: it is written again next time.
        result.map_err(|error| error.to_string())?;
        state.sequence = sequence;
        state.next_half = 1 - state.next_half;
        Ok(())
    }

    /// What the file holds, and where the halves are that cannot be read.
    fn restore(&mut self) -> (Restored, Vec<u64>) {
        let mut restored = Restored::default();
        let mut unreadable = Vec::new();
        let Some(bytes) = self.read_file() else {
            return (restored, unreadable);
        };
        for (number, state) in (0u32..).zip(&mut self.slots) {
            let halves = [0, 1].map(|which| half::read(number, half_of(&bytes, number, which)));
            let spoilt = (0..).zip(&halves).filter(|(_, half)| **half == Half::Unreadable);
            unreadable.extend(spoilt.map(|(which, _)| offset(number, which)));
            if let Some(content) = state.take_in(halves) {
                restored.0.push((state.slot, content));
            }
        }
        if !unreadable.is_empty() {
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

    /// Opens it for writing, for our eyes only, with all its room taken: a full disk later does no harm. What is
    /// unreadable is wiped, since half a dialog may be a whole PIN.
    fn prepare(&self, unreadable: &[u64]) -> io::Result<File> {
        let file = open_ours(
            OpenOptions::new().read(true).write(true).create(true).mode(0o600),
            &self.path,
        )?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        let length = file.metadata()?.len();
        let missing = (file_size() as u64).saturating_sub(length);
        if missing > 0 {
            file.write_all_at(&vec![0; usize::try_from(missing).unwrap_or(0)], length)?;
            file.sync_all()?;
        }
        for offset in unreadable {
            file.write_all_at(&[0; HALF_SIZE], *offset)?;
        }
        Ok(file)
    }

    fn remark_unwritable(&mut self, why: String) {
        if self.unwritable.is_none() {
            tracing::error!(
                event = "state-unwritable", path = %self.path.display(), error = %why,
                "the state cannot be written; calls work, but what the room was set to and calls in progress are \
                 forgotten when the daemon dies"
            );
        }
        self.unwritable = Some(why);
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

fn file_size() -> usize {
    Slot::all().count() * 2 * HALF_SIZE
}

fn offset(number: u32, which: usize) -> u64 {
    (u64::from(number) * 2 + which as u64) * HALF_SIZE as u64
}

fn half_of(bytes: &[u8], number: u32, which: usize) -> &[u8] {
    let start = usize::try_from(offset(number, which))
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let end = start.saturating_add(HALF_SIZE).min(bytes.len());
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
            while asked.recv().is_ok() {
                let result = file.sync_data().map_err(|error| error.to_string());
                if let Err(why) = &result {
                    tracing::error!(event = "state-unwritable", error = %why, "the state does not reach the disk");
                }
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
