//! Checking an archive with a niche in an enum is undefined behavior in rkyv 0.8.18.

use graven::rkyv::niche::niching::NaN;

#[graven::object]
enum Nichable {
    Flag(#[rkyv(niche)] bool),
    Float {
        #[rkyv(niche = NaN)]
        float: f32,
    },
}

fn main() {}
