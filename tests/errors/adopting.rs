//! Adopting what is not there, of another type, or damaged.

use super::*;

#[test]
fn an_absent_object_is_not_found_and_the_error_lists_what_there_is() {
    let directory = directory();
    let path = directory.path().join("many.grv");
    let mut writer = Writer::create(&path).unwrap();
    for n in 0..20 {
        writer.put(&format!("object {n}"), &n).unwrap();
    }
    writer.finish().unwrap();
    let segment = map(&path).unwrap();
    for (error, name) in
        [(segment.get::<u32>("users").unwrap_err(), "users"), (segment.root::<u32>().unwrap_err(), "")]
    {
        let message = check(&error, ErrorKind::NotFound, Errno::ENOENT);
        assert_eq!(error.object(), Some(name));
        let Cause::NoObject { present, count } = error.cause() else { panic!("{error}") };
        assert_eq!((present[0].as_str(), *count), ("object 0", 20));
        assert!(message.contains("\"object 1\"") && message.contains("more"), "{message}");
    }

    let empty = directory.path().join("empty.grv");
    Writer::create(&empty).unwrap().finish().unwrap();
    let segment = map(&empty).unwrap();
    segment.verify().unwrap();
    assert_eq!(segment.objects().count(), 0);
    let message = check(&segment.root::<u8>().unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    assert!(message.contains("none"), "{message}");
}

/// The layouts that a writer and an adopter of another version have.
mod writer {
    #[graven::object]
    #[rkyv(derive(Debug))]
    pub(crate) struct Limits {
        pub(crate) name: u64,
        pub(crate) soft: u32,
        pub(crate) hard: u32,
    }
    #[graven::object]
    #[rkyv(derive(Debug))]
    pub(crate) struct Config {
        pub(crate) name: String,
        pub(crate) limits: Vec<Limits>,
        pub(crate) tags: Vec<String>,
    }
}
mod adopter {
    #[graven::object]
    #[rkyv(derive(Debug))]
    pub(crate) struct Limits {
        pub(crate) name: u64,
        pub(crate) soft: u64,
        pub(crate) hard: u64,
    }
    #[graven::object]
    #[rkyv(derive(Debug))]
    pub(crate) struct Config {
        pub(crate) name: String,
        pub(crate) limits: Vec<Limits>,
        pub(crate) tags: Vec<u32>,
    }
}

#[test]
fn another_layout_is_refused_with_the_first_difference_and_how_many_more() {
    let limits = vec![writer::Limits { name: 1, soft: 2, hard: 3 }];
    let value = writer::Config { name: "edge".into(), limits, tags: vec!["a".into()] };
    let (_directory, path) = with_object("config", &value);
    let segment = map(&path).unwrap();
    let error = segment.get::<adopter::Config>("config").unwrap_err();
    let message = check(&error, ErrorKind::LayoutDiffers, Errno::EINVAL);
    if graven::format::Payload::NATIVE.unaligned {
        return println!("SKIPPED: other offsets in unaligned builds");
    }
    let expected =
        "layout differs: Config.limits[].soft: writer u32 at offset 8, adopter u64 at offset 8 (and 2 more)";
    assert!(message.ends_with(expected), "{message}");
    assert!(message.contains("object \"config\"") && message.contains("adopter::Config"), "{message}");
    let Cause::Layout(mismatch) = error.cause() else { panic!("{error}") };
    let all: Vec<String> = mismatch.differences().iter().map(ToString::to_string).collect();
    assert_eq!(
        all,
        [
            "Config.limits[].soft: writer u32 at offset 8, adopter u64 at offset 8",
            "Config.limits[].hard: writer u32 at offset 12, adopter u64 at offset 16",
            "Config.tags[]: writer String, adopter u32",
        ]
    );
    assert_eq!(segment.get::<writer::Config>("config").unwrap().name, "edge");
}

/// A segment that is mapped from a file has errors that say which.
#[test]
fn errors_of_adopting_name_file_object_and_type() {
    let (_directory, path) = with_object("limits", &Limits { soft: 1, hard: None });
    let missing = map(&path).unwrap().get::<u32>("none").unwrap_err();
    let differs = Segment::read(&path).unwrap().get::<Config>("limits").unwrap_err();
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len() - 1;
    bytes[end] = 1;
    fs::write(&path, bytes).unwrap();
    let damaged = map(&path).unwrap().verify().unwrap_err();
    for (error, words) in [(&missing, "\"none\" (u32)"), (&differs, "Config)"), (&damaged, "padding")] {
        let message = error.to_string();
        assert_eq!(error.file(), Some(&*path), "{message}");
        assert!(message.starts_with(path.to_str().unwrap()) && message.contains(words), "{message}");
    }
}

#[test]
fn contents_that_are_no_value_of_the_type_are_invalid() {
    let (_directory, path) = with_object("flag", &[true, false]);
    let mut bytes = fs::read(path).unwrap();
    let whole = Segment::from_bytes(&bytes).unwrap();
    let object = range(whole.objects().next().unwrap().unwrap().object);
    bytes[object.start + 1] = 2;
    reseal_objects(&mut bytes, whole.header());
    let segment = Segment::from_bytes(&bytes).unwrap();
    let verified = segment.verify().unwrap_err();
    assert!(matches!(verified.cause(), Cause::Verify(VerifyError::Object { .. })), "{verified}");
    let error = segment.get::<[bool; 2]>("flag").unwrap_err();
    let message = check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
    assert!(matches!(error.cause(), Cause::Contents(_)), "{error}");
    assert!(
        message.contains("object \"flag\" ([bool; 2])") && message.contains("[1]: offset 1: bool is 2"),
        "{message}"
    );
    // What was refused once is refused again.
    segment.get::<[bool; 2]>("flag").unwrap_err();
}

#[test]
fn damage_found_by_verify_is_invalid_and_says_where() {
    let (_directory, path) = with_object("numbers", &vec![1u32, 2, 3]);
    let whole = fs::read(path).unwrap();
    let header = *Segment::from_bytes(&whole).unwrap().header();
    let damage = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        let error = Segment::from_bytes(bytes).unwrap().verify().unwrap_err();
        let message = check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
        let Cause::Verify(cause) = error.cause() else { panic!("{error}") };
        (cause.clone(), message)
    };
    let (cause, message) = damage(1000);
    assert!(
        matches!(cause, VerifyError::HeaderPage { position: 1000, got: 0x40 }) && message.contains("1000")
    );
    let (cause, message) = damage(4096);
    assert!(matches!(cause, VerifyError::ObjectChecksum { .. }) && message.contains("object \"numbers\""));
    let (cause, message) = damage(range(header.schema).start);
    assert!(matches!(cause, VerifyError::SchemaChecksum { .. }) && message.contains("schema"));
    let (cause, message) = damage(range(header.directory).end - 1);
    assert!(matches!(cause, VerifyError::DirectoryChecksum { .. }) && message.contains("directory"));
    let (cause, message) = damage(8191);
    assert!(matches!(cause, VerifyError::Padding { position: 8191, .. }) && message.contains("8191"));
}

