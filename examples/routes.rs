//! A routing table that is published again and again, and processes that look up addresses in the newest one.
//!
//! ```text
//! cargo run --release --example routes                      # 3 seconds, 2 workers, 1,000,000 prefixes
//! cargo run --release --example routes -- 10 4 100000       # 10 seconds, 4 workers, 100,000 prefixes
//! ```
//! The table is three arrays that are read where they lie. Nested prefixes are cut into stretches of addresses that do
//! not overlap, so the longest prefix of an address is the stretch that it falls into: one binary search, and only among
//! the stretches that start in its own 65,536 addresses.
//!
//! Every 100 ms all next hops change, with what a next hop must be computed from the prefix and the number of the
//! generation. A worker finds the longest prefixes of its addresses once, the slow way, and then checks every answer: a
//! wrong prefix, or one word of another generation, is an error.
//!
//! The program ends by itself, and with an error if an answer was wrong or a worker saw nothing change.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use graven::{Cause, Lifetime, Owner, Result, Store, Timeout};

const NAME: &str = "routes";
const PERIOD: Duration = Duration::from_millis(100);
/// Addresses that a worker asks for, again and again.
const ADDRESSES: u64 = 1 << 16;
/// The next hop where there is no route.
const NO_ROUTE: u32 = 0;

/// Stretches of addresses, each up to where the next one starts.
#[graven::object]
struct Table {
    /// For each upper half of an address, and once more for the end: how many stretches start before it.
    index: Vec<u32>,
    starts: Vec<u32>,
    hops: Vec<u32>,
}

