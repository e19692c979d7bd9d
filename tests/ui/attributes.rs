//! A misspelt argument is an error, not silence.

#[derive(graven::Layout)]
#[layout(finger_print = "00000000000000000000000000000000")]
struct OnType;

#[derive(graven::Layout)]
struct OnField {
    #[layout(fingerprint = "00000000000000000000000000000000")]
    field: u8,
}

#[derive(graven::Layout)]
enum OnVariant {
    #[layout(allow_usize)]
    Variant(u8),
}

#[derive(graven::Layout)]
#[layout(portable = true)]
struct Value;

#[derive(graven::Layout)]
#[layout(opaque = "one/1", opaque = "two/2")]
struct Twice;

#[derive(graven::Layout)]
#[layout(skip)]
struct SkipWithoutAs;

#[graven::object(krate = graven)]
struct Object;

fn main() {}
