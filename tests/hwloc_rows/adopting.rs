//! H4 to H7: adopted through an independent open, used like the original, destroyed, read only.

use super::*;

// ---- H4: adopt from an independent open ----------------------------------------------------------------------------

/// H4
#[test]
fn a_segment_outlives_its_writer_its_name_and_the_descriptor_it_was_mapped_through() {
    let value = Config::sample(4);
    let length = graven::encoded_len(&value).unwrap();
    if let Some(path) = role().and_then(|role| path_in(&role, "write")) {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
        graven::write_at(file, 3 * PAGE, length, &value).unwrap();
        tell("written");
        done();
    }
    let directory = directory();
    let path = directory.path().join("run");
    let test = "adopting::a_segment_outlives_its_writer_its_name_and_the_descriptor_it_was_mapped_through";
    assert_eq!(told_by(other(test, &format!("write {}", path.display()))), ["written"]);

    let file = File::open(&path).unwrap();
    let descriptor = file.as_raw_fd();
    let segment = map_at(&file, 3 * PAGE, length).unwrap();
    drop(file);
    // Another test may have got the number by now, but not for this file.
    let link = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap_or_default();
    assert!(!link.starts_with(&path), "{}", link.display());
    fs::remove_file(&path).unwrap();
    let config = segment.root::<Config>().unwrap();
    drop(segment);
    assert_eq!(*config, value);
}

// ---- H5: used like the original ------------------------------------------------------------------------------------

/// What programs ask of a config, owned or archived.
trait Ask {
    fn name(&self) -> &str;
    fn soft_limits(&self) -> impl Iterator<Item = u64>;
    fn weight(&self, key: u32) -> Option<&str>;
    fn allows(&self, user: &str) -> bool;
    fn below(&self) -> impl Iterator<Item = &Self>;
}

impl Ask for Config {
    fn name(&self) -> &str {
        &self.name
    }
    fn soft_limits(&self) -> impl Iterator<Item = u64> {
        self.limits.iter().map(|limits| limits.soft)
    }
    fn weight(&self, key: u32) -> Option<&str> {
        self.weights.get(&key).map(String::as_str)
    }
    fn allows(&self, user: &str) -> bool {
        matches!(&self.access, Access::Names { allowed, .. } if allowed.iter().any(|name| name == user))
    }
    fn below(&self) -> impl Iterator<Item = &Self> {
        self.below.iter()
    }
}

impl Ask for ArchivedConfig {
    fn name(&self) -> &str {
        &self.name
    }
    fn soft_limits(&self) -> impl Iterator<Item = u64> {
        self.limits.iter().map(|limits| limits.soft.to_native())
    }
    fn weight(&self, key: u32) -> Option<&str> {
        self.weights.get(&key.into()).map(|weight| weight.as_str())
    }
    fn allows(&self, user: &str) -> bool {
        matches!(&self.access, ArchivedAccess::Names { allowed, .. } if allowed.iter().any(|name| name == user))
    }
    fn below(&self) -> impl Iterator<Item = &Self> {
        self.below.iter()
    }
}

fn answers(config: &impl Ask, out: &mut Vec<String>) {
    out.push(config.name().to_owned());
    out.push(config.soft_limits().sum::<u64>().to_string());
    out.extend((0..50).filter_map(|key| config.weight(key).map(str::to_owned)));
    out.push(format!("{} {}", config.allows("root"), config.allows("nobody")));
    config.below().for_each(|below| answers(below, out));
}

/// H5
#[test]
fn one_generic_function_answers_alike_for_owned_and_adopted_values() {
    let value = Config::sample(5);
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &value).unwrap();
    let adopted = map(&path).unwrap().root::<Config>().unwrap();

    let (mut of_owned, mut of_adopted) = (Vec::new(), Vec::new());
    answers(&value, &mut of_owned);
    answers(&*adopted, &mut of_adopted);
    assert!(of_owned.len() > 200);
    assert_eq!(of_owned, of_adopted);
    assert_eq!(adopted.deserialize::<Config>().unwrap(), value);
}

// ---- H6: destroy ---------------------------------------------------------------------------------------------------

/// H6
#[test]
fn the_mapping_goes_with_the_last_handle() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Config::sample(2)).unwrap();

    let segment = map(&path).unwrap();
    assert_eq!(mappings_of(&path).len(), 1);
    let same = segment.clone();
    let config = segment.root::<Config>().unwrap();
    let name = config.project(|config| config.name.as_str());
    let last = name.clone();
    assert_eq!(mappings_of(&path).len(), 1, "handles share one mapping");
    drop(segment);
    drop(same);
    drop(config);
    drop(name);
    assert_eq!(mappings_of(&path).len(), 1);
    assert!(last.starts_with("level 2"));
    drop(last);
    assert_eq!(mappings_of(&path), []);
}

