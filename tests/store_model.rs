//! Random sequences of operations on a store and on a plain model of it: the same answers, step by step.

mod support;

use std::collections::BTreeMap;

use graven::{Cause, Lifetime, Owner, Reader, Result, Store, Timeout};
use nix::sys::stat::{Mode, umask};
use proptest::collection::vec;
use proptest::prelude::*;
use support::*;

const NAMES: [&str; 3] = ["a", "b.grv", "c"];

#[derive(Clone, Debug)]
enum Step {
    Own { name: usize, process: bool, last: Option<bool>, mode: Option<u32> },
    Publish { name: usize, value: u64 },
    Keep { name: usize },
    Fail { name: usize },
    Retire { name: usize },
    GiveUp { name: usize },
    Attach { name: usize },
    Clone { reader: usize },
    Detach { reader: usize },
    Latest { reader: usize },
    Wait { reader: usize },
    Remove { name: usize },
    Sweep,
    Chmod { name: usize, mode: u32 },
    Save { name: usize },
    Load { name: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..NAMES.len();
    let reader = 0..8usize;
    let mode = prop_oneof![Just(0o600u32), Just(0o640), Just(0o644), Just(0o604)];
    let own = (name.clone(), any::<bool>(), any::<Option<bool>>(), proptest::option::of(mode.clone()));
    let step = prop_oneof![
        4 => own.prop_map(|(name, process, last, mode)| Step::Own { name, process, last, mode }),
        6 => (name.clone(), any::<u64>()).prop_map(|(name, value)| Step::Publish { name, value }),
        2 => name.clone().prop_map(|name| Step::Keep { name }),
        1 => name.clone().prop_map(|name| Step::Fail { name }),
        1 => name.clone().prop_map(|name| Step::Retire { name }),
        2 => name.clone().prop_map(|name| Step::GiveUp { name }),
        4 => name.clone().prop_map(|name| Step::Attach { name }),
        1 => reader.clone().prop_map(|reader| Step::Clone { reader }),
        3 => reader.clone().prop_map(|reader| Step::Detach { reader }),
        4 => reader.clone().prop_map(|reader| Step::Latest { reader }),
        3 => reader.prop_map(|reader| Step::Wait { reader }),
        1 => name.clone().prop_map(|name| Step::Remove { name }),
        1 => Just(Step::Sweep),
        1 => (name.clone(), mode).prop_map(|(name, mode)| Step::Chmod { name, mode }),
        1 => name.clone().prop_map(|name| Step::Save { name }),
        1 => name.prop_map(|name| Step::Load { name }),
    ];
    vec(step, 1..60)
}

/// What a name is, if it is there.
#[derive(Clone, Debug, PartialEq)]
struct Name {
    /// Distinguishes it from those of the same name before.
    life: u64,
    generations: Vec<u64>,
    owned: bool,
    ends_with_owner: bool,
    ends_with_last: bool,
    mode: u32,
}

/// What a handle has seen; clones share the attachment of that number.
#[derive(Clone, Debug)]
struct Seen {
    name: usize,
    life: u64,
    generation: usize,
    value: u64,
    attachment: u64,
}

/// Why not.
#[derive(Debug, PartialEq)]
enum No {
    Owned,
    Name,
    Object,
    TimedOut,
    Retired,
    Other,
}

fn answer<T>(result: Result<T>) -> std::result::Result<T, No> {
    result.map_err(|error| match error.cause() {
        Cause::Owned => No::Owned,
        Cause::NoName => No::Name,
        Cause::NoObject { .. } => No::Object,
        Cause::TimedOut => No::TimedOut,
        Cause::Retired => No::Retired,
        _ => No::Other,
    })
}

#[derive(Default)]
struct Model {
    names: BTreeMap<usize, Name>,
    lives: u64,
    readers: Vec<Seen>,
    attachments: u64,
    saved: Option<u64>,
}

impl Model {
    fn attached(&self, name: usize) -> usize {
        let Some(life) = self.names.get(&name).map(|name| name.life) else { return 0 };
        let mut attachments: Vec<u64> =
            self.readers.iter().filter(|seen| seen.life == life).map(|seen| seen.attachment).collect();
        attachments.sort();
        attachments.dedup();
        attachments.len()
    }

    /// Whether a name that nobody owns has ended, or never began.
    fn is_over(&self, name: usize) -> bool {
        let there = &self.names[&name];
        !there.owned && (there.ends_with_owner || there.ends_with_last && self.attached(name) == 0)
    }

    fn owned(&mut self, name: usize) -> Option<&mut Name> {
        self.names.get_mut(&name).filter(|name| name.owned)
    }

