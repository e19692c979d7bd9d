//! Nothing is changed by a shared guard.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").size(1).create().unwrap();
    let shared = region.lock_shared(.., graven::Timeout::Now).unwrap();
    shared[0] = 1;
}
