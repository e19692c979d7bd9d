//! A list of more levels than any stack has frames: adopted, dropped, dumped and verified on small stacks.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use common::{patched, text};
use graven::rkyv::boxed::BoxResolver;
use graven::rkyv::rancor::Fallible;
use graven::rkyv::ser::{Writer, WriterExt};
use graven::rkyv::{Archive, Place, Serialize};
use graven::{Cause, Segment};
use graven_cli::segment::dump::Dump;
use graven_cli::segment::verify::Verify;

const LEVELS: usize = 10_000_000;
/// Code that is not optimized has large frames, if few.
const STACK: usize = if cfg!(debug_assertions) { 128 << 10 } else { 64 << 10 };

/// A list. What comes after the pointer has to be checked too, so no level can be forgotten before the one below is done.
#[graven::object]
struct Node {
    next: Option<Box<Node>>,
    last: bool,
}

/// Nodes in each other, as many as the number says, written from the innermost on: `Node`'s own serializer would recurse.
struct Nested(usize);

impl Archive for Nested {
    type Archived = ArchivedNode;
    type Resolver = (Node, NodeResolver);

    fn resolve(&self, (node, resolver): Self::Resolver, out: Place<ArchivedNode>) {
        node.resolve(resolver, out);
    }
}

impl<S: Fallible + Writer + ?Sized> Serialize<S> for Nested {
    fn serialize(&self, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let leaf = || Node { next: None, last: true };
        let mut level = (leaf(), NodeResolver { next: None, last: () });
        for _ in 1..self.0 {
            serializer.align_for::<ArchivedNode>()?;
            // SAFETY: `resolve_aligned` asks for the resolver that serializing the node gives, which for all but its box
            // says nothing, and for its box where what is in it was written; and for alignment: the line above.
            let position = unsafe { serializer.resolve_aligned(&level.0, level.1) }?;
            let next = Some(BoxResolver::from_pos(position));
            level = (Node { next: Some(Box::new(leaf())), last: false }, NodeResolver { next, last: () });
        }
        Ok(level)
    }
}

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap();
}

/// Runs the command with 64 KiB for each thread but the main one, which takes more than that to parse the command line,
/// and has an eighth of what is usual.
fn graven(arguments: &[&str]) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -s 1024 && exec "$0" "$@""#, env!("CARGO_BIN_EXE_graven")]).args(arguments);
    shell.env("RUST_MIN_STACK", "65536").output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = graven(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_list_deeper_than_any_stack_is_adopted_and_dropped_dumped_and_verified_on_small_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep.grv");
    let file = path.clone();
    on_a_small_stack(move || {
        write_and_adopt(&file);
        dump_and_verify(&fs::read(&file).unwrap());
    });

    let dumped = printed(&["dump", text(&path), "--depth", "3"]);
    let expected = "\
(root): Node
  next: Some Node
    next: Some Node
      next: Some Node … deeper than 3
      last: false
    last: false
  last: false
";
    assert_eq!(dumped, expected);
    assert_eq!(printed(&["dump", text(&path)]).matches("… deeper than 128").count(), 1);
    let json = graven(&["dump", text(&path), "--json"]);
    assert_eq!(json.status.code(), Some(1), "{json:?}");

    assert!(printed(&["verify", text(&path)]).contains(": ok (1 object"));

    // The innermost node is the object's first.
    patched(&path, |object| object[size_of::<ArchivedNode>() - 4] = 2);
    let refused = graven(&["verify", text(&path)]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let path = path.clone();
    on_a_small_stack(move || {
        let error = Segment::read(&path).unwrap().root::<Node>().err().unwrap();
        assert!(matches!(error.cause(), Cause::Contents(_)) && error.to_string().contains('…'), "{error}");
    });
}

/// What the commands do once they have read the file.
fn dump_and_verify(bytes: &[u8]) {
    let mut out = Vec::new();
    let file = || "deep.grv".into();
    let dump = Dump { file: file(), object: None, path: None, limit: None, depth: Dump::DEPTH, json: false };
    dump.print(bytes, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("… deeper than 128"));
    for threads in [1, 2] {
        let verify = Verify { file: file(), json: false, threads: Some(threads) };
        verify.print(bytes, &mut Vec::new()).unwrap();
    }
}

fn write_and_adopt(path: &Path) {
    graven::write(path, &Nested(LEVELS)).unwrap();
    // SAFETY: the file is this test's own, and not changed before the segment is dropped.
    let segment = unsafe { Segment::map(path) }.unwrap();
    let adopted = segment.root::<Node>().unwrap();
    let mut node = &*adopted;
    let mut levels = 1;
    while let Some(next) = node.next.as_ref() {
        assert!(!node.last);
        (node, levels) = (next, levels + 1);
    }
    assert!(node.last);
    assert_eq!(levels, LEVELS);
    drop((adopted, segment));
}
