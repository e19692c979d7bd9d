//! A finished writer is gone: nothing can be added to a segment that others may see.

fn main() {
    let mut writer = graven::Writer::create("one.grv").unwrap();
    writer.put("one", &1u64).unwrap();
    writer.finish().unwrap();
    writer.put("two", &2u64).unwrap();
}
