#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| graven_fuzz::targets::schema::run(data));
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    graven_fuzz::targets::schema::mutate(data, size, max_size, seed)
});
