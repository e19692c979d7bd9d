//! An archived value is edited through `Seal` only: no `&mut` that could replace a pointer.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").create_with(&vec![1u32]).unwrap();
    let mut guard = region.lock().unwrap();
    let list: &mut graven::rkyv::vec::ArchivedVec<_> = &mut guard;
    println!("{}", list.len());
}