/// A segment whose directory was changed, under right checksums.
fn with_directory(change: impl Fn(&mut [u8], usize)) -> Segment {
    let (_directory, path) = with_object("numbers", &vec![1u32, 2, 3]);
    let mut bytes = fs::read(path).unwrap();
    let header = *Segment::from_bytes(&bytes).unwrap().header();
    let entry = entry_at(&bytes, &header, 0) as usize;
    change(&mut bytes, entry);
    reseal(&mut bytes, &header);
    Segment::from_bytes(bytes).unwrap()
}

#[test]
fn a_damaged_directory_is_invalid() {
    let error = |segment: &Segment| {
        let error = segment.get::<Vec<u32>>("numbers").unwrap_err();
        check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
        match error.cause() {
            Cause::Directory(error) => error.clone(),
            other => panic!("{other:?}"),
        }
    };
    // The positions are those of SPEC 4.4: of a count, and in an entry.
    let count = with_directory(|bytes, entry| bytes[entry - 24..entry - 16].fill(0xff));
    assert!(matches!(error(&count), DirectoryError::TooMany { .. }));
    assert!(matches!(count.objects().next(), Some(Err(_))));
    let slots = with_directory(|bytes, entry| bytes[entry - 16] = 3);
    assert!(matches!(error(&slots), DirectoryError::SlotCount { slots: 3, .. }));
    let slot = with_directory(|bytes, entry| bytes[entry - 8..entry].fill(9));
    assert!(matches!(error(&slot), DirectoryError::Slot { .. }));
    let name = with_directory(|bytes, entry| bytes[entry + 16] = 200);
    assert!(matches!(error(&name), DirectoryError::NameBounds { .. }));
    let table = with_directory(|bytes, entry| bytes[entry + 40..entry + 48].fill(0xf0));
    assert!(matches!(error(&table), DirectoryError::TableBounds { .. }));
    let object = with_directory(|bytes, entry| bytes[entry + 64..entry + 72].fill(0x7f));
    assert!(matches!(error(&object), DirectoryError::ObjectBounds { .. }));
    let align = with_directory(|bytes, entry| bytes[entry + 88] = 3);
    assert!(matches!(error(&align), DirectoryError::ObjectAlignment { align: 3, .. }));
    let root = with_directory(|bytes, entry| bytes[entry + 73] = 0xff);
    assert!(matches!(error(&root), DirectoryError::RootBounds { .. }));
}

