//! The root of `graven` is what programs see first, and complete against: it has the names of its design and no other.

/// The names of the design that there are by now.
const ROOT: &str = "
    object Layout Archive Serialize Deserialize rkyv munge pin_layout
    write write_at encoded_len Writer WriteOptions Summary Serializer with
    Segment Adopted Part Value At
    Store Stat Owner OwnerOptions Draft Lifetime Reader Segments Timeout
    Region RegionOptions Guard SharedGuard
    Export ExportMemory read_process Exporter Permit Access Import Attachment
    Error ErrorKind Cause Result
    format error layout guide fuzz
";

#[test]
fn the_root_has_the_names_of_its_design_and_no_other() {
    assert_eq!(sorted(root_of(include_str!("../src/lib.rs"))), sorted(words(ROOT)));
}

#[test]
fn a_name_more_or_less_is_seen_wherever_it_is_declared() {
    let names = |source| sorted(root_of(source));
    assert_eq!(names("pub use a::{b, c::{self, d as e, F}, G};\npub use h;"), ["F", "G", "b", "c", "e", "h"]);
    assert_eq!(names("/// pub use a::B;\n#[doc(hidden)]\npub mod m {\n    pub use a::C;\n}"), ["m"]);
    assert_eq!(
        names("pub mod m;\npub struct S(u8);\npub const fn f() {}\npub unsafe trait T {}"),
        ["S", "T", "f", "m"]
    );
    assert_eq!(names("use a::B;\nmod m {}\npub(crate) use a::C;"), [""; 0]);
    assert_eq!(names("pub use a::*;"), ["*"]);
}

/// The public names that a crate's root declares: items that start a line, as rustfmt writes them.
fn root_of(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = format!("\n{}", code.join("\n"));
    let mut names = Vec::new();
    for item in code.split("\npub ").skip(1) {
        match item.strip_prefix("use ") {
            Some(tree) => imported(tree.split(';').next().unwrap_or_default(), &mut names),
            None => {
                let word = |word: &&str| {
                    ![
                        "mod", "struct", "enum", "union", "trait", "fn", "const", "static", "type", "unsafe",
                        "async",
                    ]
                    .contains(word)
                };
                names.extend(
                    words(&item.replace(|c: char| !c.is_alphanumeric() && c != '_', " "))
                        .into_iter()
                        .find(|name| word(&name.as_str())),
                );
            }
        }
    }
    names
}

/// The names that one tree of imports brings.
fn imported(tree: &str, names: &mut Vec<String>) {
    let tree = tree.trim();
    if let Some((path, rest)) = tree.split_once('{') {
        let inside = rest.rsplit_once('}').expect("closed").0;
        let parent = path.trim_end_matches("::").rsplit("::").next().unwrap_or_default();
        let (mut depth, mut start) = (0, 0);
        for (at, character) in inside.char_indices().chain([(inside.len(), ',')]) {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    match inside[start..at].trim() {
                        "" => {}
                        "self" => names.push(parent.to_string()),
                        part => imported(part, names),
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
    } else {
        names.extend(tree.rsplit([':', ' ']).next().map(String::from));
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

/// Once each: `Layout` is a trait and a macro.
fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
