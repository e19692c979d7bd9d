//! Reading segments from files of which nothing is known: pipes and devices are refused rather than waited for, and
//! no memory is asked for before the header fits the file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use graven::Store;
use graven_format::{Header, Section, View};
use memmap2::{MmapMut, MmapOptions};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use crate::Failure;

/// Bytes that are read at once.
const PIECE: usize = 16 << 20;

/// The whole segment.
pub(crate) fn whole(path: &Path) -> Result<MmapMut, Failure> {
    let read = || {
        let file = regular(path)?;
        let header = header(&file)?;
        let mut memory = memory(&header, MmapOptions::new())?;
        read(&file, &mut memory, Section { position: 0, length: header.length })?;
        Ok(memory)
    };
    read().map_err(|failure: Failure| failure.of_file(path))
}

/// The segment but for its objects: zeros, which take no memory, stand in their place.
///
/// So a segment far larger than memory can be looked at, at the cost of its header, schema and directory.
pub(crate) fn described(path: &Path) -> Result<MmapMut, Failure> {
    frame(regular(path), path).map(|(_, memory)| memory)
}

/// The same of a file of a store.
pub(crate) fn described_in(store: &Store, file: &str) -> Result<MmapMut, Failure> {
    frame(regular_in(store, file), &store.path().join(file)).map(|(_, memory)| memory)
}

/// The same, and the file for reading more of it.
fn frame(file: Result<File, Failure>, path: &Path) -> Result<(File, MmapMut), Failure> {
    let read = || {
        let file = file?;
        let header = header(&file)?;
        let mut options = MmapOptions::new();
        let mut memory = memory(&header, options.no_reserve_swap().clone())?;
        let page = Section { position: 0, length: header.page_size.into() };
        for section in [page, header.schema, header.directory] {
            read(&file, &mut memory, section)?;
        }
        Ok((file, memory))
    };
    read().map_err(|failure: Failure| failure.of_file(path))
}

/// The same with one object, or without a name the root, or without a root all objects: what `dump` prints.
pub(crate) fn objects(path: &Path, name: Option<&str>) -> Result<MmapMut, Failure> {
    let (file, mut memory) = frame(regular(path), path)?;
    let mut wanted = Vec::new();
    {
        let view = View::inspect(&memory).map_err(|error| Failure::new(error).of_file(path))?;
        let one = view.find(name.unwrap_or_default());
        // What is damaged is for the command to find.
        match (one, name, view.directory()) {
            (Ok(Some((_, entry))), ..) => wanted.push(entry.object),
            (Ok(None), None, Ok(directory)) => {
                wanted.extend(directory.iter().map_while(Result::ok).map(|entry| entry.object));
            }
            _ => {}
        }
    }
    // Objects of a directory that someone made up may overlap: no more is read than there is.
    let mut left = memory.len() as u64;
    let read = || {
        for section in wanted {
            left = left.checked_sub(section.length).ok_or_else(|| Failure::new("objects overlap"))?;
            read(&file, &mut memory, section)?;
        }
        Ok(memory)
    };
    read().map_err(|failure: Failure| failure.of_file(path))
}

/// The file, which is no pipe and no device.
pub(crate) fn regular(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    // Opening a pipe must not wait for its other end.
    check_regular(options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path))
}

/// The same of a store: not by its path, which may lead elsewhere by now, nor through a link.
pub(crate) fn regular_in(store: &Store, file: &str) -> Result<File, Failure> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    check_regular(openat(store, file, flags, Mode::empty()).map(File::from).map_err(io::Error::from))
}

fn check_regular(opened: io::Result<File>) -> Result<File, Failure> {
    let cannot = |error: io::Error| Failure::new(format!("cannot open: {error}"));
    let file = opened.map_err(cannot)?;
    match file.metadata().map_err(cannot)?.is_file() {
        true => Ok(file),
        false => Err(Failure::new("not a regular file")),
    }
}

/// The header, if the file is as long as it says.
fn header(file: &File) -> Result<Header, Failure> {
    let length = file.metadata().map_err(|error| Failure::new(format!("cannot open: {error}")))?.len();
    let mut bytes = [0; Header::SIZE];
    let bytes = &mut bytes[..length.min(Header::SIZE as u64) as usize];
    file.read_exact_at(bytes, 0).map_err(cannot_read)?;
    let header = Header::decode(bytes).map_err(Failure::new)?;
    header.check_length(length).map_err(Failure::new)?;
    Ok(header)
}

fn memory(header: &Header, mut options: MmapOptions) -> Result<MmapMut, Failure> {
    let memory = usize::try_from(header.length)
        .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))
        .and_then(|length| options.len(length).map_anon());
    memory.map_err(|error| Failure::new(format!("no memory for its {} bytes: {error}", header.length)))
}

fn read(file: &File, memory: &mut [u8], section: Section) -> Result<(), Failure> {
    let range = section.position as usize..(section.position + section.length) as usize;
    let part = memory.get_mut(range).expect("the header's sections are within its length, and so is memory");
    // Piece by piece, as the kernel counts what was read when a call ends, for `progress`.
    let mut pieces = (section.position..).step_by(PIECE).zip(part.chunks_mut(PIECE));
    pieces.try_for_each(|(at, piece)| file.read_exact_at(piece, at)).map_err(cannot_read)
}

fn cannot_read(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::new("the file was cut while it was being read"),
        _ => Failure::new(format!("cannot read: {error}")),
    }
}
