//! An equal layout does not make a valid value: what a type has to hold beyond its layout is asked again whenever a region
//! may have been edited through another type, and a region is attached only with types that have the same invariants.

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use graven::munge;
use graven::rkyv::collections::swiss_table::ArchivedHashMap;
use graven::rkyv::option::ArchivedOption;
use graven::rkyv::seal::Seal;
use graven::rkyv::vec::ArchivedVec;
use graven::{Cause, ErrorKind, Region, Timeout, error::RegionError};
use support::*;

static ASKED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("too large")
    }
}

impl std::error::Error for TooLarge {}

/// A program's types: numbers below a limit, where they may be. Of equal layouts and names, whatever the limit.
macro_rules! program {
    ($program:ident, $limit:expr) => {
        #[allow(dead_code)] // each uses a part of it
        mod $program {
            use graven::rkyv::bytecheck::Verify;
            use graven::rkyv::rancor::{Fallible, Source, fail};

            use super::*;

            #[graven::object]
            #[rkyv(bytecheck(verify))]
            pub(crate) struct Small {
                number: u32,
            }

            impl Small {
                pub(crate) fn new(number: u32) -> Small {
                    assert!(number < $limit);
                    Small { number }
                }
            }

            impl ArchivedSmall {
                pub(crate) fn get(&self) -> u32 {
                    assert!(self.number < $limit, "what the type promises");
                    self.number.to_native()
                }

                pub(crate) fn set(this: Seal<'_, Self>, to: u32) {
                    assert!(to < $limit);
                    munge!(let ArchivedSmall { number } = this);
                    *number.unseal() = to.into();
                }
            }

            // SAFETY: refuses what the type's own code could not have made.
            unsafe impl<C: Fallible + ?Sized> Verify<C> for ArchivedSmall
            where
                C::Error: Source,
            {
                fn verify(&self, _: &mut C) -> Result<(), C::Error> {
                    ASKED.fetch_add(1, Ordering::Relaxed);
                    if self.number >= $limit {
                        fail!(TooLarge);
                    }
                    Ok(())
                }
            }

            #[graven::object]
            pub(crate) struct Holder {
                list: Vec<Small>,
                by_name: HashMap<String, Small>,
                maybe: Option<Small>,
            }

            impl Holder {
                pub(crate) fn new() -> Holder {
                    Holder {
                        list: vec![Small::new(1), Small::new(2)],
                        by_name: [("three".to_owned(), Small::new(3))].into(),
                        maybe: Some(Small::new(4)),
                    }
                }
            }

            impl Numbers for Region<Holder> {
                fn limit(&self) -> u32 {
                    $limit
                }

                fn read(&self) -> graven::Result<[u32; 4]> {
                    let guard = self.lock_shared(Timeout::Within(Duration::from_secs(5)))?;
                    let (list, three, four) = (&guard.list, guard.by_name.get("three"), guard.maybe.as_ref());
                    Ok([list[0].get(), list[1].get(), three.expect("there").get(), four.expect("there").get()])
                }

                fn write(&self, at: usize, to: u32) -> graven::Result<()> {
                    let mut guard = self.lock_within(Duration::from_secs(5))?;
                    munge!(let ArchivedHolder { list, by_name, maybe } = guard.seal());
                    match at {
                        0 | 1 => ArchivedSmall::set(ArchivedVec::as_slice_seal(list).index(at), to),
                        2 => ArchivedSmall::set(ArchivedHashMap::get_seal(by_name, "three").expect("there"), to),
                        _ => ArchivedSmall::set(ArchivedOption::as_seal(maybe).expect("there"), to),
                    }
                    Ok(())
                }
            }
        }
    };
}

trait Numbers {
    fn limit(&self) -> u32;
    fn read(&self) -> graven::Result<[u32; 4]>;
    fn write(&self, at: usize, to: u32) -> graven::Result<()>;
}

program!(tens, 10);
program!(hundreds, 100);
program!(thousands, 1000);

/// As `Small`, to the byte, with nothing to hold; and with something of another name.
#[graven::object]
struct Any {
    number: u32,
}

mod other {
    use graven::rkyv::bytecheck::Verify;
    use graven::rkyv::rancor::Fallible;

    #[graven::object]
    #[rkyv(bytecheck(verify))]
    pub(crate) struct Odd {
        number: u32,
    }

    // SAFETY: promises nothing.
    unsafe impl<C: Fallible + ?Sized> Verify<C> for ArchivedOdd {
        fn verify(&self, _: &mut C) -> Result<(), C::Error> {
            Ok(())
        }
    }
}

fn refused(error: graven::Error) -> graven::Error {
    assert!(matches!(error.cause(), Cause::Contents { .. }), "{error}");
    assert_eq!(error.errno(), EINVAL);
    assert!(error.to_string().contains("too large"), "{error}");
    error
}

#[test]
fn a_region_is_attached_only_with_types_that_have_the_invariants_it_was_created_with() {
    let dir = directory();
    let store = store(&dir);
    let small = store.region("small").create_with(&tens::Small::new(3)).unwrap();
    let any = store.region("any").create_with(&Any { number: 3 }).unwrap();
    let name = |name: &str| Some(name.to_owned());
    let errors = [
        (store.region("small").attach_as::<Any>(Timeout::Now).unwrap_err(), name("Small"), None),
        (store.region("small").create_or_attach_with(&Any { number: 3 }).unwrap_err(), name("Small"), None),
        (
            store.region("small").attach_as::<other::Odd>(Timeout::Now).unwrap_err(),
            name("Small"),
            name("Odd"),
        ),
        (store.region("any").attach_as::<tens::Small>(Timeout::Now).unwrap_err(), None, name("Small")),
    ];
    for (error, kept, asked) in errors {
        let Cause::Region(cause) = error.cause() else { panic!("{error}") };
        assert_eq!(cause, &RegionError::OtherInvariants { kept, asked });
        assert_eq!((error.errno(), error.kind()), (EINVAL, ErrorKind::InvalidArgument));
    }
    assert_eq!(small.lock().unwrap().get(), 3);
    assert_eq!(any.lock().unwrap().number, 3);
    store.region("small").attach_as::<tens::Small>(Timeout::Now).unwrap();
    store.region("any").attach_as::<Any>(Timeout::Now).unwrap();
}