impl ArchivedTable {
    /// The next hop of the longest prefix that the address has.
    fn next_hop(&self, address: u32) -> u32 {
        let block = (address >> 16) as usize;
        let (from, to) = (self.index[block].to_native() as usize, self.index[block + 1].to_native() as usize);
        let within = self.starts[from..to].partition_point(|start| start.to_native() <= address);
        // The first stretch starts at address 0.
        self.hops[from + within - 1].to_native()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Prefix {
    address: u32,
    length: u8,
}

impl Prefix {
    fn of(address: u32, length: u8) -> Prefix {
        Prefix { address: address & (u64::from(u32::MAX) << (32 - length)) as u32, length }
    }

    /// One more than its last address.
    fn end(self) -> u64 {
        u64::from(self.address) + (1 << (32 - self.length))
    }

    /// What this prefix's next hop must be in a generation.
    fn next_hop(self, generation: u64) -> u32 {
        let key = u64::from(self.address) << 8 | u64::from(self.length);
        mix(key ^ generation.rotate_left(40)) as u32 | 1 // never NO_ROUTE
    }
}

/// Bits that look random. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// So many different prefixes, the same in each process; most are /24, as in the Internet's tables.
fn prefixes(count: usize) -> HashSet<Prefix> {
    let mut prefixes = HashSet::with_capacity(count);
    let mut number = 0;
    while prefixes.len() < count {
        let random = mix(number);
        number += 1;
        let length = match random % 100 {
            0..60 => 24,
            60..97 => 16 + (random >> 8) % 8,
            97..99 => 8 + (random >> 8) % 8,
            _ => 25 + (random >> 8) % 8,
        };
        prefixes.insert(Prefix::of((random >> 32) as u32, length as u8));
    }
    prefixes
}

/// The stretches' starts, and the longest prefix of each, if it has one.
fn stretches(prefixes: &HashSet<Prefix>) -> (Vec<u32>, Vec<Option<Prefix>>) {
    let mut sorted: Vec<Prefix> = prefixes.iter().copied().collect();
    sorted.sort_unstable(); // who contains stands before what it contains
    let (mut starts, mut longest) = (vec![0], vec![None]);
    let mut add = |start: u64, prefix| {
        let Ok(start) = u32::try_from(start) else { return }; // the end of all addresses
        if starts.last() == Some(&start) {
            longest.pop();
        } else {
            starts.push(start);
        }
        longest.push(prefix);
    };
    let mut open: Vec<Prefix> = Vec::new();
    for prefix in sorted {
        while let Some(ended) = open.pop_if(|open| open.end() <= prefix.address.into()) {
            add(ended.end(), open.last().copied());
        }
        add(prefix.address.into(), Some(prefix));
        open.push(prefix);
    }
    while let Some(ended) = open.pop() {
        add(ended.end(), open.last().copied());
    }
    (starts, longest)
}

/// Addresses, and the longest prefix of each, found by trying all lengths.
fn questions(prefixes: &HashSet<Prefix>, seed: u64) -> Vec<(u32, Option<Prefix>)> {
    let address = |number| mix(number ^ seed << 32) as u32;
    let longest = |address| (8..=32).rev().map(move |length| Prefix::of(address, length));
    let question = |number| {
        let address = address(number);
        (address, longest(address).find(|prefix| prefixes.contains(prefix)))
    };
    (0..ADDRESSES).map(question).collect()
}

/// Looks up addresses in the newest table, and checks what comes back, until the name is retired.
fn work(store: &Store, worker: u64, size: usize) -> Result<()> {
    let questions = questions(&prefixes(size), worker + 1);
    let mut reader = store.reader::<Table>(NAME, Timeout::Within(Duration::from_secs(60)))?;
    let (mut lookups, mut seen, mut last) = (0_u64, 1, reader.generation());
    let began = Instant::now();
    // That the owner was killed, `latest` does not say.
    while reader.owner_alive() {
        for &(address, prefix) in &questions {
            let hop = match reader.latest() {
                Ok(table) => table.next_hop(address),
                Err(error) if matches!(error.cause(), Cause::Retired) => {
                    let rate = lookups as f64 / began.elapsed().as_secs_f64() / 1e6;
                    println!("worker {worker}: {rate:.2} million lookups/s, {seen} generations seen");
                    assert!(seen > 1, "nothing ever changed");
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let generation = reader.generation();
            let expected = prefix.map_or(NO_ROUTE, |prefix| prefix.next_hop(generation));
            assert_eq!(hop, expected, "a wrong next hop for {address:#x} in generation {generation}");
            seen += u64::from(generation != last);
            last = generation;
        }
        lookups += ADDRESSES;
    }
    Ok(())
}

/// Publishes the table with the next hops of the next generation.
fn publish(owner: &mut Owner, table: &mut Table, longest: &[Option<Prefix>]) -> Result<()> {
    let generation = owner.generation() + 1;
    for (hop, prefix) in table.hops.iter_mut().zip(longest) {
        *hop = prefix.map_or(NO_ROUTE, |prefix| prefix.next_hop(generation));
    }
    assert_eq!(owner.publish(table)?, generation);
    Ok(())
}

fn start(dir: &Path, worker: u64, size: usize) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("worker").arg(dir).args([worker.to_string(), size.to_string()]).spawn()
}

fn run(time: Duration, workers: u64, size: usize) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let (starts, longest) = stretches(&prefixes(size));
    let index =
        (0..=1_u64 << 16).map(|block| starts.partition_point(|&start| u64::from(start) < block << 16));
    let index = index.map(|before| before as u32).collect();
    println!("{size} prefixes in {} stretches", starts.len());
    let mut table = Table { index, hops: vec![NO_ROUTE; starts.len()], starts };

    let dir = tempfile::tempdir_in("/dev/shm")?;
    // SAFETY: a directory that was just made, for this program and those that it starts.
    let store = unsafe { Store::open(&dir)? };
    let mut owner = store.owner_options(NAME).secure().lifetime(Lifetime::Process).open()?;
    publish(&mut owner, &mut table, &longest)?;
    let mut children =
        (0..workers).map(|worker| start(dir.path(), worker, size)).collect::<std::io::Result<Vec<_>>>()?;
    while owner.attached()? < workers {
        for child in &mut children {
            if let Some(status) = child.try_wait()? {
                return Err(format!("a worker ended before it began: {status}").into());
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }

    let began = Instant::now();
    let (mut next, mut published, mut busy) = (began, 0, Duration::ZERO);
    while began.elapsed() < time || published < 2 {
        let before = Instant::now();
        publish(&mut owner, &mut table, &longest)?;
        busy += before.elapsed();
        published += 1;
        // A table that takes longer than the period is published as often as it can be.
        next = (next + PERIOD).max(Instant::now());
        std::thread::sleep(next - Instant::now());
    }
    let seconds = began.elapsed().as_secs_f64();
    let megabytes = store.stat(NAME)?.length as f64 / 1e6;
    owner.retire()?;
    let mut failed = 0;
    for mut child in children {
        failed += u32::from(!child.wait()?.success());
    }
    let average = busy.as_secs_f64() * 1e3 / f64::from(published);
    let rate = f64::from(published) / seconds;
    println!("{rate:.1} publishes/s of {megabytes:.1} MB; each took {average:.1} ms, next hops included");
    if failed > 0 {
        return Err(format!("{failed} workers failed").into());
    }
    println!("every answer was checked");
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, dir, worker, size] = &arguments[..]
        && role == "worker"
    {
        // SAFETY: the parent's directory.
        return Ok(work(&unsafe { Store::open(dir)? }, worker.parse()?, size.parse()?)?);
    }
    let number = |index: usize, default: u64| match arguments.get(index) {
        Some(argument) => argument.parse(),
        None => Ok(default),
    };
    let size = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let (seconds, workers, size) = (number(0, 3)?, number(1, 2)?, number(2, size)?);
    // There are 16 million of /24, and random ones collide.
    run(Duration::from_secs(seconds), workers.max(1), size.clamp(1, 5_000_000) as usize)
}
