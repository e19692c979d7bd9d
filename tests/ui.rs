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
