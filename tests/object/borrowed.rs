//! What a program borrows can be written without a copy, as rkyv writes it: layouts and entry points ask for no
//! `'static`. The archive is that of the owned twin, which reads it.

use std::borrow::Cow;

use graven::rkyv::with::{AsOwned, InlineAsBox, Map};
use graven::{Archive, Layout, Segment, Serialize, Store, Timeout, Writer, encoded_len, write, write_at};

/// Archived as its owned twin's archived type, which describes it.
#[graven::object]
#[rkyv(derive(Debug, PartialEq))]
struct Owned {
    name: String,
    bytes: Box<[u8]>,
    words: Vec<Box<str>>,
}

#[graven::object]
#[rkyv(as = ArchivedOwned)]
struct Borrowing<'a, 'b> {
    #[rkyv(with = AsOwned)]
    name: Cow<'a, str>,
    #[rkyv(with = InlineAsBox)]
    bytes: &'b [u8],
    #[rkyv(with = Map<InlineAsBox>)]
    words: Vec<&'a str>,
}

/// With an archived type of its own, which names the lifetime; generic, and in another generic type.
#[graven::object]
struct Entry<'a, T> {
    #[rkyv(with = AsOwned)]
    text: Cow<'a, str>,
    #[rkyv(with = AsOwned)]
    all: Cow<'a, [u16]>,
    value: T,
}

#[graven::object]
enum Step<'a, T> {
    Run {
        #[rkyv(with = InlineAsBox)]
        list: &'a [T],
    },
    Text(#[rkyv(with = InlineAsBox)] &'a str),
}

/// Hands a value that borrows from locals to every entry point, and what was written to `check`.
fn everywhere<T>(value: &T, check: impl Fn(&Segment, &str))
where
    T: Archive<Archived: Layout> + for<'s> Serialize<graven::Serializer<'s>>,
{
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("borrowed.grv");
    let length = encoded_len(value).unwrap();

    assert_eq!(write(&path, value).unwrap().length, length);
    check(&Segment::read(&path).unwrap(), "");

    let file = tempfile::tempfile().unwrap();
    write_at(&file, 0, length, value).unwrap();
    // SAFETY: nobody else knows the file.
    check(&unsafe { Segment::map_at(&file, 0, length) }.unwrap(), "");

    let mut writer = Writer::create(&path).unwrap();
    writer.put("put", value).unwrap();
    writer.finish().unwrap();
    check(&Segment::read(&path).unwrap(), "put");

    // SAFETY: nobody else writes below `dir`.
    let store = unsafe { Store::open(&dir) }.unwrap();
    let mut owner = store.owner("borrowed").unwrap();
    owner.publish(value).unwrap();
    let mut segments = store.segments("borrowed", Timeout::Now).unwrap();
    check(segments.latest().unwrap(), "");
    owner.publish_with(|draft| draft.put("draft", value)).unwrap();
    check(segments.latest().unwrap(), "draft");

    let region = store.region("region");
    region.clone().create_with(value).unwrap();
    region.clone().create_or_attach_with(value).unwrap();
    region.attach_as::<T>(Timeout::Now).unwrap();
}

#[test]
fn what_borrows_is_written_everywhere_and_read_as_its_owned_twin() {
    let (name, bytes, word) = (String::from("name"), vec![1u8, 2], String::from("word"));
    let value = Borrowing { name: Cow::Borrowed(&name), bytes: &bytes, words: vec![&word, &name] };
    everywhere(&value, |segment, name| {
        let owned: Owned = segment.get::<Owned>(name).unwrap().deserialize().unwrap();
        assert_eq!(owned.name, "name");
        assert_eq!(*owned.bytes, [1, 2]);
        assert_eq!(owned.words, ["word".into(), Box::<str>::from("name")]);
        // Both have one archived type, and it is the same object.
        assert_eq!(*segment.get::<Owned>(name).unwrap(), *segment.get::<Borrowing<'_, '_>>(name).unwrap());
    });
}

#[test]
fn an_archived_type_with_lifetimes_is_written_everywhere_and_read_under_any() {
    let (text, all) = (String::from("text"), vec![3u16, 4]);
    let entry = Entry { text: Cow::Borrowed(&text), all: Cow::Borrowed(&all), value: 5u64 };
    let check = |segment: &Segment, name: &str| {
        let entry = segment.get::<Entry<'static, u64>>(name).unwrap();
        assert_eq!((entry.text.as_str(), entry.value.to_native()), ("text", 5));
        assert_eq!(entry.all.as_slice(), [3, 4]);
        let texts = entry.project(|entry| &entry.text);
        assert_eq!(&*texts, "text");
    };
    everywhere(&entry, check);
    // With the lifetime of a local, inside other types.
    let entries = [Entry { text: Cow::Borrowed(&text), all: Cow::Borrowed(&all), value: entry }];
    everywhere(&entries, |segment, name| {
        fn adopt<'a>(segment: &Segment, name: &str, _: &'a str) {
            let entries = segment.get::<[Entry<'a, Entry<'a, u64>>; 1]>(name).unwrap();
            assert_eq!(entries[0].value.text, "text");
            assert_eq!(entries.segment().as_bytes(), segment.as_bytes());
        }
        adopt(segment, name, &text);
    });
}

#[test]
fn slices_of_locals_are_written_everywhere() {
    let (list, text) = (vec![7u32, 8], String::from("nine"));
    everywhere(&vec![Step::Run { list: &list }, Step::Text(&text)], |segment, name| {
        let steps = segment.get::<Vec<Step<'static, u32>>>(name).unwrap();
        assert!(matches!(&steps[0], ArchivedStep::Run { list } if **list == [7, 8]));
        assert!(matches!(&steps[1], ArchivedStep::Text(text) if &**text == "nine"));
    });
}
