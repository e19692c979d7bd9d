//! The store's commands: what is published under names, publishing files, following a name, tidying up.
#![allow(unsafe_code)] // opening a store, whose contract is the word of whoever names its directory

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use graven::{Cause, Segment, Store, Timeout};
use serde_json::json;

use crate::Failure;
use crate::progress;
use crate::store::listing::{Listing, Named, Objects};
use crate::text::{count, json_line, number, printable, size};

/// How often `ls --watch` looks.
const PERIOD: Duration = Duration::from_millis(250);

/// Where a store is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The store's directory, which only graven writes to [default: $GRAVEN_DIR, else the user's own]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// List what is published in a store: names, types, generations, owners, readers; and regions
    ///
    /// Looks without attaching. Of a name with a root its type is shown, of others the objects' names. What cannot be
    /// read is listed as such, and the exit code is 1.
    #[command(after_help = "\
Examples:
  graven ls
  graven ls /dev/shm/tables
  graven ls --watch                  again whenever something changes
  graven ls --json | jq -r '.names[] | select(.owner == null).name'

JSON has store, names and regions; times are ms since 1970. With --watch: a line each.")]
    Ls {
        /// The store's directory, which only graven writes to [default: $GRAVEN_DIR, else the user's own]
        #[arg(conflicts_with = "dir")]
        directory: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
        /// Print the list again whenever something but its age has changed, until interrupted
        #[arg(long)]
        watch: bool,
        /// With --watch: end after so many lists
        #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },
    /// Print all that is known about one name of a store
    #[command(
        allow_missing_positional = true,
        after_help = "\
Examples:
  graven stat routes
  graven stat /dev/shm/tables routes
  graven stat --json routes | jq .attached"
    )]
    Stat {
        /// The store's directory, which only graven writes to [default: $GRAVEN_DIR, else the user's own]
        #[arg(conflicts_with = "dir")]
        directory: Option<PathBuf>,
        /// The name
        #[arg(required = true)]
        name: String,
        #[command(flatten)]
        place: Place,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Publish a segment file's objects under a name, as its new generation
    ///
    /// The file is read whole and checked first. The name is made if it is not there, and taken over if its owner is
    /// gone. A live owner's name is refused. What the name was like stays so.
    #[command(after_help = "\
Examples:
  graven publish routes routes.grv
  graven publish --secure --dir /dev/shm/tables keys keys.grv")]
    Publish {
        /// The name: 1 to 200 of A-Z a-z 0-9 . _ -, no dot first
        name: String,
        /// The segment
        file: PathBuf,
        #[command(flatten)]
        place: Place,
        /// Make the name readable by this user alone
        #[arg(long)]
        secure: bool,
        /// Wait until it is on the disk
        #[arg(long)]
        durable: bool,
    },
    /// Save the newest generation of a name as a segment file, which is replaced atomically
    #[command(after_help = "\
Examples:
  graven save routes routes.grv
  graven save routes /tmp/now.grv && graven diff --values old.grv /tmp/now.grv")]
    Save {
        /// The name
        name: String,
        /// The file to write
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Publish what `save` has saved: `publish`, with the arguments in the other order
    #[command(after_help = "\
Example:
  graven load routes.grv routes")]
    Load {
        /// The segment
        file: PathBuf,
        /// The name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// End names that nobody owns
    ///
    /// Their readers are told, and go on reading what they have.
    #[command(after_help = "\
Examples:
  graven rm routes
  graven rm --dir /dev/shm/tables users limits")]
    Rm {
        /// The names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// End what is over, and remove what processes that died have left
    ///
    /// Names of processes that are gone if they were to live as long, names and regions that were to end with the last
    /// who was attached, names under which nothing was ever published. Prints what it ended. Unfinished files go too.
    #[command(after_help = "\
Example:
  graven sweep")]
    Sweep {
        #[command(flatten)]
        place: Place,
    },
    /// Print a line for each generation of a name, until it ends
    ///
    /// Attaches as a reader. Of generations that follow each other closely only the last may be seen. Owners may come
    /// and go.
    #[command(after_help = "\
Examples:
  graven watch routes
  graven watch routes --wait --count 1      until something is published
  graven watch routes --json | jq --unbuffered .generation")]
    Watch {
        /// The name
        name: String,
        #[command(flatten)]
        place: Place,
        /// Wait for the name if it is not there yet
        #[arg(long)]
        wait: bool,
        /// End after so many lines
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
}

/// Does what the command says.
pub(crate) fn run(command: &StoreCommand, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        StoreCommand::Ls { directory, place, json, watch, count } => {
            let store = open(directory.as_ref().or(place.dir.as_ref()))?;
            match watch {
                true => watch_list(&store, count.unwrap_or(u64::MAX), *json, out),
                false => list(&store, *json, out),
            }
        }
        StoreCommand::Stat { directory, name, place, json } => {
            let store = open(directory.as_ref().or(place.dir.as_ref()))?;
            stat(&store, name, *json, out)
        }
        StoreCommand::Publish { name, file, place, secure, durable } => {
            let store = open(place.dir.as_ref())?;
            publish(&store, name, file, (*secure, *durable), out)
        }
        StoreCommand::Load { file, name, place } => {
            publish(&open(place.dir.as_ref())?, name, file, (false, false), out)
        }
        StoreCommand::Save { name, file, place } => {
            let store = open(place.dir.as_ref())?;
            let length = progress::length(&store.path().join(format!("{name}.grv")));
            let saved = progress::while_copying(length, "written", || store.save(name, file));
            let saved = saved.map_err(|error| failure(&store, name, error))?;
            let objects = count(saved.objects, "object");
            let file = file.to_string_lossy();
            Ok(writeln!(out, "{}: {objects}, {}, of {name}", printable(&file), size(saved.length))?)
        }
        StoreCommand::Rm { names, place } => {
            let store = open(place.dir.as_ref())?;
            names.iter().try_for_each(|name| {
                store.remove(name).map_err(|error| failure(&store, name, error))?;
                Ok(writeln!(out, "{name}: ended")?)
            })
        }
        StoreCommand::Sweep { place } => {
            let store = open(place.dir.as_ref())?;
            let swept = store.sweep().map_err(Failure::from)?;
            Ok(swept.iter().try_for_each(|name| writeln!(out, "{name}: ended"))?)
        }
        StoreCommand::Watch { name, place, wait, count, json } => {
            let store = open(place.dir.as_ref())?;
            let timeout = if *wait { Timeout::Forever } else { Timeout::Now };
            follow(&store, name, timeout, (count.unwrap_or(u64::MAX), *json), out)
        }
    }
}

/// The store of that directory, else of the environment's, else the user's own.
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
fn failure(store: &Store, name: &str, error: graven::Error) -> Failure {
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

fn list(store: &Store, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let listing = Listing::of(store)?;
    match json {
        true => crate::text::json(out, &listing.json())?,
        false => listing.print(out)?,
    }
    match listing.problem() {
        Some(problem) => Err(Failure::new(problem)),
        None => Ok(()),
    }
}

/// Prints so many lists, each unlike the one before. Looks at all names a few times a second: that is some 20 system
/// calls a name, and needs none of the inotify instances that readers may want.
fn watch_list(store: &Store, lists: u64, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut before: Option<Listing> = None;
    let mut left = lists;
    loop {
        let listing = Listing::of(store)?;
        if before.as_ref() != Some(&listing) {
            match json {
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

fn stat(store: &Store, name: &str, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let stat = store.stat(name).map_err(|error| failure(store, name, error))?;
    let named = Named::of(store, name, stat);
    match json {
        true => crate::text::json(out, &named.json())?,
        false => named.print(out)?,
    }
    match named.problem {
        Some(problem) => Err(Failure::new(problem)),
        None => Ok(()),
    }
}

/// Publishes all objects of a file: no object is visible before all are checked and copied.
fn publish(
    store: &Store,
    name: &str,
    file: &Path,
    (secure, durable): (bool, bool),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut objects = 0;
    let publish = || {
        let segment = Segment::read(file)?;
        segment.verify()?;
        let options = store.owner_options(name).durable(durable).page_size(segment.header().page_size);
        let mut owner = if secure { options.secure() } else { options }.open()?;
        let generation = owner.publish_with(|draft| {
            segment.objects().try_for_each(|entry| {
                objects += 1;
                draft.copy(&segment, entry?.name)
            })
        })?;
        Ok((generation, segment.header().length))
    };
    let published = progress::while_copying(2 * progress::length(file), "read and written", publish);
    let (generation, length) = published.map_err(|error| failure(store, name, error))?;
    Ok(writeln!(out, "{name}: generation {generation}, {}, {}", count(objects, "object"), size(length))?)
}

/// Prints a line for each generation, and one for the end of the name.
fn follow(
    store: &Store,
    name: &str,
    timeout: Timeout,
    (lines, json): (u64, bool),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut segments = store.segments(name, timeout).map_err(|error| failure(store, name, error))?;
    let mut left = lines;
    loop {
        let (segment, generation) = (segments.current(), segments.generation());
        let objects = Objects::of(segment.as_bytes());
        let length = segment.header().length;
        match json {
            true => json_line(
                out,
                &json!({
                    "name": name,
                    "generation": number(generation),
                    "length": number(length),
                    "objects": objects.json(),
                    "problem": objects.problem,
                }),
            )?,
            false => writeln!(out, "{name}: generation {generation}, {}, {objects}", size(length))?,
        }
        out.flush()?;
        left -= 1;
        if left == 0 {
            return Ok(());
        }
        match segments.wait(Timeout::Forever) {
            Ok(_) => {}
            Err(error) if error.kind() == graven::ErrorKind::Retired => {
                match json {
                    true => json_line(out, &json!({ "name": name, "ended": true }))?,
                    false => writeln!(out, "{name}: ended")?,
                }
                return Ok(());
            }
            Err(error) => return Err(failure(store, name, error)),
        }
    }
}
