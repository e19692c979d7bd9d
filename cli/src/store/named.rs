//! What is known of a name: looked at without attaching, so that looking ends none.

use std::fmt;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use graven::{Lifetime, Stat, Store};
use graven_format::{Entry, View};
use serde_json::{Value, json};

use crate::objects::Overview;
use crate::text::{number, object, size, table};
use crate::{Failure, source};

/// Objects of one name that `ls` names.
const NAMED: usize = 4;

/// A name, and what is published under it.
#[derive(PartialEq)]
pub(super) struct Named {
    name: String,
    stat: Stat,
    objects: ObjectList,
    pub(super) problem: Option<String>,
}

/// The objects of a segment: name, type, bytes.
#[derive(Default, PartialEq)]
pub(super) struct ObjectList {
    all: Vec<(String, Option<String>, u64)>,
    pub(super) problem: Option<String>,
}

impl ObjectList {
    /// As far as directory and schema can be read.
    pub(super) fn of(bytes: &[u8]) -> ObjectList {
        let view = match View::inspect(bytes) {
            Ok(view) => view,
            Err(error) => return ObjectList { all: Vec::new(), problem: Some(error.to_string()) },
        };
        let Overview { objects, problems } = Overview::of(&view);
        let each = |(entry, ty): (Entry<'_>, _)| (entry.name.to_owned(), ty, entry.object.length);
        ObjectList { all: objects.into_iter().map(each).collect(), problem: problems.into_iter().next() }
    }

    pub(super) fn json(&self) -> Value {
        let mut objects = Vec::new();
        for (name, ty, length) in &self.all {
            objects.push(json!({ "name": name, "type": ty, "length": number(*length) }));
        }
        objects.into()
    }
}

/// The type of a root that is alone, otherwise the names of some objects.
impl fmt::Display for ObjectList {
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
    pub(super) fn of(store: &Store, name: &str, stat: Stat) -> Named {
        let mut objects = ObjectList::default();
        let mut problem = None;
        if stat.generation > 0 || stat.length > 0 || stat.published > UNIX_EPOCH {
            // A generation is replaced, never edited: what is open stays whole.
            let file = format!("{name}.grv");
            let path = store.path().join(&file);
            match source::described_in(store, &file) {
                Ok(bytes) => objects = ObjectList::of(&bytes),
                Err(failure) => problem = Some(failure.to_string()),
            }
            let damage =
                objects.problem.clone().map(|damage| Failure::new(damage).of_file(&path).to_string());
            problem = problem.or(damage);
        }
        Named { name: name.to_owned(), stat, objects, problem }
    }

    pub(super) fn json(&self) -> Value {
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

    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
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

    pub(super) fn row(&self) -> Vec<String> {
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
