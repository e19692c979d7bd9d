//! A region that holds an archived value is edited as such by everyone, and is a valid value for everyone who gets it.

mod support;

use std::time::Duration;

use graven::munge;
use graven::rkyv::collections::swiss_table::ArchivedHashMap;
use graven::rkyv::seal::Seal;
use graven::rkyv::vec::ArchivedVec;
use graven::{Cause, ErrorKind, Guard, Region, Segment, Timeout, error::RegionError};
use nix::errno::Errno;
use support::*;

#[graven::object]
#[derive(Debug, PartialEq)]
struct Board {
    title: String,
    scores: Vec<u64>,
    by_name: std::collections::HashMap<String, u32>,
    open: Option<u32>,
}

impl Board {
    fn sample() -> Board {
        Board {
            title: "a title that does not fit a pointer".into(),
            scores: vec![1, 2, 3],
            by_name: [("ann".to_owned(), 7)].into(),
            open: Some(5),
        }
    }
}

fn set_score(guard: &mut Guard<'_, ArchivedBoard>, index: usize, score: u64) {
    munge!(let ArchivedBoard { scores, .. } = guard.seal());
    let slice: Seal<'_, [_]> = ArchivedVec::as_slice_seal(scores);
    slice.unseal()[index] = score.into();
}

#[test]
fn every_attachment_sees_and_makes_edits_of_the_same_value() {
    const TEST: &str = "every_attachment_sees_and_makes_edits_of_the_same_value";
    if let Some(role) = role() {
        let board = store(role).region("board").attach_as::<Board>(Timeout::Now).unwrap();
        let mut guard = board.lock().unwrap();
        tell(guard.title.as_str());
        let score = guard.scores[1].to_native();
        set_score(&mut guard, 1, score + 100);
        munge!(let ArchivedBoard { by_name, .. } = guard.seal());
        let ann = ArchivedHashMap::get_seal(by_name, "ann").unwrap();
        *ann.unseal() = 8.into();
        done();
    }
    let dir = directory();
    let store = store(&dir);
    let board = store.region("board").create_with(&Board::sample()).unwrap();
    assert_eq!(board.size(), graven::encoded_len(&Board::sample()).unwrap());
    assert!(board.created());
    set_score(&mut board.lock().unwrap(), 1, 20);
    assert_eq!(told_by(other(TEST, dir.path().to_str().unwrap())), [Board::sample().title]);
    let again = store.region("board").create_or_attach_with(&Board::sample()).unwrap();
    assert!(!again.created());
    let guard = again.lock_shared(Timeout::Now).unwrap();
    assert_eq!(guard.scores[1], 120);
    assert_eq!(*guard.by_name.get("ann").unwrap(), 8);
    drop(guard);
    let reader = store.region("board").read_only(true).attach_as::<Board>(Timeout::Now).unwrap();
    assert_eq!(reader.lock_shared(Timeout::Now).unwrap().scores[1], 120);
    assert_eq!(region_error(&reader.lock().unwrap_err()), &RegionError::ReadOnly);
    let held = again.lock().unwrap();
    assert_eq!(region_error(&board.try_lock().unwrap_err()), &RegionError::Locked);
    assert_eq!(board.lock_within(Duration::from_millis(5)).unwrap_err().errno(), Errno::EDEADLK as i32);
    assert_eq!(held.scores.len(), 3);
}

#[test]
fn raw_writes_to_a_value_are_not_permitted_and_other_types_are_refused_with_what_differs() {
    let dir = directory();
    let store = store(&dir);
    let _board = store.region("board").create_with(&Board::sample()).unwrap();
    let raw = store.region("board").attach(Timeout::Now).unwrap();
    let segment = Segment::from_bytes(&*raw.lock_shared(.., Timeout::Now).unwrap()).unwrap();
    assert_eq!(segment.root::<Board>().unwrap().scores[2], 3);
    let refused = [
        raw.write_at(0, b"x").unwrap_err(),
        raw.write_vectored(&[]).unwrap_err(),
        raw.put(0, 1u64).unwrap_err(),
        raw.lock().unwrap_err(),
        raw.try_lock().unwrap_err(),
        raw.lock_range(0..1).unwrap_err(),
        raw.load(dir.path().join("absent")).unwrap_err(),
        store.region("board").create_or_attach().unwrap_err(),
    ];
    for error in refused {
        assert_eq!(region_error(&error), &RegionError::Typed);
        assert_eq!((error.errno(), error.kind()), (Errno::EPERM as i32, ErrorKind::NotPermitted));
    }
    let error = store.region("board").attach_as::<Vec<u32>>(Timeout::Now).unwrap_err();
    assert!(matches!(error.cause(), Cause::Layout(_)), "{error}");
    assert_eq!(error.errno(), EINVAL);
    let bytes = store.region("bytes").size(8192).create().unwrap();
    let error = store.region("bytes").attach_as::<Board>(Timeout::Now).unwrap_err();
    assert_eq!((region_error(&error), error.errno()), (&RegionError::Untyped, EINVAL));
    until(|| bytes.attached().unwrap() == 1);
}

