//! Objects at the reach of relative offsets.
//!
//! rkyv itself writes wild pointers into an archive of more than 2 GiB, or panics. The writer refuses the position
//! before that, and nothing becomes visible.

const STRINGS: usize = 2300;
const LENGTH: usize = 1 << 20;

/// 2.4 GB of strings, each different, or `None` where memory is short.
fn strings() -> Option<Vec<String>> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    if kib < 9 << 20 {
        println!("SKIPPED: {kib} KiB of memory available, 9 GiB needed");
        return None;
    }
    Some((0..STRINGS).map(|i| format!("{i:08}") + &"x".repeat(LENGTH - 8)).collect())
}

/// [S11]
#[test]
#[cfg(not(feature = "pointer_width_64"))]
fn an_object_beyond_its_offset_width_is_efbig_and_nothing_is_visible() {
    let Some(strings) = strings() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("strings.grv");

    let error = graven::write(&path, &strings).unwrap_err();
    assert_eq!((error.kind(), error.errno()), (graven::ErrorKind::TooLarge, 27));
    assert!(
        matches!(error.cause(), graven::Cause::TooLarge { limit } if *limit == graven::format::Payload::NATIVE.max_position())
    );
    assert!(error.to_string().contains("pointer_width_64"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something is visible");
    assert_eq!(graven::encoded_len(&strings).unwrap_err().errno(), 27);

    // A segment has no such limit, and a refused object leaves no trace in it.
    let mut writer = graven::Writer::create(&path).unwrap();
    writer.put("all", &strings).unwrap_err();
    let (first, second) = (&strings[..1], &strings[1..2]);
    writer.put("first", &first.to_vec()).unwrap();
    writer.put("second", &second.to_vec()).unwrap();
    writer.finish().unwrap();
    let segment = graven::Segment::read(&path).unwrap();
    segment.verify().unwrap();
    assert_eq!(segment.get::<Vec<String>>("second").unwrap()[0], *strings[1]);
}

#[test]
#[cfg(feature = "pointer_width_64")]
fn an_object_of_2_4_gb_is_written_adopted_and_right_with_64_bit_offsets() {
    let Some(strings) = strings() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("strings.grv");
    assert!(graven::write(&path, &strings).unwrap().length > 2_400_000_000);

    // SAFETY: the file is this test's own.
    let segment = unsafe { graven::Segment::map(&path) }.unwrap();
    let adopted = segment.root::<Vec<String>>().unwrap();
    assert_eq!(adopted.len(), strings.len());
    assert!(adopted.iter().zip(&strings).all(|(archived, string)| archived == string));
    segment.verify().unwrap();
}
