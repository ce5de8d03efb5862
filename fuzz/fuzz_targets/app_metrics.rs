#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pidone_fuzz::app_metrics::check(data));
