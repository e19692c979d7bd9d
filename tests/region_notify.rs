//! Notifications are counted, wake who waits, fit into an event loop, and nobody waits for an owner that was killed.

mod support;

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use graven::{Cause, ErrorKind, Region, Timeout, error::RegionError};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use support::*;

const WITHIN: Timeout = Timeout::Within(Duration::from_secs(2));

fn taken(region: &Region) -> usize {
    std::iter::from_fn(|| region.wait(Timeout::Now).ok()).count()
}

#[test]
fn three_notifications_are_three_waits_and_once_thrice_is_one() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("bell").size(1).create().unwrap();
    let other = store.region("bell").attach(Timeout::Now).unwrap();
    (0..3).for_each(|_| region.notify().unwrap());
    assert_eq!(taken(&other), 3);
    (0..3).for_each(|_| region.notify_once().unwrap());
    assert_eq!(taken(&other), 1);
    region.notify().unwrap();
    region.notify_once().unwrap();
    other.notify().unwrap();
    assert_eq!(taken(&region), 2);
    let start = Instant::now();
    let error = other.wait(Timeout::Within(Duration::from_millis(40))).unwrap_err();
    assert!(matches!(error.cause(), Cause::Region(RegionError::NotNotified)));
    assert_eq!((error.errno(), error.kind()), (Errno::ETIMEDOUT as i32, ErrorKind::TimedOut));
    assert!((Duration::from_millis(40)..Duration::from_secs(2)).contains(&start.elapsed()));
}

#[test]
fn notifications_of_other_processes_wake_each_waiter_once() {
    const TEST: &str = "notifications_of_other_processes_wake_each_waiter_once";
    if let Some(role) = role() {
        let region = store(role).region("bell").attach(Timeout::Now).unwrap();
        tell("ready");
        wait_for_go();
        for _ in 0..100 {
            region.wait(Timeout::Within(Duration::from_secs(20))).unwrap();
        }
        tell("done");
        done();
    }
    let dir = directory();
    let region = store(&dir).region("bell").size(1).create().unwrap();
    let mut others: Vec<Other> =
        (0..3).map(|_| Other::start(other(TEST, dir.path().to_str().unwrap()))).collect();
    others.iter_mut().for_each(|other| assert_eq!(other.hear(), "ready"));
    others.iter_mut().for_each(Other::proceed);
    for round in 0..300 {
        region.notify().unwrap();
        if round % 50 == 0 {
            std::thread::sleep(Duration::from_millis(3));
        }
    }
    others.iter_mut().for_each(|other| assert_eq!(other.hear(), "done"));
    assert_eq!(errno(region.wait(Timeout::Now)), Errno::ETIMEDOUT as i32);
}

/// Creates `bell` in the directory and holds it.
fn own(dir: &str) -> ! {
    let region = store(dir).region("bell").size(1).create().unwrap();
    tell("created");
    wait_for_go();
    drop(region);
    done()
}

#[test]
fn who_waits_is_told_that_the_owner_was_killed() {
    const TEST: &str = "who_waits_is_told_that_the_owner_was_killed";
    if let Some(role) = role() {
        own(&role);
    }
    let dir = directory();
    let mut owner = Other::start(other(TEST, dir.path().to_str().unwrap()));
    assert_eq!(owner.hear(), "created");
    let region = store(&dir).region("bell").attach(Timeout::Now).unwrap();
    region.notify().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            region.wait(WITHIN).unwrap();
            let error = region.wait(Timeout::Forever).unwrap_err();
            (Instant::now(), error)
        });
        std::thread::sleep(Duration::from_millis(60));
        assert!(!waiting.is_finished());
        let killed = Instant::now();
        owner.kill();
        let (told, error) = waiting.join().unwrap();
        println!("told {:?} after the kill", told - killed);
        assert!(told - killed < Duration::from_secs(2));
        assert!(matches!(error.cause(), Cause::Region(RegionError::OwnerDied)));
        assert_eq!((error.errno(), error.kind()), (Errno::ESTALE as i32, ErrorKind::Retired));
    });
    // What was notified is not lost for that.
    region.notify().unwrap();
    region.wait(Timeout::Now).unwrap();
    assert_eq!(errno(region.wait(Timeout::Now)), Errno::ESTALE as i32);
}

#[test]
fn an_owner_that_leaves_in_order_and_a_region_without_one_let_others_wait_on() {
    const TEST: &str = "an_owner_that_leaves_in_order_and_a_region_without_one_let_others_wait_on";
    if let Some(role) = role() {
        own(&role);
    }
    let dir = directory();
    let mut owner = Other::start(other(TEST, dir.path().to_str().unwrap()));
    assert_eq!(owner.hear(), "created");
    let store = store(&dir);
    let region = store.region("bell").attach(Timeout::Now).unwrap();
    assert!(owner.go().success());
    let short = Timeout::Within(Duration::from_millis(40));
    assert_eq!(errno(region.wait(short)), Errno::ETIMEDOUT as i32);
    let peers = store.region("peers").size(1).create_or_attach().unwrap();
    assert_eq!(errno(peers.wait(short)), Errno::ETIMEDOUT as i32);
}