/// H6
#[test]
fn a_hundred_thousand_rounds_leave_as_many_mappings_and_descriptors_as_there_were() {
    if role().is_some() {
        let directory = directory();
        let path = directory.path().join("one.grv");
        graven::write(&path, &Limits { soft: 1, hard: Some(2) }).unwrap();
        let file = File::open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        let adopt = |round: u32| {
            let segment = match round % 2 {
                0 => map(&path).unwrap(),
                _ => map_at(&file, 0, length).unwrap(),
            };
            // Comparing layouts and validating are slow in debug builds, and map nothing.
            if round % 16 < 2 {
                assert_eq!(segment.root::<Limits>().unwrap().soft, 1);
            }
        };
        // What is made once per process, and what the allocator takes, comes first.
        (0..1000).for_each(adopt);
        let before = (mappings().len(), open_descriptors());
        (0..100_000).for_each(adopt);
        assert_eq!((mappings().len(), open_descriptors()), before);
        tell("as before");
        drop(directory);
        done();
    }
    let test = "adopting::a_hundred_thousand_rounds_leave_as_many_mappings_and_descriptors_as_there_were";
    assert_eq!(told_by(other(test, "adopt")), ["as before"]);
}

/// H6
#[test]
fn failed_adoptions_leave_no_mapping_and_no_descriptor() {
    if role().is_some() {
        let directory = directory();
        let (good, bad) = (directory.path().join("good.grv"), directory.path().join("bad.grv"));
        graven::write(&good, &7u64).unwrap();
        let mut bytes = fs::read(&good).unwrap();
        bytes[0] ^= 1;
        fs::write(&bad, bytes).unwrap();
        let fail = |_: u32| {
            map(&bad).unwrap_err();
            Segment::read(&bad).unwrap_err();
            map_at(File::open(&good).unwrap(), PAGE, PAGE).unwrap_err();
            Segment::map_sealed(File::open(&good).unwrap()).unwrap_err();
            map(&good).unwrap().root::<u32>().unwrap_err();
        };
        (0..100).for_each(fail);
        let before = (mappings().len(), open_descriptors());
        (0..1000).for_each(fail);
        assert_eq!((mappings().len(), open_descriptors()), before);
        tell("as before");
        drop(directory);
        done();
    }
    let test = "adopting::failed_adoptions_leave_no_mapping_and_no_descriptor";
    assert_eq!(told_by(other(test, "adopt")), ["as before"]);
}

// ---- H7: read-only -------------------------------------------------------------------------------------------------

/// H7; that no `&mut` is to be had is in `handles.rs`.
#[test]
fn the_kernel_knows_mapped_segments_as_shared_and_read_only() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Config::sample(2)).unwrap();
    let length = fs::metadata(&path).unwrap().len();
    let whole = map(&path).unwrap();
    let run = map_at(File::open(&path).unwrap(), 0, length).unwrap();
    for segment in [&whole, &run] {
        let mapping = mapping_at(segment.as_bytes().as_ptr().addr()).unwrap();
        assert_eq!(mapping.permissions, "r--s");
        assert_eq!(mapping.path, path.to_str().unwrap());
    }

    // Larger pages than the kernel's take another way to a mapping.
    let path = directory.path().join("large-pages.grv");
    let mut writer = graven::Writer::options().page_size(65536).create(&path).unwrap();
    writer.put("", &7u64).unwrap();
    writer.finish().unwrap();
    let segment = map(&path).unwrap();
    let address = segment.as_bytes().as_ptr().addr();
    assert!(address.is_multiple_of(65536));
    let mapping = mapping_at(address).unwrap();
    assert_eq!((mapping.permissions.as_str(), mapping.addresses.len()), ("r--s", segment.as_bytes().len()));
}

/// H7
#[test]
fn a_store_through_a_raw_pointer_kills_the_process_and_leaves_the_file() {
    if let Some(path) = role().and_then(|role| path_in(&role, "store")) {
        let segment = map(path).unwrap();
        let limits = segment.root::<Limits>().unwrap();
        tell("adopted");
        let pointer = std::ptr::from_ref(&*limits).cast_mut().cast::<u8>();
        // SAFETY: none. The test is about what the kernel does.
        unsafe { pointer.write_volatile(1) };
        tell("still alive");
        done();
    }
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Limits { soft: 0, hard: None }).unwrap();
    let before = checksum(&fs::read(&path).unwrap());
    let test = "adopting::a_store_through_a_raw_pointer_kills_the_process_and_leaves_the_file";
    let output = other(test, &format!("store {}", path.display())).output().unwrap();
    assert_eq!(output.status.signal(), Some(nix::sys::signal::Signal::SIGSEGV as i32), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("@adopted") && !told.contains("@still alive"), "{told}");
    assert_eq!(checksum(&fs::read(&path).unwrap()), before);
}
