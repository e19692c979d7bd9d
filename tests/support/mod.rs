//! What the tests share: values to write, other processes, `/proc`, and segments damaged on purpose.
#![allow(dead_code)] // each test file uses a part of it

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use graven::error::RegionError;
use graven::format::Header;
use graven::rkyv::rancor::{Fallible, Source};
use graven::rkyv::{Place, primitive::ArchivedU32};
use graven::{Archive, Cause, Error, ErrorKind, Segment, Serialize, Store, Timeout};
use graven_format::checksum;
use nix::errno::Errno;

pub(crate) const PAGE: u64 = 4096;
pub(crate) const EINVAL: i32 = Errno::EINVAL as i32;
/// For what is to happen, however slow the machine is.
pub(crate) const SOON: Timeout = Timeout::Within(std::time::Duration::from_secs(20));

// ---- values --------------------------------------------------------------------------------------------------------

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
#[rkyv(compare(PartialEq), derive(Debug))]
pub(crate) struct Limits {
    pub(crate) soft: u64,
    pub(crate) hard: Option<u64>,
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
#[rkyv(compare(PartialEq), derive(Debug))]
pub(crate) enum Access {
    Nobody,
    Group(u32),
    Names { allowed: Vec<String>, quick: bool },
}

/// A bit of everything, and recursive.
#[graven::object]
#[derive(Clone, Debug, PartialEq)]
#[rkyv(compare(PartialEq), derive(Debug))]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) limits: Vec<Limits>,
    pub(crate) access: Access,
    pub(crate) weights: BTreeMap<u32, String>,
    pub(crate) below: Vec<Config>,
}

impl Config {
    /// `levels` deep, two configs below each.
    pub(crate) fn sample(levels: u32) -> Config {
        Config {
            name: format!("level {levels}, with a name that does not fit a pointer"),
            limits: (0..u64::from(levels))
                .map(|n| Limits { soft: n, hard: (n % 2 == 0).then_some(n << 40) })
                .collect(),
            access: match levels % 3 {
                0 => Access::Nobody,
                1 => Access::Group(levels),
                _ => Access::Names { allowed: vec!["root".into(), "a user".into()], quick: levels > 2 },
            },
            weights: (0..levels).map(|n| (n * 7, format!("weight {n}"))).collect(),
            below: (0..2).filter(|_| levels > 0).map(|_| Config::sample(levels - 1)).collect(),
        }
    }
}

/// Everything in the archived value enters the result: nothing is left unread.
impl ArchivedConfig {
    pub(crate) fn digest(&self) -> u64 {
        let mut bytes = Vec::new();
        self.read_all(&mut bytes);
        checksum(&bytes)
    }

    fn read_all(&self, out: &mut Vec<u8>) {
        let number = |out: &mut Vec<u8>, number: u64| out.extend(number.to_le_bytes());
        out.extend(self.name.as_bytes());
        for limits in self.limits.iter() {
            number(out, limits.soft.into());
            number(out, limits.hard.as_ref().map_or(u64::MAX, |hard| hard.to_native()));
        }
        match &self.access {
            ArchivedAccess::Nobody => out.push(0),
            ArchivedAccess::Group(group) => number(out, group.to_native().into()),
            ArchivedAccess::Names { allowed, quick } => {
                allowed.iter().for_each(|name| out.extend(name.as_bytes()));
                out.push((*quick).into());
            }
        }
        for (key, weight) in self.weights.iter() {
            number(out, key.to_native().into());
            out.extend(weight.as_bytes());
        }
        self.below.iter().for_each(|below| below.read_all(out));
    }
}

/// So many elements of up to 8 bytes, or as many as fit an object where offsets have 16 bits.
pub(crate) fn many(elements: usize) -> usize {
    if graven::format::Payload::NATIVE.offset_width == 2 { elements.min(3000) } else { elements }
}

/// A table with enough keys for several groups of slots.
pub(crate) fn table() -> HashMap<String, u64> {
    (0..20).map(|n| (format!("key number {n}"), n)).collect()
}

