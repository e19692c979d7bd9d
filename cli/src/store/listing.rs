//! What a store has, for `ls` and `stat`: looked at without attaching, so that looking ends no name.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use graven::{Lifetime, Stat, Store, format::RegionHeader};
use graven_format::View;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use serde_json::{Value, json};

use crate::segment::inspect::Found;
use crate::text::{count, number, object, printable, size, table};
use crate::{Failure, source};

/// Objects of one name that `ls` names.
const NAMED: usize = 4;

/// All of a store, at some moment.
#[derive(PartialEq)]
pub(crate) struct Listing {
    store: PathBuf,
    /// What could not be looked at is a problem.
    names: Vec<(String, Result<Named, String>)>,
    regions: Vec<(String, Result<RegionHeader, String>)>,
}

/// A name, and what is published under it.
#[derive(PartialEq)]
pub(crate) struct Named {
    name: String,
    stat: Stat,
    objects: Objects,
    pub(crate) problem: Option<String>,
}

/// The objects of a segment: name, type, bytes.
#[derive(Default, PartialEq)]
pub(crate) struct Objects {
    all: Vec<(String, Option<String>, u64)>,
    pub(crate) problem: Option<String>,
}

impl Objects {
    /// As far as directory and schema can be read.
    pub(crate) fn of(bytes: &[u8]) -> Objects {
        let view = match View::inspect(bytes) {
            Ok(view) => view,
            Err(error) => return Objects { all: Vec::new(), problem: Some(error.to_string()) },
        };
        let Found { objects, problems } = Found::of(&view);
        let each =
            |(entry, ty): (graven_format::Entry<'_>, _)| (entry.name.to_owned(), ty, entry.object.length);
        Objects { all: objects.into_iter().map(each).collect(), problem: problems.into_iter().next() }
    }

    pub(crate) fn json(&self) -> Value {
        let mut objects = Vec::new();
        for (name, ty, length) in &self.all {
            objects.push(json!({ "name": name, "type": ty, "length": number(*length) }));
        }
        objects.into()
    }
}

/// The type of a root that is alone, otherwise the names of some objects.
impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.all[..] {
            [] if self.problem.is_some() => f.write_str("?"),
            [(name, Some(ty), _)] if name.is_empty() => f.write_str(ty),
            all => {
                let names: Vec<String> = all.iter().take(NAMED).map(|(name, ..)| object(name)).collect();
                f.write_str(&names.join(", "))?;
                match all.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}

impl Named {
    /// With what the newest generation says of its objects.
    pub(crate) fn of(store: &Store, name: &str, stat: Stat) -> Named {
        let mut objects = Objects::default();
        let mut problem = None;
        if stat.generation > 0 || stat.length > 0 || stat.published > UNIX_EPOCH {
            // A generation is replaced, never edited: what is open stays whole.
            let file = format!("{name}.grv");
            let path = store.path().join(&file);
            match source::described_in(store, &file) {
                Ok(bytes) => objects = Objects::of(&bytes),
                Err(failure) => problem = Some(failure.to_string()),
            }
            let damage =
                objects.problem.clone().map(|damage| Failure::new(damage).of_file(&path).to_string());
            problem = problem.or(damage);
        }
        Named { name: name.to_owned(), stat, objects, problem }
    }

    pub(crate) fn json(&self) -> Value {
        let Named { name, stat, objects, problem } = self;
        json!({
            "name": name,
            "generation": number(stat.generation),
            "length": number(stat.length),
            "objects": objects.json(),
            "published": ms(stat.published),
            "owner": stat.owner,
            "owned": ms(stat.owned),
            "attached": number(stat.attached),
            "uid": stat.uid,
            "gid": stat.gid,
            "mode": format!("{:04o}", stat.mode),
            "lifetime": match stat.lifetime {
                Lifetime::Persistent => "persistent",
                Lifetime::Process => "process",
            },
            "delete_on_last_detach": stat.delete_on_last_detach,
            "problem": problem,
        })
    }

    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Named { name, stat, objects, .. } = self;
        match stat.generation {
            0 => writeln!(out, "{name}: nothing published")?,
            generation => writeln!(out, "{name}: generation {generation}, {}", size(stat.length))?,
        }
        writeln!(out)?;
        writeln!(out, "published  {}", ago(stat.published))?;
        match stat.owner {
            Some(pid) => writeln!(out, "owner      process {pid}, since {}", ago(stat.owned))?,
            None => writeln!(out, "owner      none")?,
        }
        writeln!(out, "attached   {}", stat.attached)?;
        writeln!(out, "mode       {:04o}, user {}, group {}", stat.mode, stat.uid, stat.gid)?;
        let ends = match (stat.lifetime, stat.delete_on_last_detach) {
            (Lifetime::Process, _) => "with its owner",
            (Lifetime::Persistent, true) => "when nobody owns it or is attached",
            (Lifetime::Persistent, false) => "when it is retired or removed",
        };
        writeln!(out, "ends       {ends}")?;
        if objects.all.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let row = |(name, ty, length): &(String, Option<String>, u64)| {
            vec![object(name), ty.clone().unwrap_or_else(|| "?".to_owned()), length.to_string()]
        };
        table(out, "", &["object", "type", ">bytes"], &objects.all.iter().map(row).collect::<Vec<_>>())
    }

    fn row(&self) -> Vec<String> {
        let Named { name, stat, objects, problem } = self;
        let owner = stat.owner.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        let objects = match problem {
            Some(_) => format!("{objects} (damaged)"),
            None => objects.to_string(),
        };
        vec![
            name.clone(),
            stat.generation.to_string(),
            size(stat.length),
            ago(stat.published),
            owner,
            stat.attached.to_string(),
            objects,
        ]
    }
}

impl Listing {
    /// # Errors
    /// The directory cannot be read. What cannot be read of a name or a region is in the list.
    pub(crate) fn of(store: &Store) -> Result<Listing, Failure> {
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
    pub(crate) fn problem(&self) -> Option<String> {
        let names = self.names.iter().filter_map(|(_, found)| match found {
            Ok(named) => named.problem.clone(),
            Err(problem) => Some(problem.clone()),
        });
        names.chain(self.regions.iter().filter_map(|(_, found)| found.clone().err())).next()
    }

    pub(crate) fn json(&self) -> Value {
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

    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
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

/// Milliseconds since 1970; nothing for what never happened.
fn ms(time: SystemTime) -> Value {
    match time.duration_since(UNIX_EPOCH) {
        Ok(time) if !time.is_zero() => number(time.as_millis() as u64),
        _ => Value::Null,
    }
}

/// `now`, `5 s ago`, `3 min ago`, `7 h ago`, `12 days ago`; `-` for what never happened.
fn ago(time: SystemTime) -> String {
    if time <= UNIX_EPOCH {
        return "-".to_owned();
    }
    // Clocks may be set.
    match SystemTime::now().duration_since(time).map_or(0, |time| time.as_secs()) {
        0 => "now".to_owned(),
        s @ 1..120 => format!("{s} s ago"),
        s @ 120..7_200 => format!("{} min ago", s / 60),
        s @ 7_200..172_800 => format!("{} h ago", s / 3_600),
        s => format!("{} days ago", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let ages =
            [0, 5, 119, 120, 7_199, 7_200, 172_800].map(|s| ago(SystemTime::now() - Duration::from_secs(s)));
        assert_eq!(
            ages,
            ["now", "5 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 days ago"]
        );
        assert_eq!(ago(UNIX_EPOCH), "-");
        assert_eq!(ago(SystemTime::now() + Duration::from_secs(9)), "now");
    }
}
