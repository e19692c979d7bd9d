//! Every cause an error can have now, produced; its kind, its errno, its words. `docs/errors.md` has the table.
//!
//! And what failing leaves behind: the path as it was, no temporary file, a writer that can go on.

#[path = "errors/adopting.rs"]
mod adopting;
#[path = "errors/opening.rs"]
mod opening;
mod support;
#[path = "errors/system.rs"]
mod system;
#[path = "errors/writing.rs"]
mod writing;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use graven::{
    Cause, Error, ErrorKind, Segment, Writer,
    error::{DirectoryError, HeaderError, NameError, SchemaError, VerifyError},
    format::Header,
};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rkyv::rancor::{Fallible, Source};
use support::*;

/// A segment with one object of a name, in a directory of its own.
fn with_object<T>(name: &str, value: &T) -> (tempfile::TempDir, std::path::PathBuf)
where
    T: graven::Archive<Archived: graven::Layout> + for<'a> graven::Serialize<graven::Serializer<'a>>,
{
    let directory = directory();
    let path = directory.path().join("one.grv");
    let mut writer = Writer::create(&path).unwrap();
    writer.put(name, value).unwrap();
    writer.finish().unwrap();
    (directory, path)
}

// ---- as io::Error --------------------------------------------------------------------------------------------------

#[test]
fn converted_into_an_io_error_it_keeps_kind_and_message() {
    let directory = directory();
    let path = directory.path().join("none.grv");
    let cases = [
        (map(&path).unwrap_err(), io::ErrorKind::NotFound),
        (Segment::from_bytes(b"").unwrap_err(), io::ErrorKind::InvalidInput),
        (
            Segment::from_bytes(bytes_of(&7u64)).unwrap().root::<u8>().unwrap_err(),
            io::ErrorKind::InvalidInput,
        ),
        (Segment::from_bytes(bytes_of(&7u64)).unwrap().get::<u64>("x").unwrap_err(), io::ErrorKind::NotFound),
        (Segment::map_sealed(tempfile::tempfile().unwrap()).unwrap_err(), io::ErrorKind::PermissionDenied),
        (
            Writer::create(directory.path().join("two.grv"))
                .and_then(|mut writer| {
                    writer.put("a", &1u8)?;
                    writer.put("a", &1u8)
                })
                .unwrap_err(),
            io::ErrorKind::AlreadyExists,
        ),
    ];
    for (error, kind) in cases {
        let (message, cause) = (error.to_string(), format!("{:?}", error.cause()));
        // Its message is whole: nothing of it is said again by a source.
        assert!(std::error::Error::source(&error).is_none());
        // Where a program prints it by `Debug`, as `main` does, it is the message: of layouts, all differences.
        assert_eq!(format!("{error:?}"), format!("{error:#}"));
        assert!(format!("{error:?}").contains(&cause), "{error:?}");
        let error = io::Error::from(error);
        assert_eq!(error.kind(), kind, "{message}");
        assert_eq!(error.to_string(), message);
        let back = error.into_inner().unwrap().downcast::<Error>().expect("still there");
        assert_eq!(format!("{:?}", back.cause()), cause);
    }
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn errors_can_be_sent_and_kept() {
    fn keep<T: Send + Sync + 'static>(_: T) {}
    keep(Segment::from_bytes(b"").unwrap_err());
    let boxed: Box<dyn std::error::Error + Send + Sync> = Segment::from_bytes(b"").unwrap_err().into();
    assert!(boxed.to_string().contains("truncated"));
}
