//! Who gets what: by what the kernel says of the peer, and the permit.

use super::*;

const OWNER: u32 = 65533;
const STRANGER: u32 = 65534;
const MODES: [u32; 10] = [0o600, 0o400, 0o200, 0, 0o060, 0o640, 0o604, 0o066, 0o077, 0o666];

fn attempt(path: &Path, mode: u32, access: Access) -> String {
    match Import::connect(path, &format!("{mode:o}"), access, SOON) {
        Err(error) => format!("{:?}", Errno::from_raw(error.errno())),
        Ok(import) => {
            assert_eq!(import.write_at(0, b"x").is_ok(), access == Access::Write);
            "ok".into()
        }
    }
}

/// [S18.3] [S18.3a]
#[test]
fn permits_let_root_owner_group_and_others_as_files_do() {
    let test = "permits::permits_let_root_owner_group_and_others_as_files_do";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if let Some(path) = role().as_deref().and_then(|role| path_in(role, "serve")) {
        become_user(OWNER);
        let exporter = Exporter::bind(&path).unwrap();
        for mode in MODES {
            exporter.make(&format!("{mode:o}"), &memory(4096, true), Permit::mode(mode)).unwrap();
        }
        tell("ready");
        exporter.run().unwrap();
        done();
    }
    let peer = |role: &str| {
        let (ids, path) = role.strip_prefix("import ")?.split_once(' ')?;
        let ids: Vec<u32> = ids.split(',').map(|id| id.parse().unwrap()).collect();
        Some((ids, PathBuf::from(path)))
    };
    if let Some((ids, path)) = role().as_deref().and_then(peer) {
        let groups: Vec<nix::unistd::Gid> = ids[2..].iter().map(|&id| id.into()).collect();
        nix::unistd::setgroups(&groups).unwrap();
        nix::unistd::setgid(ids[1].into()).unwrap();
        nix::unistd::setuid(ids[0].into()).unwrap();
        for mode in MODES {
            tell(format!("{} {}", attempt(&path, mode, Access::Read), attempt(&path, mode, Access::Write)));
        }
        done();
    }
    let dir = directory();
    let path = dir.path().join("socket");
    let mut server = Other::start(other(test, &format!("serve {}", path.display())));
    assert_eq!(server.hear(), "ready");
    let (allowed, denied) = ("ok", "EACCES");
    let many: String = (1000..1100).map(|group| format!(",{group}")).collect();
    for (ids, shift) in [
        ("0,0".to_owned(), None),
        (format!("{OWNER},{OWNER}"), Some(6)),
        (format!("{OWNER},{STRANGER}"), Some(6)),
        (format!("{STRANGER},{OWNER}"), Some(3)),
        (format!("{STRANGER},{STRANGER},7,{OWNER}"), Some(3)),
        (format!("{STRANGER},{STRANGER}{many},{OWNER}"), Some(3)),
        (format!("{STRANGER},{STRANGER},7"), Some(0)),
        (format!("{STRANGER},{STRANGER}"), Some(0)),
    ] {
        let mut importer = Other::start(other(test, &format!("import {ids} {}", path.display())));
        for mode in MODES {
            let lets = |bits: u32| shift.is_none_or(|shift| (mode >> shift) & bits == bits);
            let says = |bits| if lets(bits) { allowed } else { denied };
            assert_eq!(importer.hear(), format!("{} {}", says(4), says(6)), "mode {mode:o} for {ids}");
        }
        assert!(importer.go().success());
    }
    server.kill();
}

#[test]
fn a_denied_import_says_so() {
    let test = "permits::a_denied_import_says_so";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if !alone(test) {
        return;
    }
    let served = serve();
    served.exporter.make("", &memory(1, false), Permit::mode(0o600)).unwrap();
    let path = served.path.clone();
    in_a_child(|| {
        become_user(STRANGER);
        let denied = Import::connect(&path, "", Access::Read, SOON);
        assert_eq!(why(denied, ErrorKind::Denied, Errno::EACCES), ExportError::Denied);
    });
    drop(served);
    done();
}

/// The descriptor is opened for the importer alone. [S18.3b]
#[test]
fn what_an_importer_gets_is_opened_as_asked_for_and_no_descriptor_of_the_exporter() {
    let test = "permits::what_an_importer_gets_is_opened_as_asked_for_and_no_descriptor_of_the_exporter";
    if !alone(test) {
        return;
    }
    let served = serve();
    served.exporter.make("", &memory(4096, true), permit()).unwrap();
    let before = descriptors();
    for (access, mode) in [(Access::Read, libc::O_RDONLY), (Access::Write, libc::O_RDWR)] {
        let imports = [served.import("", access).unwrap(), served.import("", access).unwrap()];
        // The exporter has one more until it has sent it.
        let memories = || -> Vec<i32> {
            let is_memory = |fd: &String| {
                fs::read_link(format!("/proc/self/fd/{fd}"))
                    .is_ok_and(|to| to.to_string_lossy().contains("graven-memory"))
            };
            let new = descriptors().into_iter().filter(|fd| !before.contains(fd) && is_memory(fd));
            new.filter_map(|fd| flags(&fd)).collect()
        };
        until(|| memories().len() == 2);
        assert_eq!(memories().iter().map(|flags| flags & libc::O_ACCMODE).collect::<Vec<_>>(), [mode; 2]);
        assert!(memories().iter().all(|flags| flags & libc::O_CLOEXEC != 0));
        drop(imports);
    }
    drop(served);
    done();
}

fn descriptors() -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn flags(fd: &str) -> Option<i32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(line.trim(), 8).ok()
}
