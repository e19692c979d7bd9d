//! An address gives no reference that the compiler would vouch for.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").size(1).create().unwrap();
    *region.address().as_mut() = 1;
}
