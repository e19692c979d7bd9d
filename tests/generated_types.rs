//! Layouts that nobody wrote by hand: types declared at random, each with values made at random.
//!
//! A derive that is only shown the types its author thought of is right about those. `generated_types/declare` declares
//! others, from a seed; `generated_types/types.rs` is one family of it, and `.ci/generated-types SEED` tests another.

mod generated_types {
    /// Tests for each of the types.
    macro_rules! family {
        ($($name:ident),*) => {
            #[test]
            fn schemas_say_what_the_compiler_does_at_run_time_and_in_const_evaluation() {
                $({
                    const CONSTANT: graven::format::Fingerprint =
                        graven::layout::fingerprint_of::<<$name as graven::Archive>::Archived>();
                    super::made::layout::<$name>(stringify!($name), CONSTANT);
                })*
            }

            #[test]
            fn values_are_what_they_were_by_type_and_by_schema() {
                // Nothing to shrink: a smaller seed is no smaller value.
                for seed in 0..40 {
                    $(super::made::value::<$name>(stringify!($name), seed);)*
                }
            }

            proptest::proptest! {
                #[test]
                fn what_is_written_is_verified_or_it_is_refused(
                    levels in 0..5u32,
                    seed: u64,
                    ty: proptest::sample::Index,
                ) {
                    let types: &[fn(u64, u32)] = &[$(super::made::put::<$name>),*];
                    ty.get(types)(seed, levels);
                }
            }
        };
    }

    mod made;
    #[rustfmt::skip]
    #[allow(clippy::all, non_snake_case)]
    mod types;
}
