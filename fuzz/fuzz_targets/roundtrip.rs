#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| graven_fuzz::targets::roundtrip::run(data));
