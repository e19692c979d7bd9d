//! Writing files: a file appears complete or not at all, and devices stay what they are.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::Failure;

/// Writes to the file at `path` as [`replace`], or to `out` if it is `-`.
pub(crate) fn write(path: &Path, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    match path == Path::new("-") {
        true => Ok(out.write_all(bytes)?),
        false => replace(path, bytes),
    }
}

/// Makes the file at `path` have these bytes: written beside it and renamed, so that nobody sees a part of them and an
/// error leaves the old file. A file that is replaced keeps its mode; a link is followed. What is no file, such as a
/// pipe or `/dev/null`, is written to.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let (path, mode) = match fs::metadata(path) {
            Ok(known) if !known.is_file() => {
                return OpenOptions::new().write(true).open(path)?.write_all(bytes);
            }
            Ok(known) => (fs::canonicalize(path)?, Some(known.permissions())),
            Err(_) => (dangling(path), None),
        };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut file = tempfile::Builder::new()
            .prefix(".graven-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory.unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        if let Some(mode) = mode {
            file.as_file().set_permissions(mode)?;
        }
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|error| Failure::new(format!("cannot write: {error}")).of_file(path))
}

/// Where a file is to appear: at the end of a link that leads nowhere yet, otherwise at the path.
fn dangling(path: &Path) -> PathBuf {
    match fs::read_link(path) {
        Ok(to) => path.parent().map_or(to.clone(), |parent| parent.join(&to)),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_through_links_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let [file, link, none] = ["file", "link", "none"].map(|name| dir.path().join(name));
        symlink("file", &link).unwrap();
        replace(&link, b"first").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let held = fs::File::open(&file).unwrap();
        replace(&link, b"second").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"second");
        assert_eq!(io::read_to_string(held).unwrap(), "first");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        let error = replace(&none.join("x"), b"x").unwrap_err().to_string();
        assert!(error.contains("none/x: cannot write: "), "{error}");
        assert!(replace(dir.path(), b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn devices_are_written_to() {
        replace(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
