//! What a crate gets that depends on graven and nothing else: `#[graven::object]` on every kind of type, written,
//! adopted and deserialized.
#![deny(warnings)]
#![allow(missing_docs)]

#[graven::object]
#[derive(Debug, PartialEq)]
struct Limits {
    soft: u64,
    hard: Option<u64>,
}

#[graven::object]
#[derive(Debug, PartialEq)]
enum Event {
    Start,
    Move { x: f32, y: f32 },
    Say(String, Vec<Limits>),
}

#[graven::object]
#[derive(Debug, PartialEq)]
struct Pair<A, B> {
    first: A,
    second: Vec<B>,
}

/// Recursive.
#[graven::object]
#[derive(Debug, PartialEq)]
struct Node {
    name: String,
    children: Vec<Node>,
}

/// Recursive and generic.
#[graven::object]
#[derive(Debug, PartialEq)]
enum Tree<T> {
    Leaf(T),
    Branch(Box<Tree<T>>, Box<Tree<T>>),
}

/// Mutually recursive.
#[graven::object]
#[derive(Debug, PartialEq)]
struct Folder {
    entries: Vec<Entry>,
}

#[graven::object]
#[derive(Debug, PartialEq)]
enum Entry {
    File(String),
    Folder(Folder),
}

/// Writes `value` under `name`, and later checks that what is adopted under that name deserializes to it.
macro_rules! round_trip {
    ($path:expr, $($name:literal: $ty:ty = $value:expr;)*) => {{
        let mut writer = graven::Writer::create($path)?;
        $(writer.put($name, &$value)?;)*
        writer.finish()?;
        let segment = graven::Segment::read($path)?;
        segment.verify()?;
        $(
            let value: $ty = segment.get::<$ty>($name)?.deserialize()?;
            assert_eq!(value, $value, $name);
            println!("{}: deserialized as written", $name);
        )*
    }};
}

fn main() -> graven::Result<()> {
    let path = std::env::temp_dir().join(format!("graven-outside-{}.grv", std::process::id()));
    let limits = |soft| Limits { soft, hard: Some(soft * 2) };
    let leaf = |n: u16| Box::new(Tree::Leaf(n));
    let file = |name: &str| Entry::File(name.to_string());
    round_trip!(&path,
        "struct": Limits = limits(7);
        "enum": Vec<Event> = vec![Event::Start, Event::Move { x: 1.0, y: -2.5 }, Event::Say("ha".into(), vec![limits(1)])];
        "generic": Pair<String, Limits> = Pair { first: "a".to_string(), second: vec![limits(3), limits(4)] };
        "recursive": Node = Node { name: "root".into(), children: vec![Node { name: "leaf".into(), children: vec![] }] };
        "recursive generic": Tree<u16> = Tree::Branch(leaf(1), Box::new(Tree::Branch(leaf(2), leaf(3))));
        "mutual": Folder = Folder { entries: vec![file("a"), Entry::Folder(Folder { entries: vec![file("b")] })] };
    );
    std::fs::remove_file(path).expect("it was written");
    Ok(())
}