    fn own(
        &mut self,
        name: usize,
        process: Option<bool>,
        last: Option<bool>,
        mode: Option<u32>,
    ) -> std::result::Result<(), No> {
        if self.owned(name).is_some() {
            return Err(No::Owned);
        }
        if self.names.contains_key(&name) && self.is_over(name) {
            self.names.remove(&name);
        }
        self.lives += 1;
        let there = self.names.entry(name).or_insert(Name {
            life: self.lives,
            generations: Vec::new(),
            owned: false,
            ends_with_owner: false,
            ends_with_last: false,
            mode: 0o644,
        });
        there.owned = true;
        there.ends_with_owner = process.unwrap_or(there.ends_with_owner);
        there.ends_with_last = last.unwrap_or(there.ends_with_last);
        there.mode = mode.unwrap_or(there.mode);
        Ok(())
    }

    /// An owner leaves, or an attachment: what was to end with it does.
    fn left(&mut self, name: usize) {
        if self.names.contains_key(&name) && self.is_over(name) {
            self.names.remove(&name);
        }
    }
}

fn run(steps: Vec<Step>) {
    let directory = directory();
    let files = support::directory();
    let saved = files.path().join("saved.grv");
    let store: Store = store(&directory);
    let mut owners: BTreeMap<usize, Owner> = BTreeMap::new();
    let mut readers: Vec<Reader<u64>> = Vec::new();
    let mut model = Model::default();
    for step in steps {
        match step.clone() {
            Step::Own { name, process, last, mode } => {
                let mut options = store.owner_options(NAMES[name]);
                options = options.lifetime(if process { Lifetime::Process } else { Lifetime::Persistent });
                if let Some(last) = last {
                    options = options.delete_on_last_detach(last);
                }
                if let Some(mode) = mode {
                    options = options.mode(mode);
                }
                let owned = answer(options.open());
                let expected = model.own(name, Some(process), last, mode);
                assert_eq!(owned.as_ref().map(|_| ()), expected.as_ref().copied());
                if let Ok(owner) = owned {
                    assert_eq!(owner.generation(), model.names[&name].generations.len() as u64);
                    owners.insert(name, owner);
                }
            }
            Step::Publish { name, value } => {
                let Some(owner) = owners.get_mut(&name) else { continue };
                let generations = &mut model.owned(name).unwrap().generations;
                generations.push(value);
                assert_eq!(owner.publish(&value).unwrap(), generations.len() as u64);
            }
            Step::Keep { name } => {
                let Some(owner) = owners.get_mut(&name) else { continue };
                let generations = &mut model.owned(name).unwrap().generations;
                let kept = answer(owner.publish_with(|draft| draft.keep("")));
                match generations.last().copied() {
                    None => assert_eq!(kept, Err(No::Object)),
                    Some(value) => {
                        generations.push(value);
                        assert_eq!(kept, Ok(generations.len() as u64));
                    }
                }
            }
            Step::Fail { name } => {
                let Some(owner) = owners.get_mut(&name) else { continue };
                let failed = owner.publish_with(|draft| {
                    draft.put("", &7u64)?;
                    draft.put("", &8u64)
                });
                assert!(failed.is_err());
            }
            Step::Retire { name } => {
                let Some(owner) = owners.remove(&name) else { continue };
                owner.retire().unwrap();
                model.names.remove(&name);
            }
            Step::GiveUp { name } => {
                let Some(owner) = owners.remove(&name) else { continue };
                drop(owner);
                model.owned(name).unwrap().owned = false;
                model.left(name);
            }
            Step::Attach { name } => {
                let attached = answer(store.reader::<u64>(NAMES[name], Timeout::Now));
                let there = model.names.get(&name).filter(|name| !name.generations.is_empty());
                match there {
                    None => assert_eq!(attached.map(drop), Err(No::Name)),
                    Some(there) => {
                        model.attachments += 1;
                        let value = *there.generations.last().unwrap();
                        let (life, generation) = (there.life, there.generations.len());
                        model.readers.push(Seen {
                            name,
                            life,
                            generation,
                            value,
                            attachment: model.attachments,
                        });
                        let reader = attached.unwrap();
                        assert_eq!(**reader.current(), value);
                        readers.push(reader);
                    }
                }
            }
            Step::Clone { reader } => {
                let Some(original) = readers.get(reader).cloned() else { continue };
                readers.push(original);
                model.readers.push(model.readers[reader].clone());
            }
            Step::Detach { reader } => {
                if reader < readers.len() {
                    drop(readers.remove(reader));
                    let Seen { name, life, attachment, .. } = model.readers.remove(reader);
                    let shared = model.readers.iter().any(|other| other.attachment == attachment);
                    if !shared
                        && model.names.get(&name).is_some_and(|name| name.life == life && name.ends_with_last)
                    {
                        model.left(name);
                    }
                }
            }
            Step::Latest { reader } | Step::Wait { reader } => {
                let Some(handle) = readers.get_mut(reader) else { continue };
                let seen = &mut model.readers[reader];
                let wait = matches!(step, Step::Wait { .. });
                let told = match wait {
                    true => answer(handle.wait(Timeout::Now)).map(|value| value.to_native()),
                    false => answer(handle.latest()).map(|value| value.to_native()),
                };
                let there = model.names.get(&seen.name).filter(|name| name.life == seen.life);
                let expected = match there {
                    None => Err(No::Retired),
                    Some(there) if wait && there.generations.len() == seen.generation => Err(No::TimedOut),
                    Some(there) => {
                        seen.generation = there.generations.len();
                        seen.value = *there.generations.last().unwrap();
                        Ok(seen.value)
                    }
                };
                assert_eq!(told, expected);
                assert_eq!(
                    (handle.current().to_native(), handle.generation()),
                    (seen.value, seen.generation as u64)
                );
                assert_eq!(handle.owner_alive(), model.owned(model.readers[reader].name).is_some());
            }
            Step::Remove { name } => {
                let removed = answer(store.remove(NAMES[name]));
                let expected = match model.names.get(&name) {
                    None => Err(No::Name),
                    Some(there) if there.owned => Err(No::Owned),
                    Some(_) => Ok(()),
                };
                assert_eq!(removed, expected);
                if removed.is_ok() {
                    model.names.remove(&name);
                }
            }
            Step::Sweep => {
                let swept = store.sweep().unwrap();
                let silent = |there: &Name| !there.owned && there.generations.is_empty();
                let over: Vec<usize> = model
                    .names
                    .keys()
                    .copied()
                    .filter(|name| silent(&model.names[name]) || model.is_over(*name))
                    .collect();
                assert_eq!(swept, over.iter().map(|name| NAMES[*name]).collect::<Vec<_>>());
                model.names.retain(|name, _| !over.contains(name));
            }
            Step::Chmod { name, mode } => {
                let changed = answer(store.chmod(NAMES[name], mode));
                match model.names.get_mut(&name) {
                    None => assert_eq!(changed, Err(No::Name)),
                    Some(there) => {
                        there.mode = mode;
                        assert_eq!(changed, Ok(()));
                    }
                }
            }
            Step::Save { name } => {
                let result = answer(store.save(NAMES[name], &saved)).map(drop);
                match model.names.get(&name).and_then(|name| name.generations.last().copied()) {
                    None => assert_eq!(result, Err(No::Name)),
                    Some(value) => {
                        assert_eq!(result, Ok(()));
                        assert_eq!(map(&saved).unwrap().root::<u64>().unwrap().to_native(), value);
                        model.saved = Some(value);
                    }
                }
            }
            Step::Load { name } => {
                let Some(value) = model.saved else { continue };
                let loaded = answer(store.load(&saved, NAMES[name]));
                match model.own(name, None, None, None) {
                    Err(no) => assert_eq!(loaded, Err(no)),
                    Ok(()) => {
                        let there = model.owned(name).unwrap();
                        there.generations.push(value);
                        there.owned = false;
                        assert_eq!(loaded, Ok(there.generations.len() as u64));
                        model.left(name);
                    }
                }
            }
        }
        // What everybody can see.
        let published: Vec<&str> = model
            .names
            .iter()
            .filter(|(_, name)| !name.generations.is_empty())
            .map(|(name, _)| NAMES[*name])
            .collect();
        assert_eq!(store.list().unwrap(), published, "after {step:?}");
        for (index, name) in NAMES.iter().enumerate() {
            match (answer(store.stat(name)), model.names.get(&index)) {
                (Err(no), None) => assert_eq!(no, No::Name),
                (Ok(stat), Some(there)) => {
                    assert_eq!(stat.generation, there.generations.len() as u64);
                    assert_eq!(stat.owner.is_some(), there.owned);
                    assert_eq!(stat.mode, there.mode);
                    assert_eq!(stat.attached, model.attached(index) as u64, "{name} after {step:?}");
                    assert_eq!(stat.lifetime == Lifetime::Process, there.ends_with_owner);
                    assert_eq!(stat.delete_on_last_detach, there.ends_with_last);
                }
                (stat, there) => panic!("{name} after {step:?}: {stat:?}, {there:?}"),
            }
        }
    }
    // Nothing is left of what ended.
    let left = |file: &String| {
        NAMES.iter().enumerate().any(|(index, name)| {
            model.names.contains_key(&index)
                && [".grv", ".ctl", ".own", ".life"].iter().any(|end| *file == format!("{name}{end}"))
        })
    };
    let names = names_in(directory.path());
    assert!(names.iter().all(left), "{names:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_store_answers_as_a_plain_model_of_it_does(steps in steps()) {
        // The modes are less the umask, which is the process's.
        umask(Mode::from_bits_truncate(0o022));
        run(steps);
    }
}
