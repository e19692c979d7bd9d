//! `.ci/circles` finds the circles of modules that it is there for, in whatever form they are written, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

/// What the script says of a crate of that name and these files, and whether it is content.
fn circles_of(package: &str, files: &[(&str, &str)]) -> Option<(bool, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/circles");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("Cargo.toml"), format!("[package]\nname = \"{package}\"\n")).unwrap();
    for (name, text) in files {
        let file = directory.path().join("src").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let Ok(output) = Command::new("python3").arg(script).arg(directory.path()).output() else {
        println!("SKIPPED: no python3");
        return None;
    };
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

fn circles(files: &[(&str, &str)]) -> Option<(bool, String)> {
    circles_of("graven-planted", files)
}

#[track_caller]
fn assert_circle_of(files: &[(&str, &str)], members: &[&str]) {
    let Some((content, said)) = circles(files) else { return };
    assert!(!content, "{said}");
    assert!(said.contains("1 circles") && said.contains(&format!("circle of {}:", members.len())), "{said}");
    for member in members {
        assert!(said.contains(&format!("    {member}:")), "{member} is not in\n{said}");
    }
}

#[track_caller]
fn assert_none(files: &[(&str, &str)]) {
    let Some((content, said)) = circles(files) else { return };
    assert!(content && said.contains(" 0 circles"), "{said}");
}

#[test]
fn two_modules_that_import_each_other_are_a_circle() {
    let a = ("a.rs", "use crate::b::B;\npub struct A(B);\n");
    let b = ("b.rs", "use crate::a::A;\npub struct B(Option<Box<A>>);\n");
    assert_circle_of(&[("lib.rs", "mod a;\nmod b;\n"), a, b], &["a.rs", "b.rs"]);
}

#[test]
fn a_circle_is_seen_through_braces_and_what_the_root_re_exports() {
    let root = ("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\npub use b::{B};\npub use c::C as Third;\n");
    let a = ("a.rs", "use crate::{B, Third};\npub struct A(B, Third);\n");
    let b = ("b.rs", "use crate::{\n    // the third\n    Third,\n};\npub struct B(Third);\n");
    let c = ("c.rs", "use crate::{A as First};\npub struct C(Option<Box<First>>);\n");
    assert_circle_of(&[root, a, b, c], &["a.rs", "b.rs", "c.rs"]);
}

#[test]
fn a_circle_is_seen_through_globs_paths_in_code_and_macros() {
    let root = ("lib.rs", "mod a;\nmod b;\n#[macro_use]\nmod c;\n");
    let a = ("a.rs", "use crate::b::*;\npub fn a() { b() }\n");
    let b = ("b.rs", "pub fn b() { crate::said!() }\n");
    let c = ("c.rs", "#[macro_export]\nmacro_rules! said { () => { $crate::a::a() } }\n");
    assert_circle_of(&[root, a, b, c], &["a.rs", "b.rs", "c.rs"]);
}

#[test]
fn a_module_and_its_child_may_be_a_circle_too() {
    let parent = ("p.rs", "mod child;\npub struct P(child::Child);\n");
    let child = ("p/child.rs", "use super::P;\npub struct Child(Option<Box<P>>);\n");
    assert_circle_of(&[("lib.rs", "mod p;\n"), parent, child], &["p.rs", "p/child.rs"]);
}

#[test]
fn modules_inside_of_files_are_of_their_file() {
    let a = ("a.rs", "mod inner { pub fn a() { crate::b::b() } }\npub use inner::a;\n");
    let b = ("b.rs", "pub fn b() { super::a::a() }\n");
    assert_circle_of(&[("lib.rs", "mod a;\nmod b;\n"), a, b], &["a.rs", "b.rs"]);
}

#[test]
fn roots_that_only_declare_tests_comments_and_texts_are_no_circles() {
    let root = ("lib.rs", "//! See crate::a::A.\nmod a;\nmod b;\npub use a::A;\n");
    let roots_child = ("b/mod.rs", "mod inner;\npub use inner::B;\n");
    let inner = ("b/inner.rs", "use crate::A;\n/// As crate::b::B.\npub struct B(A);\n");
    let a = (
        "a.rs",
        "pub struct A;\n/* use crate::b::B; */\nconst TEXT: &str = r#\"use crate::b::B; \"quoted\" \"#;\n\
         const CHAR: char = '\"';\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n    fn a() -> Option<B> { None }\n}\n",
    );
    assert_none(&[root, roots_child, inner, a]);
}

#[test]
fn a_floor_that_imports_from_a_higher_one_is_told_and_so_is_a_module_on_none() {
    let root = ("lib.rs", "mod attic;\nmod names;\nmod os;\n");
    let names = ("names.rs", "pub struct Name;\n");
    let os = ("os/mod.rs", "mod dir;\n");
    let dir = ("os/dir.rs", "use crate::names::Name;\npub struct Dir(Name);\n");
    let attic = ("attic.rs", "pub struct Chest;\n");
    let Some((content, said)) = circles_of("graven-store", &[root, names, os, dir, attic]) else { return };
    assert!(!content && said.contains(" 0 circles"), "{said}");
    assert!(said.contains("upward: os/dir.rs:1 imports names.rs"), "{said}");
    assert!(said.contains("on no floor: attic.rs") && said.matches("on no floor").count() == 1, "{said}");
}
