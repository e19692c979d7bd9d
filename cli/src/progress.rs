//! How far long work is: a bar on standard error, if that is a terminal, once the work has taken a second.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is not worth a word.
const QUIET: Duration = Duration::from_secs(1);
/// How often copying is looked at.
const PERIOD: Duration = Duration::from_millis(100);

pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    /// Where it is shown, until it is.
    target: Mutex<Option<ProgressDrawTarget>>,
}

impl Progress {
    /// Of work on so many bytes, of which `done` says what is done with them.
    pub(crate) fn on_stderr(total: u64, done: &str) -> Progress {
        // Draws nothing where standard error is no terminal.
        Progress::on(Some(ProgressDrawTarget::stderr()), total, done)
    }

    fn on(target: Option<ProgressDrawTarget>, total: u64, done: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let template = format!("{{bar:40}} {{bytes}} of {{total_bytes}} {done}, {{eta}} left");
        let style = ProgressStyle::with_template(&template);
        Progress {
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            started: Instant::now(),
            target: Mutex::new(target),
        }
    }

    /// So many bytes more are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.show();
        self.bar.inc(bytes);
    }

    fn show(&self) {
        if self.started.elapsed() > QUIET {
            let target = self.target.lock().unwrap_or_else(PoisonError::into_inner).take();
            target.into_iter().for_each(|target| self.bar.set_draw_target(target));
        }
    }

    /// Shows how far `work` is by what `moved` says, asked now and then, until it ends.
    fn follow<T>(self, moved: impl Fn() -> u64 + Sync, work: impl FnOnce() -> T) -> T {
        let (working, worked) = mpsc::channel::<()>();
        let watch = || {
            let worked = worked;
            while worked.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                self.show();
                self.bar.set_position(moved());
            }
        };
        thread::scope(|scope| {
            // Where no thread is to be had, nothing is shown.
            let _ = thread::Builder::new().spawn_scoped(scope, watch);
            let result = work();
            // A panic drops it too.
            drop(working);
            result
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Does work that reads and writes so many bytes of files altogether, and shows how far it is; `done` says what is done
/// with them.
///
/// The kernel counts what a process reads and writes, so nobody has to be asked who does it.
pub(crate) fn while_copying<T>(total: u64, done: &str, work: impl FnOnce() -> T) -> T {
    match copied() {
        Ok(before) if io::stderr().is_terminal() => {
            let moved = || copied().map_or(0, |now| now.saturating_sub(before));
            Progress::on_stderr(total, done).follow(moved, work)
        }
        // Nobody looks, or this kernel does not count.
        _ => work(),
    }
}

/// Bytes that this process has read and written.
///
/// Source: proc_pid_io(5).
fn copied() -> io::Result<u64> {
    let counts = std::fs::read_to_string("/proc/self/io")?;
    let count = |name| counts.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    match (count("rchar:"), count("wchar:")) {
        (Some(read), Some(written)) => Ok(read + written),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The length of a file, as far as it can be told before it is opened.
pub(crate) fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what was written to it.
    #[derive(Clone, Debug, Default)]
    struct Written(Arc<Mutex<String>>);

    impl Written {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl TermLike for Written {
        fn width(&self) -> u16 {
            100
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.write_str("<clear>")
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn progress(terminal: &Written, age: Duration) -> Progress {
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut progress = Progress::on(Some(target), 4 << 20, "copied");
        progress.started -= age;
        progress
    }

    #[test]
    fn work_of_more_than_a_second_is_shown_and_cleared_when_it_ends() {
        let terminal = Written::default();
        let moved = AtomicU64::new(1 << 20);
        let follow = progress(&terminal, 2 * QUIET);
        follow.follow(
            || moved.fetch_add(1 << 20, Ordering::Relaxed),
            || {
                while !terminal.text().contains("2.00 MiB of 4.00 MiB copied") {
                    thread::sleep(Duration::from_millis(1));
                }
            },
        );
        assert!(terminal.text().ends_with("<clear>"), "{}", terminal.text());
    }

    #[test]
    fn work_of_less_than_a_second_is_not_shown() {
        let terminal = Written::default();
        // Longer ago than it was, if anything is slow.
        let progress = progress(&terminal, Duration::ZERO);
        let young = progress.started;
        progress.add(1 << 20);
        assert!(terminal.text().is_empty() || young.elapsed() > QUIET);
    }

    #[test]
    fn what_is_read_and_written_is_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let Ok(before) = copied() else {
            println!("SKIPPED: this kernel does not count");
            return;
        };
        std::fs::write(file.path(), vec![7; 100_000]).unwrap();
        std::fs::read(file.path()).unwrap();
        // Other tests copy too.
        assert!(copied().unwrap() - before >= 200_000);
    }
}