/// A list with a pointer per level.
#[graven::object]
#[rkyv(derive(Debug))]
pub(crate) struct Nested {
    pub(crate) inner: Option<Box<Nested>>,
}

impl Nested {
    pub(crate) fn new(pointers: usize) -> Nested {
        (0..pointers).fold(Nested { inner: None }, |inner, _| Nested { inner: Some(Box::new(inner)) })
    }
}

/// Archived as the number 7; serializing it calls the function, whose error is what serializing says.
pub(crate) struct Scripted<F>(pub(crate) F);

impl<F> Archive for Scripted<F> {
    type Archived = ArchivedU32;
    type Resolver = ();

    fn resolve(&self, (): (), out: Place<ArchivedU32>) {
        out.write(7.into());
    }
}

impl<F: Fn() -> Result<(), std::io::Error>, S: Fallible<Error: Source> + ?Sized> Serialize<S>
    for Scripted<F>
{
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        (self.0)().map_err(S::Error::new)
    }
}

// ---- files and segments --------------------------------------------------------------------------------------------

/// A directory of the test's own in shared memory, or where there is none, wherever temporary files go.
pub(crate) fn directory() -> tempfile::TempDir {
    let within = std::env::var_os(DIRECTORY).unwrap_or("/dev/shm".into());
    tempfile::tempdir_in(within).or_else(|_| tempfile::tempdir()).expect("a temporary directory")
}

/// Whether a directory is on overlayfs.
pub(crate) fn is_overlay(directory: &Path) -> bool {
    let kind = nix::sys::statfs::statfs(directory).expect("a directory").filesystem_type();
    kind == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC
}

/// The names in a directory, sorted.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let names =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// `Segment::map` of a file that the test made and leaves alone while it is mapped.
pub(crate) fn map(path: impl AsRef<Path>) -> graven::Result<Segment> {
    // SAFETY: the caller's file, which it leaves alone.
    unsafe { Segment::map(path) }
}

/// `Store::open` of a directory that only graven writes to, or the test on purpose.
pub(crate) fn store(dir: impl AsRef<Path>) -> Store {
    // SAFETY: the caller's directory.
    unsafe { Store::open(dir) }.expect("a directory")
}

/// `Segment::map_at` of a file that the test made and leaves alone while it is mapped.
pub(crate) fn map_at(fd: impl AsFd, offset: u64, length: u64) -> graven::Result<Segment> {
    // SAFETY: the caller's file, which it leaves alone.
    unsafe { Segment::map_at(fd, offset, length) }
}

/// Bytes that no segment has, so that every change of one of them is noticed.
pub(crate) fn pattern(length: u64) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8 | 1).collect()
}

/// The segment that `write` makes of one value, as bytes.
pub(crate) fn bytes_of<T>(value: &T) -> Vec<u8>
where
    T: Archive<Archived: graven::Layout> + for<'a> Serialize<graven::Serializer<'a>>,
{
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, value).expect("written");
    fs::read(path).expect("read back")
}

/// A segment with this root.
pub(crate) fn segment_of<T>(value: &T) -> Segment
where
    T: Archive<Archived: graven::Layout> + for<'a> Serialize<graven::Serializer<'a>>,
{
    Segment::from_bytes(bytes_of(value)).expect("as written")
}

/// A number of the header by its name in SPEC 4.
pub(crate) fn set_header(bytes: &mut [u8], name: &str, value: u64) {
    let place = Header::PLACES.iter().find(|place| place.name == name).expect("a field of the header");
    bytes[place.offset..][..place.size].copy_from_slice(&value.to_le_bytes()[..place.size]);
}

pub(crate) fn get_u64(bytes: &[u8], offset: u64) -> u64 {
    u64::from_le_bytes(*bytes[offset as usize..].first_chunk().expect("eight bytes"))
}

/// Makes the header's checksum right, whatever the header says.
pub(crate) fn reseal_header(bytes: &mut [u8]) {
    let sum = checksum(&bytes[..248]);
    set_header(bytes, "header checksum", sum);
}

