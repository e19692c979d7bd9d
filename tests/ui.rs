//! What the derive macros refuse, and that the message names the remedy.
//!
//! The expected messages are those of the pinned toolchain, in builds with rkyv's default payload: fingerprints in
//! them depend on it. After a deliberate change: `TRYBUILD=overwrite cargo test --test ui`, then read the difference.

#[test]
#[cfg_attr(
    any(
        feature = "pointer_width_64",
        feature = "pointer_width_16",
        feature = "big_endian",
        feature = "unaligned"
    ),
    ignore = "fingerprints in the messages are those of the default payload"
)]
fn what_has_no_layout_is_a_compile_error_that_names_the_remedy() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}

#[test]
fn a_field_that_is_not_archived_is_at_most_four_errors_the_first_at_the_field() {
    for (name, field) in [("not_archived", "    inner: "), ("not_archived_by_itself", "    Path { ")] {
        let source = std::fs::read_to_string(format!("tests/ui/{name}.rs")).unwrap();
        let line = source.lines().position(|line| line.starts_with(field)).unwrap() + 1;
        // What the compiler says: see the test above.
        let said = std::fs::read_to_string(format!("tests/ui/{name}.stderr")).unwrap();
        assert!(said.lines().filter(|line| line.starts_with("error")).count() <= 4, "{said}");
        let place = said.lines().find(|line| line.trim_start().starts_with("--> ")).unwrap();
        assert!(place.contains(&format!("{name}.rs:{line}:")), "{place}");
        assert!(said.contains("use `#[graven::object]`") && said.contains("with = AsString"), "{said}");
    }
}
