//! A region that holds an archived value has no copies of bytes into it.

fn main() {
    // SAFETY: never run.
    let store = unsafe { graven::Store::open("/nowhere") }.unwrap();
    let region = store.region("key").create_with(&vec![1u32]).unwrap();
    region.put(0, 1u8).unwrap();
}
