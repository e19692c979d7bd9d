//! Which store a command is about, and what to do where it fails.
#![allow(unsafe_code)] // opening a store, whose contract is the word of whoever names its directory

use std::path::PathBuf;

use clap::Args;
use graven::{Cause, Store};

use crate::Failure;

/// Where a store is.
#[derive(Debug, Args)]
pub(super) struct StoreDir {
    /// The store's directory, which only graven writes to [default: $GRAVEN_DIR, else the user's own]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl StoreDir {
    /// The store of that directory, else of the environment's, else the user's own.
    pub(super) fn open(&self) -> Result<Store, Failure> {
        open(self.dir.as_ref())
    }
}

/// The same where the directory may come first.
#[derive(Debug, Args)]
pub(super) struct StoreDirFirst {
    /// The store's directory, which only graven writes to [default: $GRAVEN_DIR, else the user's own]
    #[arg(conflicts_with = "dir")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    option: StoreDir,
}

impl StoreDirFirst {
    pub(super) fn open(&self) -> Result<Store, Failure> {
        open(self.directory.as_ref().or(self.option.dir.as_ref()))
    }
}

fn open(dir: Option<&PathBuf>) -> Result<Store, Failure> {
    let named = std::env::var_os("GRAVEN_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let store = match dir.or(named.as_ref()) {
        // SAFETY: that only graven writes below it is what whoever names a store's directory says: see `--help`.
        Some(dir) => unsafe { Store::open(dir) },
        // SAFETY: it is the user's alone, or else an error, and it has no other purpose.
        None => unsafe { Store::user() },
    };
    store.map_err(|error| {
        Failure::new(format!("{error}; name a directory that is there with --dir or in GRAVEN_DIR"))
    })
}

/// What went wrong with a name of the store, and what to do about it.
pub(super) fn failure(store: &Store, name: &str, error: graven::Error) -> Failure {
    let named = || store.path().join(name);
    match error.cause() {
        Cause::NoName => {
            let remedy = format!("`graven ls {}` lists the names there are", store.path().display());
            Failure::new(format!("{}; {remedy}", error.cause())).of_file(&named())
        }
        Cause::Owned => {
            let owner = match store.stat(name).ok().and_then(|stat| stat.owner) {
                Some(pid) => format!("process {pid}"),
                None => "it".to_owned(),
            };
            let remedy = format!("wait for {owner} to end, or take another name");
            Failure::new(format!("{}; {remedy}", error.cause())).of_file(&named())
        }
        Cause::Verify(_) => Failure::new(format!("{error}; `graven verify` says more: write the file anew")),
        _ => Failure::new(error).of_file(store.path()),
    }
}
