//! The real topologies, which lie beside the project.
#![allow(dead_code)] // each test file uses its part of this

use std::fs;
use std::path::{Path, PathBuf};

use graven_topology::{Topology, xml};

/// The directory of topologies, if it is there.
pub(crate) fn directory() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/topologies");
    let found = std::env::var_os("GRAVEN_TOPOLOGIES").map_or(found, PathBuf::from);
    if !found.is_dir() {
        println!("SKIPPED: no directory of topologies beside the project");
        return None;
    }
    Some(found)
}

/// Name and text of every XML file.
pub(crate) fn files() -> Vec<(String, PathBuf)> {
    let Some(directory) = directory() else { return Vec::new() };
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    assert_eq!(files.len(), 25, "the set of topologies changed");
    files
}

pub(crate) fn import(path: &Path) -> Topology {
    xml::read(fs::File::open(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
