//! How one half of a slot looks on disk: a checksummed header, then the content. Whatever does not check out is
//! not a record.

use crate::record::{ANSWER_CAPACITY, SLOT_CAPACITY};

/// Three pages: no page of the disk holds two halves, so a write torn by a power cut cannot touch the other half.
pub const HALF_SIZE: usize = 12 * 1024;
/// The half of an answer: a part of one sector, which disks write whole.
pub const ANSWER_SIZE: usize = HEADER_SIZE + ANSWER_CAPACITY;

const MAGIC: [u8; 8] = *b"meetdrec";
const VERSION: u32 = 1;
/// Magic 8, version 4, slot 4, sequence 8, length 4, checksum 4; all numbers little-endian.
const HEADER_SIZE: usize = 32;
const CHECKED_HEADER: usize = HEADER_SIZE - 4;

const _: () = assert!(HEADER_SIZE + SLOT_CAPACITY <= HALF_SIZE);
const _: () = assert!(512 % ANSWER_SIZE == 0);

/// What a half holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Half {
    /// Never written: only zeros, or not even there.
    Blank,
    /// A record; empty content means that the slot was erased.
    Written {
        /// The larger one of both halves is the present content.
        sequence: u64,
        /// The content.
        content: Vec<u8>,
    },
    /// Torn, flipped, foreign or of another version.
    Unreadable,
}

/// Reads the half of the slot with this number; `bytes` may be cut short.
pub fn read(slot: u32, bytes: &[u8]) -> Half {
    match read_written(slot, bytes) {
        Some((sequence, content)) => Half::Written {
            sequence,
            content: content.to_vec(),
        },
        None if bytes.iter().all(|byte| *byte == 0) => Half::Blank,
        None => Half::Unreadable,
    }
}

fn read_written(slot: u32, bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_SIZE)?;
    let number = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    if header.get(..8)? != MAGIC || number(8)? != VERSION || number(12)? != slot {
        return None;
    }
    let sequence = u64::from_le_bytes(header.get(16..24)?.try_into().ok()?);
    let length = usize::try_from(number(24)?).ok()?;
    let content = rest
        .get(..length)
        .filter(|content| content.len() <= SLOT_CAPACITY)?;
    (number(CHECKED_HEADER)? == checksum(header.get(..CHECKED_HEADER)?, content))
        .then_some((sequence, content))
}

/// The half of the slot with this number, header and content.
pub fn write(slot: u32, sequence: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_SIZE + content.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&slot.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
    let checksum = checksum(&bytes, content);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// A whole half that says "erased" and holds nothing else: what stood there is overwritten to the last byte.
pub fn write_erased(slot: u32, sequence: u64, size: usize) -> Vec<u8> {
    let mut bytes = write(slot, sequence, &[]);
    bytes.resize(size, 0);
    bytes
}

fn checksum(header: &[u8], content: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(header);
    checksum.update(content);
    checksum.finalize()
}
