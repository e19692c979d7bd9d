//! A guard stays with the thread that locked.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").size(1).create().unwrap();
    let guard = region.lock().unwrap();
    std::thread::scope(|scope| scope.spawn(move || println!("{}", guard[0])).join().unwrap());
}
