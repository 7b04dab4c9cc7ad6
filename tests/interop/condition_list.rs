//! The list of conditions in `tests/data/sip_conditions.tsv`, held against the tests that there are: each condition
//! has a test in virtual time, and is told by sipp over each transport it applies to.

use std::collections::BTreeSet;
use std::path::Path;

use crate::conditions::CONDITIONS;
use crate::peers::programs::Skipped;

/// One line of the list.
struct Row<'a> {
    condition: &'a str,
    transports: Vec<&'a str>,
    stories: Vec<&'a str>,
    tests: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn read(line: &'a str) -> Self {
        let words = |cell: &'a str| cell.split(' ').filter(|word| !word.is_empty()).collect();
        let cells: Vec<&str> = line.split('\t').collect();
        let [condition, transports, stories, tests] = cells[..] else {
            panic!("four columns are wanted, not {}: {line}", cells.len());
        };
        Self {
            condition,
            transports: words(transports),
            stories: words(stories),
            tests: words(tests),
        }
    }
}

/// `names` are those of all stories.
pub fn every_condition_has_its_tests(names: &BTreeSet<String>) -> Result<(), Skipped> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("tests/data/sip_conditions.tsv")).unwrap();
    let rows: Vec<Row> = list
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(Row::read)
        .collect();
    let mut tests = BTreeSet::new();
    find_tests(&root.join("src"), &mut tests);
    let mut missing = Vec::new();
    for row in &rows {
        if row.tests.is_empty() || row.stories.is_empty() || row.transports.is_empty() {
            missing.push(format!("{}: a column is empty", row.condition));
        }
        for test in row.tests.iter().filter(|test| !tests.contains(**test)) {
            missing.push(format!(
                "{}: no test in virtual time is called {test}",
                row.condition
            ));
        }
        for story in &row.stories {
            for transport in &row.transports {
                let of_sipp = format!("sipp_{story}_{transport}");
                if !names.contains(&of_sipp) && !names.contains(&format!("{story}_{transport}")) {
                    missing.push(format!("{}: no story is called {of_sipp}", row.condition));
                }
            }
        }
    }
    let listed: BTreeSet<&str> = rows.iter().flat_map(|row| row.stories.iter().copied()).collect();
    let unlisted = CONDITIONS
        .iter()
        .filter(|condition| !listed.contains(condition.name));
    missing.extend(unlisted.map(|condition| format!("{} stands in no line of the list", condition.name)));
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}

/// The names of all `#[test]` functions in a folder.
fn find_tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("#[test]").skip(1);
            let names = after.filter_map(|after| after.trim_start().strip_prefix("fn ")?.split_once('('));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}
