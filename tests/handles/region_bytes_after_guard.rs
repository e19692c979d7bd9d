//! Bytes of a region do not outlive the guard of their lock.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").size(1).create().unwrap();
    let mut guard = region.lock().unwrap();
    let byte = &mut guard[0];
    drop(guard);
    *byte = 1;
}
