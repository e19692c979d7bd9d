//! Segments handed over at a socket by one process of the command, and imported by others.

mod common;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use common::{fail, graven, print, run, sample, text};
use graven::{ExportMemory, Exporter, Permit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

/// Neither root nor of root's group.
const SOMEBODY: u32 = 65533;

/// The sample in a directory that everybody may look into, and a path for a socket.
struct Fixture {
    root: tempfile::TempDir,
    file: PathBuf,
    socket: PathBuf,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
    let [file, socket] = ["sample.grv", "socket"].map(|name| root.path().join(name));
    sample(&file);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    Fixture { root, file, socket }
}

impl Fixture {
    fn file(&self) -> &str {
        text(&self.file)
    }

    fn socket(&self) -> &str {
        text(&self.socket)
    }

    /// Starts serving, and returns when it serves.
    fn serve(&self, options: &[&str]) -> Serving {
        Serving::start(graven(&[&["export", self.file(), "--serve", self.socket()], options].concat()))
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.file).unwrap()
    }

    /// The file names in the directory.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.root.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A process that serves; it is killed if the test fails.
struct Serving {
    child: Child,
    said: String,
}

impl Serving {
    fn start(mut command: Command) -> Serving {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        let mut serving = Serving { child, said };
        if serving.said.is_empty() {
            panic!("{}", serving.errors());
        }
        serving
    }

    fn errors(&mut self) -> String {
        let mut errors = String::new();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }

    /// Ends it, which it does without complaint.
    fn end(mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{signal}");
        assert_eq!(self.errors(), "");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_one_process_exports_others_import_as_it_was_when_it_was_exported() {
    let f = fixture();
    let (bytes, inspected) = (f.bytes(), print(&["inspect", f.file()]));
    let json: Value = serde_json::from_str(&print(&["inspect", "--json", f.file()])).unwrap();
    let serving = f.serve(&[]);
    let size = format!("{} KiB", bytes.len() / 1024);
    assert_eq!(serving.said, format!("{}: 5 objects, {size}, mode 0600\n", f.socket()));

    let check = || {
        assert_eq!(print(&["import", f.socket()]), inspected.replace(f.file(), f.socket()));
        let mut imported: Value = serde_json::from_str(&print(&["import", "--json", f.socket()])).unwrap();
        assert_eq!(imported["file"], f.socket());
        imported["file"] = f.file().into();
        assert_eq!(imported, json);
        let output = run(&["import", f.socket(), "-o", "-"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(output.stdout, bytes);
    };
    check();
    // Another file at its path, a change to its bytes, no file at all: it is as it was.
    graven::write(&f.file, &7u64).unwrap();
    check();
    fs::write(&f.file, "no segment").unwrap();
    check();
    fs::remove_file(&f.file).unwrap();
    check();
    serving.end(Signal::SIGTERM);
}

#[test]
fn an_import_replaces_a_file_at_once_or_leaves_it() {
    let f = fixture();
    let serving = f.serve(&[]);
    let copy = f.root.path().join("copy.grv");
    fs::write(&copy, "before").unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o640)).unwrap();
    let before = fs::File::open(&copy).unwrap();
    let import = ["import", f.socket(), "-o", text(&copy)];
    let size = format!("{} KiB", f.bytes().len() / 1024);
    assert_eq!(print(&import), format!("{}: {size}, of {}\n", text(&copy), f.socket()));
    assert_eq!(fs::read(&copy).unwrap(), f.bytes());
    assert_eq!(std::io::read_to_string(before).unwrap(), "before");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(f.left(), ["copy.grv", "sample.grv", "socket"]);
    print(&["verify", text(&copy)]);

    let nowhere = f.root.path().join("none/copy.grv");
    let (_, error) = fail(&["import", f.socket(), "-o", text(&nowhere)]);
    let cannot = format!("graven: {}: cannot write: No such file or directory", text(&nowhere));
    assert!(error.starts_with(&cannot), "{error}");
    serving.end(Signal::SIGINT);
    fail(&import);
    assert_eq!(fs::read(&copy).unwrap(), f.bytes());
    assert_eq!(f.left(), ["copy.grv", "sample.grv"]);
}

#[test]
fn signals_end_it_and_the_socket_goes() {
    let f = fixture();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let serving = f.serve(&[]);
        assert_eq!(f.left(), ["sample.grv", "socket"]);
        serving.end(signal);
        assert_eq!(f.left(), ["sample.grv"], "{signal}");
    }
}

#[test]
fn a_path_in_use_is_refused_with_what_is_there() {
    let f = fixture();
    let export = ["export", f.file(), "--serve", f.socket()];
    let refused = |remedy: &str| {
        let (said, error) = fail(&export);
        assert_eq!(said, "");
        let in_use = format!("graven: {}: ", f.socket());
        assert!(error.starts_with(&in_use) && error.contains("in use"), "{error}");
        assert!(error.ends_with(&format!(": {remedy}\n")), "{error}");
    };
    let mut serving = f.serve(&[]);
    refused("another process serves there; name another path");
    print(&["import", f.socket()]);

    // A killed one's.
    serving.child.kill().unwrap();
    serving.child.wait().unwrap();
    refused("nobody serves there any more; remove it");
    let (_, error) = fail(&["import", f.socket()]);
    let nobody = "nobody serves there any more; `graven export` does";
    assert_eq!(error, format!("graven: {}: {nobody}\n", f.socket()));
    fs::remove_file(&f.socket).unwrap();

    fs::write(&f.socket, "a file").unwrap();
    refused("it is no socket; name a path where nothing is");
    assert_eq!(fs::read(&f.socket).unwrap(), b"a file");
}

#[test]
fn without_a_socket_there_is_no_import() {
    let f = fixture();
    let (said, error) = fail(&["import", f.socket()]);
    assert_eq!(said, "");
    assert!(error.starts_with(&format!("graven: {}: ", f.socket())), "{error}");
    assert!(error.contains("No such file or directory"), "{error}");
}

#[test]
fn memory_is_no_segment_to_import() {
    let f = fixture();
    let exporter = Exporter::bind(&f.socket).unwrap();
    let memory = ExportMemory::options().size(4096).create().unwrap();
    exporter.make("", &memory, Permit::mode(0o600)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| exporter.run());
        let output = run(&["import", f.socket()]);
        exporter.stop().unwrap();
        let error =
            format!("graven: {}: it is memory and no segment, which programs attach to\n", f.socket());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), error);
        assert_eq!(output.status.code(), Some(1));
    });
}