/// [S16.3a] Whoever edits through whatever type in whatever order: nobody gets a value that their type does not allow, and nobody
/// is refused one that it does.
#[test]
fn what_another_type_has_written_is_asked_again_by_whoever_has_invariants() {
    let dir = directory();
    let store = store(&dir);
    let options = || store.region("numbers");
    let first = options().create_with(&tens::Holder::new()).unwrap();
    let handles: [&dyn Numbers; 5] = [
        &first,
        &options().attach_as::<tens::Holder>(Timeout::Now).unwrap(),
        &options().attach_as::<hundreds::Holder>(Timeout::Now).unwrap(),
        &options().attach_as::<hundreds::Holder>(Timeout::Now).unwrap(),
        &options().attach_as::<thousands::Holder>(Timeout::Now).unwrap(),
    ];
    let mut random = Random(3);
    let mut numbers = [1, 2, 3, 4];
    let (mut given, mut denied) = (0, 0);
    for _ in 0..5000 {
        let handle = handles[random.below(handles.len())];
        let allowed = numbers.iter().all(|number| *number < handle.limit());
        let (at, to) = (random.below(4), random.below(handle.limit() as usize) as u32);
        // Mostly small, so that those with the lowest limit get something too.
        let to = if random.below(4) > 0 { to % 10 } else { to };
        let result = match random.below(3) {
            0 => handle.read().map(|read| assert_eq!(read, numbers)),
            _ => handle.write(at, to).map(|()| numbers[at] = to),
        };
        match (result, allowed) {
            (Ok(()), true) => given += 1,
            (Err(error), false) => {
                refused(error);
                denied += 1;
            }
            (result, _) => panic!("{numbers:?} below {}: {result:?}", handle.limit()),
        }
    }
    println!("{given} given, {denied} denied");
    assert!(given > 500 && denied > 500);
}

#[test]
fn a_death_and_the_recovery_by_another_type_hide_nothing() {
    const TEST: &str = "a_death_and_the_recovery_by_another_type_hide_nothing";
    if let Some(role) = role() {
        let region = store(role).region("small").attach_as::<hundreds::Small>(Timeout::Now).unwrap();
        let mut guard = region.lock().unwrap();
        hundreds::ArchivedSmall::set(guard.seal(), 50);
        tell("editing");
        wait_for_go();
        done();
    }
    let dir = directory();
    let file = dir.path().join("saved.grv");
    let store = store(&dir);
    let small = store.region("small").create_with(&tens::Small::new(3)).unwrap();
    small.save(&file).unwrap();
    let mut process = Other::start(other(TEST, dir.path().to_str().unwrap()));
    assert_eq!(process.hear(), "editing");
    process.kill();
    let third = store.region("small").attach_as::<thousands::Small>(Timeout::Now).unwrap();
    let guard = third.lock_within(Duration::from_secs(2)).unwrap();
    assert!(guard.holder_died());
    assert_eq!(guard.get(), 50);
    drop(guard);
    // Nobody has died that was not reported: it is the count of edits that tells.
    assert!(!third.lock_shared(Timeout::Now).unwrap().holder_died());
    for _ in 0..2 {
        refused(small.lock_shared(Timeout::Now).unwrap_err());
        refused(small.lock().unwrap_err());
        refused(store.region("small").attach_as::<tens::Small>(Timeout::Now).unwrap_err());
    }
    assert!(!third.lock_shared(Timeout::Now).unwrap().holder_died(), "an invalid value is no death");
    small.load(&file).unwrap();
    assert_eq!(small.lock().unwrap().get(), 3);
}

#[test]
fn a_value_is_asked_again_only_after_another_handle_had_it_exclusively() {
    const TEST: &str = "a_value_is_asked_again_only_after_another_handle_had_it_exclusively";
    // The count is this process's.
    if !alone(TEST) {
        return;
    }
    let dir = directory();
    let store = store(&dir);
    let one = store.region("small").create_with(&tens::Small::new(1)).unwrap();
    let two = store.region("small").attach_as::<tens::Small>(Timeout::Now).unwrap();
    let asked = |what: &dyn Fn()| {
        let before = ASKED.load(Ordering::Relaxed);
        what();
        ASKED.load(Ordering::Relaxed) - before
    };
    let read = |region: &Region<tens::Small>| region.lock_shared(Timeout::Now).unwrap().get();
    let write = |region: &Region<tens::Small>| tens::ArchivedSmall::set(region.lock().unwrap().seal(), 5);
    let ten = |what: &dyn Fn()| asked(&|| (0..10).for_each(|_| what()));
    assert_eq!(ten(&|| assert_eq!(read(&one), read(&two))), 0);
    assert_eq!(ten(&|| write(&one)), 0);
    assert_eq!(ten(&|| assert_eq!(read(&one), 5)), 0);
    assert_eq!(ten(&|| assert_eq!(read(&two), 5)), 1);
    assert_eq!(ten(&|| write(&two)), 0);
    assert_eq!(ten(&|| write(&one)), 1);
    done();
}
