//! There are no bytes without a guard.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").size(1).create().unwrap();
    println!("{}", region[0]);
}
