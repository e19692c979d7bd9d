//! A small set of flags that changes all the time, and processes that sleep until it does.
//!
//! ```text
//! cargo run --release --example feature_flags                 # 3 seconds, 3 readers, 100 flags
//! cargo run --release --example feature_flags -- 10 8 1000    # 10 seconds, 8 readers, 1,000 flags
//! ```
//! The set is published about every millisecond. What a flag must be follows from its number and the generation's, so
//! that a reader checks all flags of each generation that it sees. The last one says that it is the last: a reader that
//! is not woken for it fails.
//!
//! The latency is from just before the set is published until a reader has the new one: serializing, the new file,
//! waking, mapping and validating.
//!
//! The program ends by itself, and with an error if a flag was wrong or a reader missed the last change.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use graven::{Lifetime, Result, Store, Timeout};
use nix::time::{ClockId, clock_gettime};

const NAME: &str = "flags";
const PAUSE: Duration = Duration::from_millis(1);

/// For whom a feature is switched on.
#[graven::object]
#[rkyv(derive(Debug))]
#[derive(Debug)]
enum Rule {
    Nobody,
    Everybody,
    Percent(u8),
    Users(Vec<u64>),
}

#[graven::object]
struct Flags {
    rules: BTreeMap<String, Rule>,
    /// When it was about to be published, in nanoseconds of the machine's monotonic clock.
    time: u64,
    last: bool,
}

fn name(flag: u64) -> String {
    format!("checkout/feature-{flag}")
}

/// What a flag must be in a generation: some change with each, some seldom.
fn rule(flag: u64, generation: u64) -> Rule {
    let turn = generation / (1 + flag % 10) + flag;
    match turn % 4 {
        0 => Rule::Nobody,
        1 => Rule::Everybody,
        2 => Rule::Percent((turn % 101) as u8),
        _ => Rule::Users((turn..turn + flag % 7).collect()),
    }
}

/// Whether an archived rule is this one.
fn same(archived: &ArchivedRule, rule: &Rule) -> bool {
    match (archived, rule) {
        (ArchivedRule::Nobody, Rule::Nobody) | (ArchivedRule::Everybody, Rule::Everybody) => true,
        (ArchivedRule::Percent(archived), Rule::Percent(percent)) => archived == percent,
        (ArchivedRule::Users(archived), Rule::Users(users)) => archived.iter().eq(users),
        _ => false,
    }
}

fn now() -> std::io::Result<u64> {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// Waits for each change and checks it, until the last.
fn read(store: &Store, worker: u64, size: u64) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut reader = store.reader::<Flags>(NAME, Timeout::Within(Duration::from_secs(10)))?;
    let mut latencies = Vec::new();
    let began = Instant::now();
    loop {
        let before = reader.generation();
        // If the owner is killed, this is an error: the name lives as long as its owner.
        let flags = reader.wait(Timeout::Within(Duration::from_secs(10)))?.clone();
        latencies.push(now()?.saturating_sub(flags.time.to_native()));
        let generation = reader.generation();
        assert!(generation > before, "woken for nothing new");
        assert_eq!(flags.rules.len() as u64, size);
        for flag in 0..size {
            let (archived, expected) = (flags.rules.get(name(flag).as_str()), rule(flag, generation));
            let right = archived.is_some_and(|archived| same(archived, &expected));
            assert!(right, "flag {flag} of generation {generation}: {archived:?}, not {expected:?}");
        }
        if flags.last {
            break;
        }
    }
    latencies.sort_unstable();
    let micros = |at: usize| latencies[at.min(latencies.len() - 1)] as f64 / 1e3;
    let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
    let (median, late) = (micros(latencies.len() / 2), micros(latencies.len() * 99 / 100));
    println!(
        "reader {worker}: {rate:.0} changes/s seen, median {median:.0} µs, 99 of 100 within {late:.0} µs"
    );
    Ok(())
}

fn start(dir: &Path, worker: u64, size: u64) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("reader").arg(dir).args([worker.to_string(), size.to_string()]).spawn()
}

fn run(time: Duration, workers: u64, size: u64) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir_in("/dev/shm")?;
    // SAFETY: a directory that was just made, for this program and those that it starts.
    let store = unsafe { Store::open(&dir)? };
    let mut owner = store.owner_options(NAME).secure().lifetime(Lifetime::Process).open()?;
    let mut publish = |last| -> Result<u64> {
        let generation = owner.generation() + 1;
        let rules = (0..size).map(|flag| (name(flag), rule(flag, generation))).collect();
        let time = now().unwrap_or(0);
        assert_eq!(owner.publish(&Flags { rules, time, last })?, generation);
        owner.attached()
    };
    publish(false)?;
    let mut children =
        (0..workers).map(|worker| start(dir.path(), worker, size)).collect::<std::io::Result<Vec<_>>>()?;
    while publish(false)? < workers {
        for child in &mut children {
            if let Some(status) = child.try_wait()? {
                return Err(format!("a reader ended before it began: {status}").into());
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }

    let began = Instant::now();
    let mut changes = 0;
    while began.elapsed() < time {
        publish(false)?;
        changes += 1;
        std::thread::sleep(PAUSE);
    }
    let rate = f64::from(changes) / began.elapsed().as_secs_f64();
    publish(true)?;
    let mut failed = 0;
    for mut child in children {
        failed += u32::from(!child.wait()?.success());
    }
    println!("{rate:.0} changes/s of {size} flags published");
    if failed > 0 {
        return Err(format!("{failed} readers failed").into());
    }
    println!("every flag was checked");
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, dir, worker, size] = &arguments[..]
        && role == "reader"
    {
        // SAFETY: the parent's directory.
        return read(&unsafe { Store::open(dir)? }, worker.parse()?, size.parse()?);
    }
    let number = |index: usize, default: u64| match arguments.get(index) {
        Some(argument) => argument.parse(),
        None => Ok(default),
    };
    let (seconds, workers, size) = (number(0, 3)?, number(1, 3)?, number(2, 100)?);
    run(Duration::from_secs(seconds), workers.max(1), size.clamp(1, 100_000))
}
