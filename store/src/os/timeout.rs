//! How long to wait.

use std::thread;
use std::time::{Duration, Instant};

/// How long to sleep before a look at what may end without a word: SIGKILL wakes nobody.
pub(crate) const SLICE: Duration = Duration::from_millis(25);
/// How long to sleep before a look at what takes others a moment; and at first, before any other.
pub(crate) const SHORT: Duration = Duration::from_millis(1);
/// How long to sleep, after some looks, before another for a name that is not there.
pub(crate) const LONG: Duration = Duration::from_millis(20);

/// How long a call may wait for what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Not at all.
    Now,
    /// At most so long.
    Within(Duration),
    /// Until it happens.
    Forever,
}

/// The moment at which a [`Timeout`] ends. Waits that are interrupted or sliced go on with what is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Timeout {
    pub(crate) fn start(self) -> Deadline {
        match self {
            Timeout::Now => Deadline(Some(Instant::now())),
            // Later than the clock can say is never.
            Timeout::Within(time) => Deadline(Instant::now().checked_add(time)),
            Timeout::Forever => Deadline(None),
        }
    }

    /// Looks, with pauses of [`SHORT`] to `longest` between them.
    pub(crate) fn looks(self, longest: Duration) -> Looks {
        Looks { deadline: self.start(), pause: SHORT, longest }
    }
}

/// Looks at what nobody tells of, until a [`Timeout`] ends.
pub(crate) struct Looks {
    deadline: Deadline,
    pause: Duration,
    longest: Duration,
}

impl Looks {
    /// Sleeps until it is time to look again; `false` when the time is over. Each pause is twice as long as the one
    /// before, up to the longest.
    pub(crate) fn again(&mut self) -> bool {
        let left = self.deadline.left(self.pause);
        self.pause = self.pause.saturating_mul(2).min(self.longest);
        left.map(thread::sleep).is_some()
    }
}

impl Deadline {
    /// What is left, at most `slice`; `None` when the time is over.
    pub(crate) fn left(self, slice: Duration) -> Option<Duration> {
        let Some(end) = self.0 else { return Some(slice) };
        let left = end.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| left.min(slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_never_passes_the_slice_and_ends() {
        let slice = Duration::from_millis(25);
        assert_eq!(Timeout::Now.start().left(slice), None);
        assert_eq!(Timeout::Within(Duration::ZERO).start().left(slice), None);
        assert_eq!(Timeout::Forever.start().left(slice), Some(slice));
        assert_eq!(Timeout::Within(Duration::MAX).start().left(slice), Some(slice));
        let soon = Timeout::Within(Duration::from_millis(5)).start();
        assert!(soon.left(slice).is_none_or(|left| left <= Duration::from_millis(5)));
        thread::sleep(Duration::from_millis(6));
        assert_eq!(soon.left(slice), None);
    }
}
