//! Applications post counters into a region, a controller reads them and answers; some are killed and come back.
//!
//! ```text
//! cargo run --release --example controller               # 4 applications, 3 seconds, a kill every 100 ms
//! cargo run --release --example controller -- 8 10 0     # 8 applications, 10 seconds, no kills
//! ```
//! Each application has a slot of 64 bytes and locks no more than that, so they do not wait for each other:
//!
//! | offset | written by | what |
//! |---|---|---|
//! | 0 | the application | which request: counts up |
//! | 8 | the application | the counter that it posts |
//! | 16 | the application | what the controller will have to answer, so that a torn request shows |
//! | 24 | the controller | the request that it has answered last |
//! | 32 | the controller | the answer |
//!
//! The program ends by itself, and with an error if an answer was wrong, a request torn or an application not served.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use graven::{At, Cause, Region, Result, Store, Timeout, error::RegionError};

const KEY: &str = "counters";
const SLOT: u64 = 64;

/// What the controller makes of a counter.
fn answer(counter: u64) -> u64 {
    counter.rotate_left(17) ^ 0x9e37_79b9_7f4a_7c15
}

fn number(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// Posts, and checks what comes back, until the controller is gone.
fn application(store: &Store, slot: u64) -> Result<()> {
    let region = store.region(KEY).attach(Timeout::Within(Duration::from_secs(10)))?;
    let bells = store.region(&format!("bell-{slot}")).attach(Timeout::Within(Duration::from_secs(10)))?;
    let range = slot * SLOT..(slot + 1) * SLOT;
    // A predecessor that was killed may have left a request, and its answer a bell.
    let mut request = number(&region.lock_range(range.clone())?, 0);
    loop {
        request += 1;
        let counter = request.wrapping_mul(slot + 3);
        let mut bytes = region.lock_range(range.clone())?;
        put(&mut bytes, 0, request);
        put(&mut bytes, 8, counter);
        put(&mut bytes, 16, answer(counter));
        drop(bytes);
        region.notify_once()?;
        loop {
            match bells.wait(Timeout::Within(Duration::from_secs(10))) {
                Err(error) if matches!(error.cause(), Cause::Region(RegionError::OwnerDied)) => return Ok(()),
                waited => waited?,
            }
            let bytes = region.lock_shared(range.clone(), Timeout::Forever)?;
            if number(&bytes, 24) == u64::MAX {
                return Ok(());
            }
            if number(&bytes, 24) == request {
                assert_eq!(number(&bytes, 32), answer(counter), "a wrong answer");
                break;
            }
        }
    }
}

/// What the controller has found so far.
#[derive(Default)]
struct Tally {
    answered: u64,
    torn: u64,
    by_slot: Vec<u64>,
}

/// Answers every request that is there.
fn serve(region: &Region, bells: &[Region], tally: &mut Tally) -> Result<()> {
    for (slot, bell) in bells.iter().enumerate() {
        let start = slot as u64 * SLOT;
        let mut bytes = region.lock_range(start..start + SLOT)?;
        let (request, counter, expected) = (number(&bytes, 0), number(&bytes, 8), number(&bytes, 16));
        if request == number(&bytes, 24) {
            continue;
        }
        // An application that is killed while it holds its slot leaves it as it was then. Nobody waits for the answer.
        if expected == answer(counter) {
            put(&mut bytes, 32, expected);
            tally.answered += 1;
            tally.by_slot[slot] += 1;
        } else {
            tally.torn += 1;
        }
        put(&mut bytes, 24, request);
        drop(bytes);
        bell.notify_once()?;
    }
    Ok(())
}

fn start(dir: &std::path::Path, slot: usize) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?).arg("application").arg(dir).arg(slot.to_string()).spawn()
}

fn control(
    count: usize,
    time: Duration,
    kill_every: Duration,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir_in("/dev/shm")?;
    // SAFETY: a directory that was just made, for this program and those that it starts.
    let store = unsafe { Store::open(&dir)? };
    // The controller has its own region at an address of its choice; the applications do not need to.
    let region =
        store.region(KEY).size(count as u64 * SLOT).secure().at(At::Exact(0x3000_0000_0000)).create()?;
    let bells = (0..count).map(|slot| store.region(&format!("bell-{slot}")).size(1).secure().create());
    let bells = bells.collect::<Result<Vec<_>>>()?;
    let mut applications =
        (0..count).map(|slot| start(dir.path(), slot)).collect::<std::io::Result<Vec<_>>>()?;

    let began = Instant::now();
    let (mut killed, mut next_kill, mut victim) = (0, began + kill_every, 0x2545_f491_4f6c_dd1d_u64);
    let mut tally = Tally { by_slot: vec![0; count], ..Tally::default() };
    while began.elapsed() < time {
        match region.wait(Timeout::Within(Duration::from_millis(20))) {
            Err(error) if !matches!(error.cause(), Cause::Region(RegionError::NotNotified)) => {
                return Err(error.into());
            }
            _ => serve(&region, &bells, &mut tally)?,
        }
        if !kill_every.is_zero() && Instant::now() >= next_kill {
            next_kill += kill_every;
            victim = victim.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let slot = (victim >> 33) as usize % count;
            applications[slot].kill()?;
            applications[slot].wait()?;
            applications[slot] = start(dir.path(), slot)?;
            killed += 1;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let attached = region.attached()?;
    for (slot, bell) in bells.iter().enumerate() {
        region.put(slot as u64 * SLOT + 24, u64::MAX)?;
        bell.notify()?;
    }
    let mut failed = 0;
    for mut application in applications {
        failed += u32::from(!application.wait()?.success());
    }
    println!("{} answers in {seconds:.1} s: {:.0} a second", tally.answered, tally.answered as f64 / seconds);
    println!("per application: {:?}; {attached} attached at the end", tally.by_slot);
    println!("{killed} applications killed and started again, {} requests torn by that", tally.torn);
    if failed > 0 || tally.by_slot.contains(&0) || tally.torn > killed {
        return Err(format!("{failed} applications failed, or some were not served").into());
    }
    println!("every answer was checked");
    Ok(())
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, dir, slot] = &arguments[..]
        && role == "application"
    {
        // SAFETY: the controller's directory.
        return Ok(application(&unsafe { Store::open(dir)? }, slot.parse()?)?);
    }
    let number = |index: usize, default: u64| match arguments.get(index) {
        Some(argument) => argument.parse(),
        None => Ok(default),
    };
    let (count, seconds, kill_every) = (number(0, 4)?, number(1, 3)?, number(2, 100)?);
    control(count.max(1) as usize, Duration::from_secs(seconds), Duration::from_millis(kill_every))
}
