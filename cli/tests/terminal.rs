//! What a person sees who waits at a terminal.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Bytes that take some tenths of a second to check.
const LENGTH: usize = if cfg!(debug_assertions) { 192 << 20 } else { 1 << 30 };
/// As often the command may be done before it was stopped.
const ATTEMPTS: usize = 5;

/// Lets the command read its file, and then makes it take seconds to check what it has read.
fn slowed(mut child: Child) {
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let read = || {
        let counts = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        counts.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<usize>().ok()).unwrap_or(0)
    };
    while read() < LENGTH && child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    for _ in 0..3 {
        // Until it has been waited for, its number is its own.
        kill(pid, Signal::SIGSTOP).unwrap();
        thread::sleep(Duration::from_millis(1100));
        kill(pid, Signal::SIGCONT).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_bar_says_how_far_a_long_check_is_and_goes_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bytes.grv");
    graven::write(&file, &vec![7u8; LENGTH]).unwrap();
    let verify = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graven"));
        command.arg("verify").arg(&file).stdout(Stdio::null());
        command
    };

    let on_a_terminal = || {
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(&size, None).unwrap();
        let mut screen = File::from(terminal.master);
        let reader = thread::spawn(move || {
            let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
            // At the end, when nobody has the other side, it is EIO.
            while let Ok(read @ 1..) = screen.read(&mut piece) {
                seen.extend(&piece[..read]);
            }
            String::from_utf8(seen).unwrap()
        });
        slowed(verify().stderr(terminal.slave).env("TERM", "xterm").spawn().unwrap());
        reader.join().unwrap()
    };
    let seen = (0..ATTEMPTS).map(|_| on_a_terminal()).find(|seen| !seen.is_empty());
    let seen = seen.expect("a bar");
    assert!(seen.contains(" checked, ") && seen.contains(" MiB of "), "{seen:?}");
    // The last thing it does is to clear its line.
    assert!(seen.ends_with("\r\u{1b}[2K"), "{seen:?}");

    let mut piped = verify().stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = piped.stderr.take().unwrap();
    slowed(piped);
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(said, "", "a bar where no terminal is");
}
