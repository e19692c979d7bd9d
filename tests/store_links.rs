//! Links and paths: what is changed or removed in a store is what is there, never what it leads to.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use nix::errno::Errno;
use support::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

/// [S17.6a]
#[test]
fn no_link_leads_to_what_is_changed() {
    let directory = directory();
    let store = store(&directory);
    let path = |name: &str| directory.path().join(name);
    let target = path("target");
    for role in ["life", "grv", "own", "ctl"] {
        for hard in [false, true] {
            store.owner_options("one").mode(0o600).open().unwrap().publish(&7u64).unwrap();
            let file = path(&format!("one.{role}"));
            // A hard link has to be to something of the same kind to be taken for it.
            fs::rename(&file, &target).unwrap();
            fs::set_permissions(&target, PermissionsExt::from_mode(0o600)).unwrap();
            match hard {
                true => fs::hard_link(&target, &file).unwrap(),
                false => symlink(&target, &file).unwrap(),
            }
            let changed = store.chmod("one", 0o644);
            assert_eq!(mode(&target), 0o600, "{role} {hard}");
            // The lock's mode is that already.
            let untouched = role == "own" && hard || role == "life" && !hard;
            let errno = changed.map_or_else(|error| error.errno(), |()| 0);
            let expected = match (hard, role) {
                _ if untouched => 0,
                (true, _) => Errno::EMLINK as i32,
                (false, "ctl") => Errno::EINVAL as i32,
                (false, _) => Errno::ELOOP as i32,
            };
            assert_eq!(errno, expected, "{role} {hard}");
            if is_root() {
                let _ = store.chown("one", Some(12345), Some(12345));
                assert_eq!(fs::metadata(&target).unwrap().uid(), 0, "{role} {hard}");
            }
            fs::remove_file(&file).unwrap();
            fs::remove_file(&target).unwrap();
            if role == "own" || role == "ctl" {
                // Or the next owner would count on from what is there, which is somebody else's by now.
                for ending in ["grv", "ctl", "life", "own"] {
                    let _ = fs::remove_file(path(&format!("one.{ending}")));
                }
            }
            store.owner("one").unwrap().retire().unwrap();
            assert_eq!(names_in(directory.path()), [""; 0]);
        }
    }
}