struct Loop {
    epoll: Epoll,
}

impl Loop {
    fn new(region: &Region, socket: &UnixStream) -> Loop {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        epoll.add(region.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, 1)).unwrap();
        epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, 2)).unwrap();
        Loop { epoll }
    }

    /// Which are readable within that time.
    fn readable(&self, milliseconds: u16) -> Vec<u64> {
        let mut events = [EpollEvent::empty(); 4];
        let count = self.epoll.wait(&mut events, EpollTimeout::from(milliseconds)).unwrap();
        let mut ready: Vec<u64> = events[..count].iter().map(EpollEvent::data).collect();
        ready.sort();
        ready
    }
}

/// [S16.5]
#[test]
fn a_region_is_readable_in_epoll_beside_a_socket_exactly_while_there_is_something() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("bell").size(1).create().unwrap();
    let waiter = store.region("bell").attach(Timeout::Now).unwrap();
    // Before anybody watches.
    region.notify().unwrap();
    let (socket, mut peer) = UnixStream::pair().unwrap();
    let events = Loop::new(&waiter, &socket);
    assert_eq!(events.readable(2000), [1]);
    waiter.wait(Timeout::Now).unwrap();
    assert!(events.readable(0).is_empty());

    region.notify().unwrap();
    region.notify().unwrap();
    peer.write_all(b"x").unwrap();
    assert_eq!(events.readable(2000), [1, 2]);
    waiter.wait(Timeout::Now).unwrap();
    assert_eq!(events.readable(0), [1, 2], "one is left");
    waiter.wait(Timeout::Now).unwrap();
    assert_eq!(events.readable(0), [2]);

    // Taken by another: readable until it is asked.
    region.notify().unwrap();
    region.wait(Timeout::Now).unwrap();
    assert_eq!(events.readable(2000), [1, 2]);
    assert_eq!(errno(waiter.wait(Timeout::Now)), Errno::ETIMEDOUT as i32);
    assert_eq!(events.readable(0), [2]);
    events.epoll.delete(&socket).unwrap();

    // Nothing is missed, however notifications and waits fall.
    std::thread::scope(|scope| {
        scope.spawn(|| (0..2000).for_each(|_| region.notify().unwrap()));
        let mut taken = 0;
        while taken < 2000 {
            assert_eq!(events.readable(2000), [1], "after {taken}");
            while waiter.wait(Timeout::Now).is_ok() {
                taken += 1;
            }
        }
    });
    // What was taken between its count and its bell rings for nothing, once: readable until it is asked.
    assert_eq!(errno(waiter.wait(Timeout::Now)), Errno::ETIMEDOUT as i32);
    assert!(events.readable(0).is_empty());
}

#[test]
fn an_event_loop_learns_of_the_owners_death_too() {
    const TEST: &str = "an_event_loop_learns_of_the_owners_death_too";
    if let Some(role) = role() {
        own(&role);
    }
    let dir = directory();
    let mut owner = Other::start(other(TEST, dir.path().to_str().unwrap()));
    assert_eq!(owner.hear(), "created");
    let region = store(&dir).region("bell").attach(Timeout::Now).unwrap();
    let (socket, _peer) = UnixStream::pair().unwrap();
    let events = Loop::new(&region, &socket);
    assert!(events.readable(20).is_empty());
    owner.kill();
    let start = Instant::now();
    loop {
        assert_eq!(events.readable(2000), [1]);
        match errno(region.wait(Timeout::Now)) {
            number if number == Errno::ESTALE as i32 => break,
            number => assert_eq!(number, Errno::ETIMEDOUT as i32),
        }
    }
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn where_inotify_or_writing_is_not_to_be_had_a_timer_takes_its_place() {
    use nix::sys::inotify::{InitFlags, Inotify};
    if let Some(role) = role() {
        // A user whose instances this uses up: not one whose programs need some.
        if is_root() {
            become_user(65533);
        }
        let none_left: Vec<_> =
            std::iter::from_fn(|| Inotify::init(InitFlags::IN_CLOEXEC).ok()).take(5000).collect();
        let store = store(role);
        let region = store.region("bell").attach(Timeout::Now).unwrap();
        let reader = store.region("bell").read_only(true).attach(Timeout::Now).unwrap();
        let (socket, _peer) = UnixStream::pair().unwrap();
        for region in [&region, &reader] {
            let events = Loop::new(region, &socket);
            assert_eq!(events.readable(2000), [1]);
        }
        region.notify().unwrap();
        region.wait(Timeout::Now).unwrap();
        tell(none_left.len());
        done();
    }
    let dir = directory();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let region = store(&dir).region("bell").size(1).create().unwrap();
    region.chmod(0o666).unwrap();
    let test = "where_inotify_or_writing_is_not_to_be_had_a_timer_takes_its_place";
    let told = told_by(other(test, dir.path().to_str().unwrap()));
    println!("{} inotify instances", told[0]);
}
