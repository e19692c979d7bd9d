//! Converting memory is a promise about it, and writing to one needs it for oneself.

use graven::ExportMemory;

fn converted(memory: &mut [u8]) -> graven::Result<ExportMemory> {
    ExportMemory::convert(std::ptr::NonNull::from(&mut *memory).cast(), memory.len())
}

fn written(memory: &ExportMemory) -> graven::Result<()> {
    memory.write_at(0, b"x")
}

fn main() {}