/// Makes all checksums right again, so that what is damaged is found by other checks or not at all. `whole` is the
/// header of the segment when it was whole.
pub(crate) fn reseal(bytes: &mut [u8], whole: &Header) {
    let sum = checksum(&bytes[range(whole.schema)]);
    set_header(bytes, "schema checksum", sum);
    let sum = checksum(&bytes[range(whole.directory)]);
    set_header(bytes, "directory checksum", sum);
    reseal_header(bytes);
}

/// The bytes of a section.
pub(crate) fn range(section: graven::format::Section) -> Range<usize> {
    section.position as usize..section.end().expect("checked") as usize
}

/// Where the entry of an object stands, by its number. SPEC 4.4.
pub(crate) fn entry_at(bytes: &[u8], header: &Header, index: u64) -> u64 {
    let slots = get_u64(bytes, header.directory.position + 8);
    header.directory.position + 16 + (4 * slots).next_multiple_of(8) + 96 * index
}

/// Makes the checksums of all objects right, then those of the header.
pub(crate) fn reseal_objects(bytes: &mut [u8], whole: &Header) {
    for index in 0..get_u64(bytes, whole.directory.position) {
        let at = entry_at(bytes, whole, index);
        let (position, length) = (get_u64(bytes, at + 56) as usize, get_u64(bytes, at + 64) as usize);
        let sum = checksum(&bytes[position..position + length]);
        bytes[at as usize + 80..][..8].copy_from_slice(&sum.to_le_bytes());
    }
    reseal(bytes, whole);
}

/// Numbers that look random and are the same in every run: xorshift64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

// ---- errors --------------------------------------------------------------------------------------------------------

/// Checks what all errors have in common, and gives back the message.
pub(crate) fn check(error: &Error, kind: ErrorKind, errno: Errno) -> String {
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.errno(), errno as i32, "{error}");
    let message = error.to_string();
    assert!(message.len() > 10 && !message.contains('\n'), "{message}");
    if let Some(file) = error.file() {
        assert!(message.starts_with(&format!("{}: ", file.display())), "{message}");
    }
    match error.object() {
        Some("") => assert!(message.contains("root"), "{message}"),
        Some(name) => assert!(message.contains(&format!("object {name:?}")), "{message}"),
        None => {}
    }
    message
}

/// The number of an error that has to be there.
pub(crate) fn errno<T>(result: graven::Result<T>) -> i32 {
    result.map(drop).expect_err("refused").errno()
}

pub(crate) fn region_error(error: &Error) -> &RegionError {
    match error.cause() {
        Cause::Region(cause) => cause,
        other => panic!("{other:?}"),
    }
}

// ---- this process --------------------------------------------------------------------------------------------------

/// Becomes another user: for good.
pub(crate) fn become_user(id: u32) {
    nix::unistd::setgroups(&[]).expect("root");
    nix::unistd::setgid(id.into()).expect("root");
    nix::unistd::setuid(id.into()).expect("root");
}

/// Waits until something is so: a process that was killed has been buried, for example.
pub(crate) fn until(mut what: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !what() {
        assert!(start.elapsed() < std::time::Duration::from_secs(2), "it did not happen within 2 s");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// A line of `/proc/self/maps`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) addresses: Range<usize>,
    pub(crate) permissions: String,
    pub(crate) path: String,
}

pub(crate) fn mappings() -> Vec<Mapping> {
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        let addresses = number(start)?..number(end)?;
        let permissions = words.next()?.to_owned();
        Some(Mapping { addresses, permissions, path: words.skip(3).collect::<Vec<_>>().join(" ") })
    };
    maps.lines().map(|line| parse(line).expect("proc(5)")).collect()
}

/// The mapping that has this address, if one has.
pub(crate) fn mapping_at(address: usize) -> Option<Mapping> {
    mappings().into_iter().find(|mapping| mapping.addresses.contains(&address))
}

