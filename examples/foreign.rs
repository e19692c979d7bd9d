//! Segments between builds of different payload traits: one build writes, another refuses and says which trait differs.
//!
//! `foreign write FILE` in a build with one of the features `big_endian`, `unaligned`, `pointer_width_16` or
//! `pointer_width_64`; `foreign refuse FILE FEATURE` in a build without. Checks its own answers.

use std::process::exit;

use graven::{Cause, Segment, error::HeaderError, format::Payload};

#[graven::object]
struct Sample {
    id: u32,
    name: String,
    ports: Vec<u16>,
}

fn main() -> graven::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", file] => {
            let sample = Sample { id: 7, name: "twelve bytes".into(), ports: vec![80, 443] };
            graven::write(file, &sample)?;
            let adopted = Segment::read(file)?.root::<Sample>()?;
            assert_eq!((adopted.id.to_native(), adopted.ports[1].to_native()), (7, 443));
            println!("{file}: written and adopted, {}", Payload::NATIVE);
        }
        ["refuse", file, feature] => {
            let error = Segment::read(file).expect_err("a segment of another build");
            let cause = error.cause();
            assert!(matches!(cause, Cause::Header(HeaderError::ForeignPayload { .. })), "{error}");
            assert_eq!(error.errno(), 22, "EINVAL");
            assert!(error.to_string().contains(feature), "the remedy is the feature {feature}: {error}");
            println!("{error}");
        }
        _ => {
            eprintln!("usage: foreign write FILE | foreign refuse FILE FEATURE");
            exit(2);
        }
    }
    Ok(())
}