#[test]
fn an_entry_that_does_not_fit_its_layout_is_invalid() {
    // Adopting compares the whole layout, so a fingerprint that is not the layout's is for `verify` to find.
    let segment = with_directory(|bytes, entry| bytes[entry + 24] ^= 1);
    assert_eq!(segment.get::<Vec<u32>>("numbers").unwrap().len(), 3);
    let error = segment.verify().unwrap_err();
    check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
    assert!(matches!(error.cause(), Cause::Verify(VerifyError::Fingerprint { .. })), "{error}");
    let segment = with_directory(|bytes, entry| bytes[entry + 72] += 4);
    let error = segment.get::<Vec<u32>>("numbers").unwrap_err();
    assert!(matches!(error.cause(), Cause::Verify(VerifyError::RootSize { .. })), "{error}");
}

#[test]
fn a_damaged_schema_table_is_invalid() {
    let (_directory, path) = with_object("numbers", &vec![1u32, 2, 3]);
    let mut bytes = fs::read(path).unwrap();
    let header = *Segment::from_bytes(&bytes).unwrap().header();
    // The shape of the first type.
    bytes[range(header.schema).start + 16] = 99;
    reseal(&mut bytes, &header);
    let segment = Segment::from_bytes(bytes).unwrap();
    for error in
        [segment.get::<Vec<u32>>("numbers").unwrap_err(), segment.schema().next().unwrap().unwrap_err()]
    {
        let message = check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
        assert!(matches!(error.cause(), Cause::Schema(SchemaError::BadCode { got: 99, .. })), "{error}");
        assert!(message.contains("object \"numbers\"") && message.contains("99"), "{message}");
    }
}

/// Archived as it is; deserializing it refuses odd numbers.
struct Even(u32);

impl graven::Archive for Even {
    type Archived = rkyv::primitive::ArchivedU32;
    type Resolver = ();

    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        out.write(self.0.into());
    }
}

impl<S: Fallible + ?Sized> graven::Serialize<S> for Even {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

impl<D: Fallible<Error: Source> + ?Sized> graven::Deserialize<Even, D> for rkyv::primitive::ArchivedU32 {
    fn deserialize(&self, _: &mut D) -> Result<Even, D::Error> {
        match self.to_native() {
            even if even % 2 == 0 => Ok(Even(even)),
            odd => Err(D::Error::new(io::Error::other(format!("{odd} is odd")))),
        }
    }
}

#[test]
fn a_value_that_refuses_to_be_deserialized_says_why() {
    let even = Segment::from_bytes(bytes_of(&Even(4))).unwrap().root::<Even>().unwrap();
    assert_eq!(even.deserialize::<Even>().unwrap().0, 4);
    let odd = Segment::from_bytes(bytes_of(&Even(5))).unwrap().root::<Even>().unwrap();
    let Err(error) = odd.deserialize::<Even>() else { panic!("5 is odd") };
    let message = check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
    assert!(
        matches!(error.cause(), Cause::Deserialize { message } if message.contains("5 is odd")),
        "{error}"
    );
    assert!(message.contains("5 is odd") && message.contains("Even"), "{message}");
}