/// The mappings of a file that has, or had, this path.
pub(crate) fn mappings_of(path: &Path) -> Vec<Mapping> {
    let path = path.to_str().expect("UTF-8");
    mappings().into_iter().filter(|mapping| mapping.path.starts_with(path)).collect()
}

pub(crate) fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc is mounted").count()
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

// ---- other processes -----------------------------------------------------------------------------------------------

const ROLE: &str = "GRAVEN_TEST_ROLE";
const DIRECTORY: &str = "GRAVEN_TEST_DIRECTORY";

/// Runs the test in a process of its own: it forks, becomes another user, or uses up what there is. Whether this is
/// that process; it ends with [`done`].
pub(crate) fn alone(test: &str) -> bool {
    if role().is_none() {
        // For its directories, as it removes none.
        let directory = directory();
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(directory.path(), everybody).expect("ours");
        let mut command = other(test, "alone");
        command.stdin(Stdio::null()).env(DIRECTORY, directory.path());
        for words in told_by(command) {
            println!("{words}");
        }
    }
    role().is_some_and(|role| role == "alone")
}

/// What this process is to do instead of the test, if it was started by [`other`].
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// This test binary again, as another process that runs only the test `test` and finds `role` there.
pub(crate) fn other(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// Tells the process that started this one.
pub(crate) fn tell(words: impl std::fmt::Display) {
    // On a line of its own, whatever the test harness has printed before.
    println!("\n@{words}");
    std::io::stdout().flush().expect("the other process listens");
}

/// Ends a process that was started by [`other`], without the test harness's report.
pub(crate) fn done() -> ! {
    std::process::exit(0)
}

/// What another process tells, after it has ended well.
pub(crate) fn told_by(mut command: Command) -> Vec<String> {
    let output = command.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}\n{errors}", output.status);
    told.lines().filter_map(|line| line.strip_prefix('@')).map(str::to_owned).collect()
}

/// Another process to talk with. Killed when dropped.
pub(crate) struct Other {
    process: Child,
    listens: Option<ChildStdin>,
    tells: BufReader<Box<dyn Read + Send>>,
}

impl Other {
    pub(crate) fn start(mut command: Command) -> Other {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let listens = process.stdin.take();
        let tells = BufReader::new(Box::new(process.stdout.take().expect("piped")) as Box<dyn Read + Send>);
        Other { process, listens, tells }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The next thing it tells.
    pub(crate) fn hear(&mut self) -> String {
        hear_from(&mut self.tells).expect("it ended without a word")
    }

    /// Its output from here on, to be heard by another thread: see [`hear_from`].
    pub(crate) fn take_output(&mut self) -> impl BufRead + Send + use<> {
        std::mem::replace(&mut self.tells, BufReader::new(Box::new(std::io::empty())))
    }

    /// A line for it to read from its standard input.
    pub(crate) fn say(&mut self, words: impl std::fmt::Display) {
        let listens = self.listens.as_mut().expect("it has not been told to go on");
        writeln!(listens, "{words}").expect("it listens");
    }

    /// Lets it go on from [`wait_for_go`].
    pub(crate) fn proceed(&mut self) {
        drop(self.listens.take());
    }

    /// Lets it go on from [`wait_for_go`], and waits for its end.
    pub(crate) fn go(mut self) -> ExitStatus {
        self.proceed();
        self.process.wait().expect("it ends")
    }

    pub(crate) fn kill(mut self) -> ExitStatus {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends")
    }
}

/// The next thing that is told in the output of another process; `None` at its end.
pub(crate) fn hear_from(output: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if output.read_line(&mut line).expect("its output") == 0 {
            return None;
        }
        if let Some(words) = line.strip_prefix('@') {
            return Some(words.trim_end().to_owned());
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns when the process that started this one says so, or has ended.
pub(crate) fn wait_for_go() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// The path that the role names after a word: `write /tmp/x` with `write` gives `/tmp/x`.
pub(crate) fn path_in(role: &str, word: &str) -> Option<PathBuf> {
    role.strip_prefix(word)?.strip_prefix(' ').map(PathBuf::from)
}
