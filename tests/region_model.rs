//! Whatever is done to a region in whatever order, it is what a plain vector of bytes would be.

mod support;

use std::collections::HashMap;

use graven::{Region, Timeout};
use nix::errno::Errno;
use proptest::prelude::*;
use support::*;

#[derive(Clone, Debug)]
enum Step {
    Create(u8, u16),
    Attach(u8),
    Drop(u8),
    Unlink(u8),
    Write(u8, u16, Vec<u8>),
    Put(u8, u16, u32),
    Fill(u8, u8),
    Save(u8),
    Load(u8),
    Notify(u8),
    NotifyOnce(u8),
    Wait(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (key, at) = (0..2u8, 0..300u16);
    let step = prop_oneof![
        (key.clone(), 1..200u16).prop_map(|(key, size)| Step::Create(key, size)),
        key.clone().prop_map(Step::Attach),
        (0..6u8).prop_map(Step::Drop),
        (0..6u8).prop_map(Step::Unlink),
        (0..6u8, at.clone(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(handle, at, bytes)| Step::Write(handle, at, bytes)),
        (0..6u8, at, any::<u32>()).prop_map(|(handle, at, number)| Step::Put(handle, at, number)),
        (0..6u8, any::<u8>()).prop_map(|(handle, byte)| Step::Fill(handle, byte)),
        (0..6u8).prop_map(Step::Save),
        (0..6u8).prop_map(Step::Load),
        (0..6u8).prop_map(Step::Notify),
        (0..6u8).prop_map(Step::NotifyOnce),
        (0..6u8).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

/// A region as it should be.
#[derive(Debug, Default)]
struct Model {
    bytes: Vec<u8>,
    notifications: u64,
    handles: u64,
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 100 } else { 1000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_region_is_what_a_model_of_it_is(steps in steps()) {
        let dir = directory();
        let file = dir.path().join("saved.grv");
        let store = store(&dir);
        // By id; by key; the handles with their ids.
        let mut regions: HashMap<u64, Model> = HashMap::new();
        let mut named: HashMap<u8, u64> = HashMap::new();
        let mut handles: Vec<Region> = Vec::new();
        let mut saved: Option<Vec<u8>> = None;
        for step in steps {
            let of = |handle: u8| (!handles.is_empty()).then(|| handle as usize % handles.len());
            match step {
                Step::Create(key, size) => match store.region(&key.to_string()).size(size.into()).create() {
                    Ok(region) => {
                        prop_assert!(named.insert(key, region.id()).is_none());
                        let model = Model { bytes: vec![0; size.into()], notifications: 0, handles: 1 };
                        prop_assert!(regions.insert(region.id(), model).is_none());
                        handles.push(region);
                    }
                    Err(error) => {
                        prop_assert_eq!(error.errno(), Errno::EEXIST as i32);
                        prop_assert!(named.contains_key(&key));
                    }
                },
                Step::Attach(key) => match store.region(&key.to_string()).attach(Timeout::Now) {
                    Ok(region) => {
                        prop_assert_eq!(named.get(&key), Some(&region.id()));
                        regions.get_mut(&region.id()).unwrap().handles += 1;
                        handles.push(region);
                    }
                    Err(error) => {
                        prop_assert_eq!(error.errno(), Errno::ENOENT as i32);
                        prop_assert!(!named.contains_key(&key));
                    }
                },
                Step::Drop(handle) => if let Some(index) = of(handle) {
                    let region = handles.swap_remove(index);
                    regions.get_mut(&region.id()).unwrap().handles -= 1;
                },
                Step::Unlink(handle) => if let Some(index) = of(handle) {
                    let region = &handles[index];
                    let key: u8 = region.key().parse().unwrap();
                    let is_named = named.get(&key) == Some(&region.id());
                    prop_assert_eq!(region.unlink().is_ok(), is_named);
                    if is_named {
                        named.remove(&key);
                    }
                },
                Step::Write(handle, at, bytes) => if let Some(index) = of(handle) {
                    let model = regions.get_mut(&handles[index].id()).unwrap();
                    let written = handles[index].write_at(at.into(), &bytes);
                    let place = model.bytes.get_mut(at as usize..at as usize + bytes.len());
                    prop_assert_eq!(written.is_ok(), place.is_some());
                    if let Some(place) = place {
                        place.copy_from_slice(&bytes);
                    }
                },
                Step::Put(handle, at, number) => if let Some(index) = of(handle) {
                    let model = regions.get_mut(&handles[index].id()).unwrap();
                    let put = handles[index].put(at.into(), number);
                    let place = model.bytes.get_mut(at as usize..at as usize + 4).filter(|_| at % 4 == 0);
                    prop_assert_eq!(put.is_ok(), place.is_some());
                    if let Some(place) = place {
                        place.copy_from_slice(&number.to_le_bytes());
                        prop_assert_eq!(handles[index].get::<u32>(at.into()).unwrap(), number);
                    }
                },
                Step::Fill(handle, byte) => if let Some(index) = of(handle) {
                    handles[index].lock().unwrap().fill(byte);
                    regions.get_mut(&handles[index].id()).unwrap().bytes.fill(byte);
                },
                Step::Save(handle) => if let Some(index) = of(handle) {
                    handles[index].save(&file).unwrap();
                    saved = Some(regions[&handles[index].id()].bytes.clone());
                },
                Step::Load(handle) => if let Some(index) = of(handle) {
                    let model = regions.get_mut(&handles[index].id()).unwrap();
                    let fits = saved.as_ref().filter(|saved| saved.len() == model.bytes.len());
                    prop_assert_eq!(handles[index].load(&file).is_ok(), fits.is_some());
                    if let Some(saved) = fits {
                        model.bytes.copy_from_slice(saved);
                    }
                },
                Step::Notify(handle) => if let Some(index) = of(handle) {
                    handles[index].notify().unwrap();
                    regions.get_mut(&handles[index].id()).unwrap().notifications += 1;
                },
                Step::NotifyOnce(handle) => if let Some(index) = of(handle) {
                    handles[index].notify_once().unwrap();
                    let model = regions.get_mut(&handles[index].id()).unwrap();
                    model.notifications = model.notifications.max(1);
                },
                Step::Wait(handle) => if let Some(index) = of(handle) {
                    let model = regions.get_mut(&handles[index].id()).unwrap();
                    let left = model.notifications.checked_sub(1);
                    prop_assert_eq!(handles[index].wait(Timeout::Now).is_ok(), left.is_some());
                    model.notifications = left.unwrap_or(0);
                },
            }
            for region in &handles {
                let model = &regions[&region.id()];
                prop_assert_eq!(region.attached().unwrap(), model.handles);
                let guard = region.lock_shared(.., Timeout::Now).unwrap();
                prop_assert!(!guard.holder_died());
                prop_assert_eq!(&guard[..], &model.bytes[..]);
            }
            let mut keys: Vec<String> = named.keys().map(u8::to_string).collect();
            keys.sort();
            prop_assert_eq!(store.regions().unwrap(), keys);
        }
    }
}
