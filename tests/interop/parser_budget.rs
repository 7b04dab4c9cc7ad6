//! What reading a message costs, in instructions as valgrind's callgrind counts them, held against
//! `tests/data/sip/budget/instructions.tsv`. The figure does not depend on the machine's speed or load; it does on the
//! compiler, and on the profile: tests are built without optimization, so that only changes mean something.

use std::process::Command;

use meetd::dialer::sip::wire::read_datagram;

use crate::peers::programs::{self, Skipped};

/// As the first argument of this binary: read a message so often, and nothing else.
pub const READ: &str = "--read-message";
/// How often for the count, from which that of a process that reads none is taken.
const TIMES: u64 = 200;
/// How far from its budget a count may be, in percent.
const TOLERANCE: f64 = 5.0;

const MESSAGES: [(&str, &[u8]); 2] = [
    ("invite", include_bytes!("../data/sip/budget/invite.sip")),
    ("ok", include_bytes!("../data/sip/budget/ok.sip")),
];
const BUDGET: &str = include_str!("../data/sip/budget/instructions.tsv");

/// Reads the named message that often.
pub fn read(name: &str, times: &str) {
    let bytes = MESSAGES.iter().find(|(known, _)| *known == name).unwrap().1;
    for _ in 0..times.parse().unwrap() {
        std::hint::black_box(read_datagram(std::hint::black_box(bytes)).unwrap());
    }
}

/// The counts are within the tolerance of the budget, both ways: who makes it cheaper writes that down.
pub fn reading_a_message_stays_within_its_budget() -> Result<(), Skipped> {
    programs::find("valgrind", "valgrind")?;
    let mut wrong = Vec::new();
    let none = count(MESSAGES[0].0, 0);
    for (name, bytes) in MESSAGES {
        let found = (count(name, TIMES) - none) / TIMES;
        let row = BUDGET
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        let budget: u64 = row.and_then(|row| row.parse().ok()).expect("a budget for each");
        let off = (found as f64 / budget as f64 - 1.0) * 100.0;
        println!(
            "reading {name} ({} bytes): {found} instructions, budget {budget} ({off:+.1} %)",
            bytes.len()
        );
        if off.abs() > TOLERANCE {
            wrong.push(format!(
                "{name}: {found} instructions, {off:+.1} % off the budget of {budget}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nIf that is meant, write it into tests/data/sip/budget/instructions.tsv.",
        wrong.join("\n")
    );
    Ok(())
}

/// The instructions of a whole process that reads a message so often.
fn count(name: &str, times: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([READ, name, &times.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "valgrind: {said}");
    let collected = said
        .split("Collected :")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next());
    collected
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("valgrind: {said}"))
}