#[test]
fn what_is_no_segment_or_damaged_is_not_exported() {
    let f = fixture();
    let refused = |file: &str, what: &str| {
        let (said, error) = fail(&["export", file, "--serve", f.socket()]);
        assert_eq!(said, "");
        assert!(error.starts_with(&format!("graven: {file}: ")) && error.contains(what), "{error}");
        assert!(!f.socket.exists());
    };
    refused(text(&f.root.path().join("none")), "No such file or directory");
    refused(text(f.root.path()), "not a regular file");
    let mut bytes = f.bytes();
    *bytes.get_mut(4100).unwrap() ^= 1;
    fs::write(&f.file, &bytes).unwrap();
    refused(f.file(), "`graven verify` says more");
    fs::write(&f.file, "no segment").unwrap();
    refused(f.file(), "truncated");
}

#[test]
fn modes_that_are_none_are_wrong_usage() {
    let f = fixture();
    for mode in ["1000", "8", "rw", "-1", ""] {
        let output = run(&["export", f.file(), "--serve", f.socket(), &format!("--mode={mode}")]);
        assert_eq!(output.status.code(), Some(2), "{mode}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("--mode"), "{error}");
        assert!(!f.socket.exists());
    }
    assert_eq!(run(&["export", f.file()]).status.code(), Some(2));
    assert_eq!(run(&["import", f.socket(), "--json", "-o", "-"]).status.code(), Some(2));
}

/// What an import says, and whether it got something.
fn denied(output: &Output, socket: &Path) -> bool {
    let error = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => false,
        Some(1) => {
            let said = format!("graven: {}: the permit does not let this user import it", text(socket));
            assert!(error.starts_with(&said), "{error}");
            assert!(output.stdout.is_empty());
            true
        }
        code => panic!("{code:?}: {error}"),
    }
}

#[test]
fn who_may_import_says_the_mode() {
    let f = fixture();
    if !geteuid().is_root() {
        // Its own user is asked too.
        for (mode, no) in [("0077", true), ("0200", true), ("0400", false)] {
            let serving = f.serve(&["--mode", mode]);
            assert_eq!(denied(&run(&["import", f.socket()]), &f.socket), no, "{mode}");
            serving.end(Signal::SIGTERM);
        }
        return println!("SKIPPED: only root can become another user");
    }
    // Where the command was built others may not look.
    let command = f.root.path().join("graven");
    fs::copy(env!("CARGO_BIN_EXE_graven"), &command).unwrap();
    fs::set_permissions(&command, Permissions::from_mode(0o755)).unwrap();
    let of = |user: u32, group: u32, arguments: &[&str]| {
        let mut command = Command::new(&command);
        command.args(arguments).stdin(Stdio::null()).uid(user).gid(group);
        command
    };
    let import = |user, group| {
        denied(&of(user, group, &["import", f.socket(), "-o", "-"]).output().unwrap(), &f.socket)
    };
    // The file is root's alone; its bytes are whoever's the mode lets.
    for (mode, group, others) in [("0600", true, true), ("0640", false, true), ("0604", true, false)] {
        let serving = f.serve(&["--mode", mode]);
        let got = [import(0, 0), import(SOMEBODY, 0), import(SOMEBODY, SOMEBODY)];
        assert_eq!(got, [false, group, others], "{mode}");
        serving.end(Signal::SIGTERM);
    }
    // A user's, to whom the mode gives nothing or all; root passes.
    fs::set_permissions(f.root.path(), Permissions::from_mode(0o777)).unwrap();
    chown(&f.file, Some(SOMEBODY), None).unwrap();
    for (mode, no) in [("0077", true), ("0200", true), ("0400", false)] {
        let export = ["export", f.file(), "--serve", f.socket(), "--mode", mode];
        let serving = Serving::start(of(SOMEBODY, SOMEBODY, &export));
        let got = [import(SOMEBODY, SOMEBODY), import(0, 0)];
        assert_eq!(got, [no, false], "{mode}");
        serving.end(Signal::SIGTERM);
        assert!(!f.socket.exists());
    }
}
