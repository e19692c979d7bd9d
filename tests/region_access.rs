//! Copies in and out of a region are checked before anything is written, and none is torn.

mod support;

use graven::{Cause, Timeout, error::RegionError};
use nix::errno::Errno;
use support::*;

#[test]
fn numbers_of_every_width_come_back_as_they_were_put() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("numbers").size(64).create().unwrap();
    let other = store.region("numbers").attach(Timeout::Now).unwrap();
    region.put(1, -1i8).unwrap();
    region.put(2, 0x1234u16).unwrap();
    region.put(4, -2i32).unwrap();
    region.put(8, u64::MAX - 1).unwrap();
    region.put(16, 1.5f32).unwrap();
    region.put(24, f64::MIN_POSITIVE).unwrap();
    region.put(56, i64::MIN).unwrap();
    assert_eq!(other.get::<i8>(1).unwrap(), -1);
    assert_eq!(other.get::<u16>(2).unwrap(), 0x1234);
    assert_eq!(other.get::<i32>(4).unwrap(), -2);
    assert_eq!(other.get::<u64>(8).unwrap(), u64::MAX - 1);
    assert_eq!(other.get::<f32>(16).unwrap(), 1.5);
    assert_eq!(other.get::<f64>(24).unwrap(), f64::MIN_POSITIVE);
    assert_eq!(other.get::<i64>(56).unwrap(), i64::MIN);
    assert_eq!(other.lock().unwrap()[2..4], [0x34, 0x12], "little-endian, whatever the machine");
}

#[test]
fn offsets_out_of_bounds_odd_or_overflowing_are_invalid() {
    let dir = directory();
    let region = store(&dir).region("numbers").size(64).create().unwrap();
    for offset in [64, 72, 1 << 32, u64::MAX - 7] {
        for error in [region.get::<u64>(offset).unwrap_err(), region.put(offset, 1u64).unwrap_err()] {
            let Cause::Bounds { offset: got, length: 8, size: 64 } = *error.cause() else {
                panic!("{error}");
            };
            assert_eq!((got, error.errno()), (offset, EINVAL));
        }
    }
    for (offset, align) in [(1, 2), (2, 4), (60, 8), (63, 2), (u64::MAX, 8), (7, 8)] {
        let error = match align {
            2 => region.get::<u16>(offset).unwrap_err(),
            4 => region.put(offset, 1i32).unwrap_err(),
            _ => region.get::<f64>(offset).unwrap_err(),
        };
        assert!(
            matches!(*error.cause(), Cause::Unaligned { what: "offset", got, .. } if got == offset),
            "{error}"
        );
        assert_eq!(error.errno(), EINVAL);
    }
    let mut bytes = [0; 10];
    for offset in [55, 64, u64::MAX - 9, u64::MAX] {
        assert_eq!(region.read_at(offset, &mut bytes).unwrap_err().errno(), EINVAL);
        assert_eq!(region.write_at(offset, &bytes).unwrap_err().errno(), EINVAL);
    }
    region.read_at(54, &mut bytes).unwrap();
    region.write_at(64, &[]).unwrap();
    assert_eq!(region.write_at(65, &[]).unwrap_err().errno(), EINVAL);
    region.read_at(0, &mut []).unwrap();
}

#[test]
fn of_several_pieces_all_or_none_are_written() {
    let dir = directory();
    let region = store(&dir).region("pieces").size(64).create().unwrap();
    region.write_vectored(&[(0, b"ab"), (62, b"yz"), (1, b"B"), (10, b"")]).unwrap();
    for wrong in [(63, &b"12"[..]), (u64::MAX, b"1"), (64, b"1")] {
        let error = region.write_vectored(&[(0, b"11"), (30, b"11"), wrong]).unwrap_err();
        assert_eq!(error.errno(), EINVAL);
        let mut kept = [0; 1];
        let error = region.read_vectored(&mut [(0, &mut kept), (wrong.0, &mut [0; 2])]).unwrap_err();
        assert_eq!((error.errno(), kept), (EINVAL, [0]));
    }
    let (mut first, mut last, mut middle) = ([0; 2], [0; 2], [9; 4]);
    region.read_vectored(&mut [(62, &mut last), (0, &mut first), (30, &mut middle), (5, &mut [])]).unwrap();
    assert_eq!((&first, &last, middle), (b"aB", b"yz", [0; 4]));
    region.write_vectored(&[]).unwrap();
}

#[test]
fn what_is_read_at_once_was_written_at_once() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("pair").size(8192).create().unwrap();
    std::thread::scope(|scope| {
        for writer in 1..3u8 {
            let store = &store;
            scope.spawn(move || {
                let region = store.region("pair").attach(Timeout::Now).unwrap();
                for round in 0..200 {
                    let bytes = [writer.wrapping_mul(round); 100];
                    region.write_vectored(&[(0, &bytes), (8000, &bytes)]).unwrap();
                }
            });
        }
        for _ in 0..400 {
            let (mut low, mut high) = ([0; 100], [1; 100]);
            region.read_vectored(&mut [(0, &mut low), (8000, &mut high)]).unwrap();
            assert_eq!(low, high);
            assert!(low.iter().all(|&byte| byte == low[0]), "{low:?}");
        }
    });
}

#[test]
fn a_read_only_attachment_reads_and_cannot_be_made_to_write() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("read").size(64).create().unwrap();
    region.put(0, 5u8).unwrap();
    drop(region);
    let region = store.region("read").read_only(true).attach(Timeout::Now).unwrap();
    let mapping = mapping_at(region.address().addr().get()).unwrap();
    assert_eq!(mapping.permissions, "r--s");
    assert_eq!(region.get::<u8>(0).unwrap(), 5);
    assert_eq!(region.lock_shared(.., Timeout::Now).unwrap()[0], 5);
    let refused = [
        region.put(0, 1u8).unwrap_err(),
        region.write_at(0, &[1]).unwrap_err(),
        region.write_vectored(&[(0, &[1])]).unwrap_err(),
        region.lock().unwrap_err(),
        region.try_lock_range(0..1).unwrap_err(),
        region.notify().unwrap_err(),
        region.notify_once().unwrap_err(),
        region.wait(Timeout::Now).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(region_error(&error), &RegionError::ReadOnly);
        assert_eq!(error.errno(), Errno::EPERM as i32);
    }
    // A handle for writing of the same process changes nothing about that.
    let writer = store.region("read").attach(Timeout::Now).unwrap();
    writer.put(0, 6u8).unwrap();
    assert_eq!(region.get::<u8>(0).unwrap(), 6);
    assert_eq!(region_error(&region.lock().unwrap_err()), &RegionError::ReadOnly);
    let guard = writer.lock().unwrap();
    assert_eq!(region.get::<u8>(0).unwrap_err().errno(), Errno::EDEADLK as i32);
    drop(guard);
    assert_eq!(region.attached().unwrap(), 2);
}
