//! `graven ls`: what a store has, looked at without attaching, so that looking ends no name.

use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use graven::Store;
use graven::format::RegionHeader;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use serde_json::{Value, json};

use super::dir::StoreDirFirst;
use super::named::Named;
use crate::text::{self, count, json_line, number, printable, size, table};
use crate::{Failure, source};

/// How often `--watch` looks.
const PERIOD: Duration = Duration::from_millis(250);

/// List what is published in a store: names, types, generations, owners, readers; and regions
///
/// Looks without attaching. Of a name with a root its type is shown, of others the objects' names. What cannot be
/// read is listed as such, and the exit code is 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven ls
  graven ls /dev/shm/tables
  graven ls --watch                  again whenever something changes
  graven ls --json | jq -r '.names[] | select(.owner == null).name'

JSON has store, names and regions; times are ms since 1970. With --watch: a line each.")]
pub(crate) struct Ls {
    #[command(flatten)]
    store: StoreDirFirst,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
    /// Print the list again whenever something but its age has changed, until interrupted
    #[arg(long)]
    watch: bool,
    /// With --watch: end after so many lists
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

impl Ls {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let store = self.store.open()?;
        if self.watch {
            return self.again_and_again(&store, out);
        }
        let listing = Listing::of(&store)?;
        match self.json {
            true => text::json(out, &listing.json())?,
            false => listing.print(out)?,
        }
        listing.problem().map_or(Ok(()), |problem| Err(Failure::new(problem)))
    }

    /// Prints so many lists, each unlike the one before. Looks at all names a few times a second: that is some 20 system
    /// calls a name, and needs none of the inotify instances that readers may want.
    fn again_and_again(&self, store: &Store, out: &mut dyn Write) -> Result<(), Failure> {
        let mut before: Option<Listing> = None;
        let mut left = self.count.unwrap_or(u64::MAX);
        loop {
            let listing = Listing::of(store)?;
            if before.as_ref() != Some(&listing) {
                match self.json {
                    true => json_line(out, &listing.json())?,
                    false => {
                        if before.is_some() {
                            writeln!(out)?;
                        }
                        listing.print(out)?;
                    }
                }
                out.flush()?;
                left -= 1;
                if left == 0 {
                    return Ok(());
                }
                before = Some(listing);
            }
            thread::sleep(PERIOD);
        }
    }
}

/// All of a store, at some moment.
#[derive(PartialEq)]
struct Listing {
    store: PathBuf,
    /// What could not be looked at is a problem.
    names: Vec<(String, Result<Named, String>)>,
    regions: Vec<(String, Result<RegionHeader, String>)>,
}

impl Listing {
    /// # Errors
    /// The directory cannot be read. What cannot be read of a name or a region is in the list.
    fn of(store: &Store) -> Result<Listing, Failure> {
        let mut names = Vec::new();
        for name in store.list().map_err(Failure::from)? {
            let found = match store.stat(&name) {
                Ok(stat) => Ok(Named::of(store, &name, stat)),
                Err(error) => Err(error.to_string()),
            };
            let sound = matches!(&found, Ok(Named { problem: None, .. }));
            if !sound && !is_there(store, &name) {
                // It has ended meanwhile.
                continue;
            }
            names.push((name, found));
        }
        let mut regions = Vec::new();
        for key in store.regions().map_err(Failure::from)? {
            let found = region(store, &format!("{key}.rgn")).map_err(|failure| failure.to_string());
            regions.push((key, found));
        }
        Ok(Listing { store: store.path().to_owned(), names, regions })
    }

    /// The first problem, which names its file.
    fn problem(&self) -> Option<String> {
        let names = self.names.iter().filter_map(|(_, found)| match found {
            Ok(named) => named.problem.clone(),
            Err(problem) => Some(problem.clone()),
        });
        names.chain(self.regions.iter().filter_map(|(_, found)| found.clone().err())).next()
    }

    fn json(&self) -> Value {
        let name = |(name, found): &(String, Result<Named, String>)| match found {
            Ok(named) => named.json(),
            Err(problem) => json!({ "name": name, "problem": problem }),
        };
        let region = |(key, found): &(String, Result<RegionHeader, String>)| match found {
            Ok(header) => json!({
                "key": key,
                "size": number(header.size),
                "holds": holds(header),
                "delete_on_last_detach": header.transient,
                "problem": null,
            }),
            Err(problem) => json!({ "key": key, "problem": problem }),
        };
        json!({
            "store": self.store.to_string_lossy(),
            "names": self.names.iter().map(name).collect::<Vec<_>>(),
            "regions": self.regions.iter().map(region).collect::<Vec<_>>(),
        })
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let (names, regions) = (self.names.len() as u64, self.regions.len() as u64);
        let store = self.store.to_string_lossy();
        writeln!(out, "{}: {}, {}", printable(&store), count(names, "name"), count(regions, "region"))?;
        if names > 0 {
            let row = |(name, found): &(String, Result<Named, String>)| match found {
                Ok(named) => named.row(),
                Err(_) => unreadable(name, 7),
            };
            let headings = ["name", ">generation", ">size", ">published", ">owner", ">attached", "objects"];
            writeln!(out)?;
            table(out, "", &headings, &self.names.iter().map(row).collect::<Vec<_>>())?;
        }
        if regions > 0 {
            let row = |(key, found): &(String, Result<RegionHeader, String>)| match found {
                Ok(header) => vec![key.clone(), size(header.size), holds(header).to_owned()],
                Err(_) => unreadable(key, 3),
            };
            writeln!(out)?;
            table(out, "", &["region", ">size", "holds"], &self.regions.iter().map(row).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

/// A row of what cannot be read.
fn unreadable(name: &str, columns: usize) -> Vec<String> {
    let mut row = vec!["?".to_owned(); columns];
    row[0] = name.to_owned();
    row
}

fn is_there(store: &Store, name: &str) -> bool {
    fstatat(store, &*format!("{name}.grv"), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

fn holds(header: &RegionHeader) -> &'static str {
    if header.typed { "a value" } else { "bytes" }
}

/// What a region's file says.
fn region(store: &Store, file: &str) -> Result<RegionHeader, Failure> {
    let path = store.path().join(file);
    let read = || {
        let file = source::regular_in(store, file)?;
        let mut bytes = [0; RegionHeader::SIZE];
        let read = file.read_exact_at(&mut bytes, 0);
        read.map_err(|error| Failure::new(format!("cannot read: {error}")))?;
        RegionHeader::decode(&bytes).map_err(Failure::new)
    };
    read().map_err(|failure: Failure| failure.of_file(&path))
}