#[test]
fn a_saved_value_is_a_segment_of_its_type_and_only_such_a_one_is_loaded() {
    let dir = directory();
    let file = dir.path().join("saved.grv");
    let store = store(&dir);
    let board = store.region("board").create_with(&Board::sample()).unwrap();
    set_score(&mut board.lock().unwrap(), 0, 77);
    board.save(&file).unwrap();
    let segment = Segment::read(&file).unwrap();
    segment.verify().unwrap();
    assert_eq!(segment.root::<Board>().unwrap().scores[0], 77);
    set_score(&mut board.lock().unwrap(), 0, 78);
    board.load(&file).unwrap();
    let score = || board.lock_shared(Timeout::Now).unwrap().scores[0].to_native();
    assert_eq!(score(), 77);

    let mut flipped = std::fs::read(&file).unwrap();
    flipped[5000] ^= 1;
    std::fs::write(dir.path().join("flipped.grv"), flipped).unwrap();
    assert_eq!(board.load(dir.path().join("flipped.grv")).unwrap_err().errno(), EINVAL);
    graven::write(&file, &vec![1u32]).unwrap();
    assert!(matches!(board.load(&file).unwrap_err().cause(), Cause::Layout(_)));
    graven::write(&file, &Board { scores: vec![0; 4], ..Board::sample() }).unwrap();
    assert_eq!(region_error(&board.load(&file).unwrap_err()), &RegionError::SavedElsewhere);
    graven::write(&file, &Board { scores: vec![0; 3000], ..Board::sample() }).unwrap();
    assert!(matches!(region_error(&board.load(&file).unwrap_err()), RegionError::SavedSize { .. }));
    assert_eq!(score(), 77);
    graven::write(&file, &Board { scores: vec![9, 8, 7], ..Board::sample() }).unwrap();
    board.load(&file).unwrap();
    assert_eq!(score(), 9);
}

#[test]
fn after_a_holders_death_the_value_is_validated_and_nobody_gets_an_invalid_one() {
    const TEST: &str = "after_a_holders_death_the_value_is_validated_and_nobody_gets_an_invalid_one";
    if let Some(role) = role() {
        let (what, dir) = role.split_once(' ').unwrap();
        let board = store(dir).region("board").attach_as::<Board>(Timeout::Now).unwrap();
        let mut guard = board.lock().unwrap();
        set_score(&mut guard, 0, 1000);
        if what == "break" {
            // What a wild pointer, or hardware, might do: an option that is neither.
            let tag = std::ptr::from_ref(&guard.open).cast::<u8>().cast_mut();
            // SAFETY: a byte of the mapping, which is writable; the process is killed before anybody looks at it.
            unsafe { tag.write_volatile(9) };
        }
        tell("editing");
        wait_for_go();
        done();
    }
    let dir = directory();
    let file = dir.path().join("saved.grv");
    let store = store(&dir);
    let board = store.region("board").create_with(&Board::sample()).unwrap();
    board.save(&file).unwrap();
    let die = |what: &str| {
        let mut process = Other::start(other(TEST, &format!("{what} {}", dir.path().display())));
        assert_eq!(process.hear(), "editing");
        process.kill();
    };
    die("edit");
    let guard = board.lock_within(Duration::from_secs(2)).unwrap();
    assert!(guard.holder_died());
    assert_eq!(guard.check().unwrap_err().errno(), Errno::EOWNERDEAD as i32);
    assert_eq!(guard.scores[0], 1000, "still valid, and there");
    drop(guard);
    assert!(!board.lock().unwrap().holder_died());

    die("break");
    let wait = Timeout::Within(Duration::from_secs(2));
    for _ in 0..2 {
        let error = board.lock_within(Duration::from_secs(2)).unwrap_err();
        assert!(matches!(error.cause(), Cause::Contents { .. }), "{error}");
        assert_eq!(error.errno(), EINVAL);
        assert!(matches!(board.lock_shared(wait).unwrap_err().cause(), Cause::Contents { .. }));
        assert_eq!(store.region("board").attach_as::<Board>(Timeout::Now).unwrap_err().errno(), EINVAL);
    }
    board.load(&file).unwrap();
    let guard = board.lock().unwrap();
    assert!(!guard.holder_died());
    assert_eq!(guard.scores[0], 1);
}

#[test]
fn a_typed_handle_goes_to_other_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Region>();
    is_send_and_sync::<Region<Board>>();
    let dir = directory();
    let board = store(&dir).region("board").create_with(&Board::sample()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let mut guard = board.lock().unwrap();
                    let score = guard.scores[0].to_native();
                    set_score(&mut guard, 0, score + 1);
                }
            });
        }
    });
    assert_eq!(board.lock_shared(Timeout::Now).unwrap().scores[0], 401);
}

#[test]
fn whatever_the_bytes_of_a_region_are_attaching_and_locking_end_in_a_value_or_an_error() {
    use std::os::unix::fs::FileExt;
    let dir = directory();
    let store = store(&dir);
    let board = store.region("board").create_with(&Board::sample()).unwrap();
    let path = dir.path().join("board.rgn");
    let whole = std::fs::read(&path).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    drop(board);
    let (mut values, mut errors) = (0, 0);
    let mut random = Random(7);
    for round in 0..2000 {
        // The header, the shared words, and the body in turn.
        let at = match round % 3 {
            0 => random.below(256),
            1 => [256, 320, 384, 448, 512, 576, 704][random.below(7)] + random.below(8),
            _ => 4096 + random.below(whole.len() - 4096),
        };
        file.write_all_at(&[random.next() as u8], at as u64).unwrap();
        let read = store.region("board").attach_as::<Board>(Timeout::Now).and_then(|board| {
            let guard = board.lock_within(Duration::from_secs(5))?;
            let read = guard.title.len() + guard.scores.len();
            drop(guard);
            board.notify()?;
            board.notify_once()?;
            let _ = board.wait(Timeout::Now);
            let _ = board.attached()?;
            Ok(read)
        });
        match read {
            Ok(_) => values += 1,
            Err(_) => errors += 1,
        }
        file.write_all_at(&whole, 0).unwrap();
    }
    println!("{values} values, {errors} errors");
    assert!(values > 500 && errors > 500);
}
