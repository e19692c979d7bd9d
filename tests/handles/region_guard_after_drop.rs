//! A guard, a size or an address is not to be had of a region that was dropped.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").size(1).create().unwrap();
    let guard = region.lock().unwrap();
    drop(region);
    println!("{}", guard[0]);
    println!("{}", region.size());
}
