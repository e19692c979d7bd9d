//! SPEC.md 17 says what a name is in its files: the control page has its table, and a reader in Python that knows
//! nothing else follows a name.
#![expect(clippy::host_endian_bytes)] // as the words of the control page are

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use graven::{Lifetime, Timeout};
use support::*;

const SPEC: &str = include_str!("../SPEC.md");

/// The rows of the table of SPEC 17.1: offset, size and field.
fn places() -> Vec<(usize, usize, &'static str)> {
    let section = SPEC.split("### 17.1 ").nth(1).unwrap().split("### ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.parse().ok()?, cells.next()?.parse().ok()?, cells.next()?))
    });
    rows.collect()
}

#[test]
fn the_table_of_the_control_page_is_what_an_owner_writes() {
    let directory = directory();
    let store = store(&directory);
    let page = || fs::read(directory.path().join("one.ctl")).unwrap();
    let field = |page: &[u8], name: &str| {
        let (offset, size, _) = places().into_iter().find(|(_, _, field)| *field == name).unwrap();
        page[offset..][..size].to_vec()
    };
    let word = |name: &str| u64::from_ne_bytes(field(&page(), name).try_into().unwrap());
    let note = |name: &str| u64::from_le_bytes(field(&page(), name).try_into().unwrap());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;

    let started = now();
    let mut owner = store.owner("one").unwrap();
    assert_eq!((word("epoch"), word("flags"), note("told")), (0, 0, 0));
    owner.publish(&7u64).unwrap();
    owner.publish(&8u64).unwrap();
    let magic = if cfg!(target_endian = "little") { b"graven-L" } else { b"graven-B" };
    assert_eq!(field(&page(), "magic"), magic);
    assert_eq!(field(&page(), "version"), 1u32.to_le_bytes());
    assert_eq!((word("epoch"), note("owner")), (4, std::process::id().into()));
    assert!((started..=now()).contains(&note("owned")) && (note("owned")..=now()).contains(&note("told")));
    let mut rest = page();
    for (offset, size, _) in places() {
        rest[offset..][..size].fill(0);
    }
    assert!(rest == vec![0; 4096], "something is not in the table");

    let opened = fs::File::open(directory.path().join("one.ctl")).unwrap();
    owner.retire().unwrap();
    let mut ended = vec![0; 4096];
    std::os::unix::fs::FileExt::read_exact_at(&opened, &mut ended, 0).unwrap();
    assert_eq!(field(&ended, "epoch"), 5u64.to_ne_bytes());

    for (flags, lifetime, last) in
        [(1, Lifetime::Process, false), (2, Lifetime::Persistent, true), (3, Lifetime::Process, true)]
    {
        let options = store.owner_options("one").lifetime(lifetime).delete_on_last_detach(last);
        let owner = options.open().unwrap();
        assert_eq!(word("flags"), flags);
        owner.retire().unwrap();
    }
}

/// The reader in Python, ended with the test.
struct Python(Child);

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_reader_that_knows_the_spec_alone_follows_a_name() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();

    let mut python = Command::new("python3");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/by_spec/follow.py"));
    let python = python.arg(directory.path()).arg("one").stdout(Stdio::piped()).spawn();
    let Ok(mut child) = python else {
        println!("SKIPPED: python3 is not here");
        return;
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let _python = Python(child);
    let mut hear = || lines.next().unwrap().unwrap();

    assert_eq!(hear(), "1 owned");
    assert_eq!(owner.attached().unwrap(), 1);
    owner.publish(&8u64).unwrap();
    assert_eq!(hear(), "2 owned");
    // Published by an owner who did not live to tell: what is under the name is looked at.
    drop(owner);
    let mut writer =
        graven::Writer::options().generation(3).create(directory.path().join("one.grv")).unwrap();
    writer.put("", &9u64).unwrap();
    writer.finish().unwrap();
    assert_eq!(hear(), "3 left");
    let mut owner = store.owner("one").unwrap();
    assert_eq!(owner.generation(), 3);
    owner.publish(&10u64).unwrap();
    assert_eq!(hear(), "4 owned");
    assert_eq!(**store.reader::<u64>("one", Timeout::Now).unwrap().current(), 10);
    owner.retire().unwrap();
    assert_eq!(hear(), "ended");
}
