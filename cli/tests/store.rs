//! The commands on a store: what they print of what is published, and what they say when they refuse.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use common::{fail, graven, print, run, text};
use graven::{Lifetime, Store, Timeout};
use serde_json::Value;

/// A store in a directory of its own, and a segment file of two objects beside it.
struct Fixture {
    _root: tempfile::TempDir,
    dir: PathBuf,
    file: PathBuf,
    store: Store,
}

fn fixture() -> Fixture {
    let root = tempfile::tempdir().unwrap();
    let (dir, file) = (root.path().join("store"), root.path().join("two.grv"));
    fs::create_dir(&dir).unwrap();
    let mut writer = graven::Writer::create(&file).unwrap();
    writer.put("users", &vec!["ann".to_string()]).unwrap();
    writer.put("limits", &(1u32, 2u32)).unwrap();
    writer.finish().unwrap();
    // SAFETY: only graven writes below it, but for what a test damages before it is opened.
    let store = unsafe { Store::open(&dir) }.unwrap();
    Fixture { _root: root, dir, file, store }
}

impl Fixture {
    fn dir(&self) -> &str {
        text(&self.dir)
    }

    fn file(&self) -> &str {
        text(&self.file)
    }

    /// The command in this store, its environment said not to matter.
    fn with_dir<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["--dir", self.dir()]].concat()
    }

    fn print(&self, arguments: &[&str]) -> String {
        print(&self.with_dir(arguments))
    }

    /// The complaint.
    fn fail(&self, arguments: &[&str]) -> String {
        fail(&self.with_dir(arguments)).1
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.print(arguments)).unwrap()
    }

    /// Starts a command, whose output is read line by line, and which is killed if the test fails.
    fn start(&self, arguments: &[&str]) -> (Running, impl Iterator<Item = String> + use<>) {
        let mut command = graven(&self.with_dir(arguments));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (Running(child), lines.map(Result::unwrap))
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Text with every age replaced by `now`.
fn ageless(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut kept = Vec::new();
    for word in words {
        if word.starts_with("ago") {
            let mut unit = kept.pop();
            while unit == Some("") {
                unit = kept.pop();
            }
            kept.pop();
            kept.push("now");
            kept.extend(word.strip_prefix("ago").filter(|rest| !rest.is_empty()));
        } else {
            kept.push(word);
        }
    }
    kept.join(" ").replace("now \n", "now\n")
}

/// Each line's words, so that widths do not matter.
fn words(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn ls_shows_names_types_generations_owners_and_regions() {
    let f = fixture();
    assert_eq!(print(&["ls", f.dir()]), format!("{}: 0 names, 0 regions\n", f.dir()));

    let mut owner = f.store.owner("routes").unwrap();
    owner.publish(&vec![1u32]).unwrap();
    owner.publish(&vec![1u32, 2]).unwrap();
    f.store.load(&f.file, "tables").unwrap();
    let reader = f.store.reader::<Vec<u32>>("routes", Timeout::Now).unwrap();
    let region = f.store.region("counters").size(64).create().unwrap();

    let expected = [
        format!("{}: 2 names, 1 region", f.dir()),
        "name generation size published owner attached objects".into(),
        format!("routes 2 {} now {} 1 Vec<u32>", size(&f, "routes"), std::process::id()),
        format!("tables 1 {} now - 0 users, limits", size(&f, "tables")),
        "region size holds".into(),
        "counters 64 bytes bytes".into(),
    ];
    assert_eq!(words(&ageless(&f.print(&["ls"]))), expected);
    assert_eq!(words(&ageless(&print(&["ls", f.dir()]))), expected);
    drop((reader, region));
}

/// A name's size as it is printed: whole pages.
fn size(f: &Fixture, name: &str) -> String {
    format!("{} KiB", f.store.stat(name).unwrap().length / 1024)
}

#[test]
fn ls_and_stat_as_json_have_the_same_facts() {
    let f = fixture();
    let mut owner = f.store.owner_options("session").secure().lifetime(Lifetime::Process).open().unwrap();
    owner.publish(&(1u8, 2u8)).unwrap();
    f.store.region("board").size(4096).create().unwrap();

    let list = f.json(&["ls", "--json"]);
    assert_eq!(list["store"], f.dir());
    let name = &list["names"][0];
    assert_eq!(name, &f.json(&["stat", "session", "--json"]));
    let stat = f.store.stat("session").unwrap();
    let ms = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let length = name["objects"][0]["length"].clone();
    let expected = serde_json::json!({
        "name": "session",
        "generation": 1,
        "length": stat.length,
        "objects": [{ "name": "", "type": "(u8, u8)", "length": length }],
        "published": ms(stat.published),
        "owner": std::process::id(),
        "owned": ms(stat.owned),
        "attached": 0,
        "uid": stat.uid,
        "gid": stat.gid,
        "mode": "0600",
        "lifetime": "process",
        "delete_on_last_detach": false,
        "problem": null,
    });
    assert_eq!(name, &expected);
    assert!(length.as_u64().unwrap() >= 2);
    let region = serde_json::json!({
        "key": "board", "size": 4096, "holds": "bytes", "delete_on_last_detach": false, "problem": null,
    });
    assert_eq!(list["regions"][0], region);
}

#[test]
fn stat_shows_one_name_and_looking_ends_nothing() {
    let f = fixture();
    let mut owner = f.store.owner_options("last").mode(0o600).delete_on_last_detach(true).open().unwrap();
    let stat = f.store.stat("last").unwrap();
    let printed = ageless(&f.print(&["stat", "last"]));
    assert!(printed.starts_with("last: nothing published\n\npublished  -\n"), "{printed}");

    owner.publish(&7u64).unwrap();
    let reader = f.store.reader::<u64>("last", Timeout::Now).unwrap();
    let expected = [
        format!("last: generation 1, {}", size(&f, "last")),
        "published now".into(),
        format!("owner process {}, since now", std::process::id()),
        "attached 1".into(),
        format!("mode 0600, user {}, group {}", stat.uid, stat.gid),
        "ends when nobody owns it or is attached".into(),
        "object type bytes".into(),
        "(root) u64 8".into(),
    ];
    assert_eq!(words(&ageless(&print(&["stat", f.dir(), "last"]))), expected);
    drop(owner);
    f.print(&["ls"]);
    assert!(words(&f.print(&["stat", "last"])).contains(&"owner none".to_owned()));
    drop(reader);
    assert!(f.fail(&["stat", "last"]).contains("no such name"));
}

#[test]
fn what_is_published_saved_and_loaded_stays_the_same() {
    let f = fixture();
    let kib = fs::metadata(&f.file).unwrap().len() / 1024;
    let publish = ["publish", "tables", f.file()];
    assert_eq!(f.print(&publish), format!("tables: generation 1, 2 objects, {kib} KiB\n"));
    assert_eq!(f.print(&publish), format!("tables: generation 2, 2 objects, {kib} KiB\n"));

    let saved = f.dir.join("../saved.grv");
    let expected = format!("{}: 2 objects, {kib} KiB, of tables\n", saved.display());
    assert_eq!(f.print(&["save", "tables", text(&saved)]), expected);
    assert_eq!(fs::read(&saved).unwrap(), fs::read(&f.file).unwrap());

    assert_eq!(
        f.print(&["load", text(&saved), "copy"]),
        format!("copy: generation 1, 2 objects, {kib} KiB\n")
    );
    let copy = f.store.segments("copy", Timeout::Now).unwrap();
    assert_eq!(copy.current().get::<Vec<String>>("users").unwrap()[0], "ann");
    assert_eq!(f.store.stat("copy").unwrap().mode & 0o077, 0o044 & f.store.stat("tables").unwrap().mode);
    f.print(&["publish", "copy", f.file(), "--secure", "--durable"]);
    assert_eq!(f.store.stat("copy").unwrap().mode, 0o600);
}

#[test]
fn the_directory_comes_from_the_option_or_the_environment_or_is_the_users_own() {
    let f = fixture();
    f.store.load(&f.file, "here").unwrap();
    let list = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let named = list(graven(&["ls"]).env("GRAVEN_DIR", &f.dir));
    assert!(named.starts_with(&format!("{}: 1 name,", f.dir())), "{named}");

    let runtime = tempfile::tempdir().unwrap();
    let own = list(graven(&["ls"]).env("GRAVEN_DIR", "").env("XDG_RUNTIME_DIR", runtime.path()));
    assert_eq!(own, format!("{}/graven: 0 names, 0 regions\n", runtime.path().display()));

    let option = list(graven(&f.with_dir(&["ls"])).env("GRAVEN_DIR", runtime.path()));
    assert_eq!(words(&ageless(&option)), words(&ageless(&named)));
    assert_eq!(run(&["ls", f.dir(), "--dir", f.dir()]).status.code(), Some(2), "one of the two");
}

#[test]
fn rm_ends_names_and_tells_their_readers() {
    let f = fixture();
    for name in ["a", "b", "c"] {
        f.store.load(&f.file, name).unwrap();
    }
    let mut reader = f.store.segments("a", Timeout::Now).unwrap();
    assert_eq!(f.print(&["rm", "a", "b"]), "a: ended\nb: ended\n");
    assert_eq!(reader.latest().unwrap_err().kind(), graven::ErrorKind::Retired);
    assert_eq!(f.store.list().unwrap(), ["c"]);
}

#[test]
fn sweep_ends_what_is_over_and_says_what() {
    let f = fixture();
    f.store.load(&f.file, "kept").unwrap();
    drop(f.store.owner("nothing-published").unwrap());
    assert_eq!(f.print(&["sweep"]), "nothing-published: ended\n");
    assert_eq!(f.print(&["sweep"]), "");
    assert_eq!(f.store.list().unwrap(), ["kept"]);
}

#[test]
fn an_absent_name_is_refused_with_the_store_the_name_and_where_to_look() {
    let f = fixture();
    let target = f.dir.join("../out.grv");
    for arguments in
        [&["stat", "gone"][..], &["rm", "gone"], &["save", "gone", text(&target)], &["watch", "gone"]]
    {
        let expected = format!(
            "graven: {0}/gone: no such name, or nothing published under it yet; `graven ls {0}` lists the names there are\n",
            f.dir()
        );
        assert_eq!(f.fail(arguments), expected, "{arguments:?}");
    }
    assert!(!target.exists());
}

#[test]
fn an_owned_name_is_refused_with_its_owner() {
    let f = fixture();
    let mut owner = f.store.owner("busy").unwrap();
    owner.publish(&1u8).unwrap();
    let pid = std::process::id();
    for arguments in [&["publish", "busy", f.file()][..], &["load", f.file(), "busy"], &["rm", "busy"]] {
        let error = f.fail(arguments);
        let expected = format!(
            "graven: {}/busy: a live owner has the name; wait for process {pid} to end, or take another name\n",
            f.dir()
        );
        assert_eq!(error, expected, "{arguments:?}");
    }
    assert_eq!(f.store.stat("busy").unwrap().generation, 1);
}

#[test]
fn bad_names_are_refused_with_what_names_are_and_cannot_drive_the_terminal() {
    let f = fixture();
    for name in ["a/b", "..", ".a", "", "a b", "\u{1b}[2J"] {
        for arguments in [&["stat", name][..], &["publish", name, f.file()], &["rm", name], &["watch", name]]
        {
            let error = f.fail(arguments);
            assert!(error.starts_with(&format!("graven: {}: ", f.dir())), "{error}");
            assert!(error.contains("1 to 200 bytes of A-Z a-z 0-9 . _ -"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
    }
    assert_eq!(fs::read_dir(&f.dir).unwrap().count(), 0);
}

#[test]
fn what_is_no_directory_is_refused_with_how_to_name_one() {
    let f = fixture();
    for path in [f.file(), "/nowhere/at/all"] {
        let (_, error) = fail(&["ls", path]);
        assert!(
            error.starts_with(&format!("graven: {path}: cannot open the store's directory: ")),
            "{error}"
        );
        assert!(error.ends_with("; name a directory that is there with --dir or in GRAVEN_DIR\n"), "{error}");
    }
}

/// Flips a byte in the only object that has such bytes.
fn damage(path: &Path, bytes: &[u8]) {
    let mut file = fs::read(path).unwrap();
    let at = file.windows(bytes.len()).position(|found| found == bytes).unwrap();
    file[at] ^= 1;
    fs::write(path, file).unwrap();
}

#[test]
fn damaged_files_are_not_published() {
    let f = fixture();
    f.store.load(&f.file, "tables").unwrap();
    damage(&f.file, b"ann");
    for name in ["tables", "new"] {
        let error = f.fail(&["publish", name, f.file()]);
        assert!(error.starts_with(&format!("graven: {}: ", f.file())), "{error}");
        assert!(error.contains("checksum") && error.contains("`graven verify` says more"), "{error}");
    }
    fs::write(&f.file, b"no segment").unwrap();
    assert!(f.fail(&["load", f.file(), "new"]).contains("truncated"));
    fs::remove_file(&f.file).unwrap();
    assert!(f.fail(&["load", f.file(), "new"]).contains("No such file"));
    assert_eq!(f.store.list().unwrap(), ["tables"]);
    assert_eq!(f.store.stat("tables").unwrap().generation, 1);
}

#[test]
fn damaged_generations_pages_and_regions_are_listed_as_such_beside_the_others() {
    let f = fixture();
    for name in ["a", "b", "c"] {
        f.store.load(&f.file, name).unwrap();
    }
    drop(f.store.region("r").size(8).create().unwrap());
    fs::write(f.dir.join("a.grv"), b"no segment").unwrap();
    fs::write(f.dir.join("b.ctl"), b"no page").unwrap();
    fs::write(f.dir.join("r.rgn"), [b'?'; 4096]).unwrap();

    let (printed, error) = fail(&["ls", f.dir()]);
    let rows = words(&ageless(&printed));
    assert_eq!(rows[2], "a 0 0 bytes now - 0 (damaged)");
    assert_eq!(rows[3], "b ? ? ? ? ? ?");
    assert_eq!(rows[4], format!("c 1 {} now - 0 users, limits", size(&f, "c")));
    assert_eq!(rows[6], "r ? ?");
    assert!(error.starts_with(&format!("graven: {}/a.grv: ", f.dir())), "{error}");
    assert!(error.contains("truncated") && error.matches(f.dir()).count() == 1, "{error}");

    let output = run(&["ls", "--json", f.dir()]);
    assert_eq!(output.status.code(), Some(1));
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problem = |value: &Value| value["problem"].as_str().unwrap_or_default().to_owned();
    assert!(problem(&list["names"][0]).contains("truncated"), "{list}");
    assert!(problem(&list["names"][1]).contains("control page"), "{list}");
    assert_eq!(list["names"][2]["problem"], Value::Null);
    assert!(problem(&list["regions"][0]).contains("r.rgn"), "{list}");

    assert!(fail(&["stat", f.dir(), "a"]).1.contains("truncated"));
    assert!(f.fail(&["watch", "a"]).contains("truncated"));
    f.print(&["rm", "a", "b", "c"]);
}

#[test]
fn watch_prints_each_generation_that_another_process_publishes_until_the_name_ends() {
    let f = fixture();
    f.store.load(&f.file, "tables").unwrap();
    let length = size(&f, "tables");
    let (mut running, mut lines) = f.start(&["watch", "tables"]);
    let expected = |generation| Some(format!("tables: generation {generation}, {length}, users, limits"));
    assert_eq!(lines.next(), expected(1));
    assert_eq!(f.store.stat("tables").unwrap().attached, 1);
    f.print(&["publish", "tables", f.file()]);
    assert_eq!(lines.next(), expected(2));
    f.store.load(&f.file, "tables").unwrap();
    assert_eq!(lines.next(), expected(3));
    f.print(&["rm", "tables"]);
    assert_eq!(lines.next(), Some("tables: ended".to_owned()));
    assert_eq!(lines.next(), None);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn watch_waits_for_a_name_if_asked_to_and_ends_after_its_count() {
    let f = fixture();
    let (mut running, mut lines) = f.start(&["watch", "later", "--wait", "--json", "--count", "2"]);
    let mut owner = f.store.owner("later").unwrap();
    owner.publish(&1u8).unwrap();
    let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!((&first["name"], &first["generation"]), (&"later".into(), &1.into()));
    assert_eq!(first["objects"][0]["type"], "u8");
    owner.publish(&2u8).unwrap();
    let second: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(second["generation"], 2);
    assert_eq!(lines.next(), None);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert_eq!(owner.attached().unwrap(), 0);
}

#[test]
fn ls_watch_prints_again_when_something_changes() {
    let f = fixture();
    let (_running, lines) = f.start(&["ls", "--watch", "--json"]);
    // What is published and what is noted of it may be seen one after the other.
    let mut attached = lines.map(|line| {
        let list: Value = serde_json::from_str(&line).unwrap();
        list["names"].as_array().unwrap().iter().map(|name| name["attached"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(attached.next(), Some(vec![]));
    f.store.load(&f.file, "new").unwrap();
    assert_eq!(attached.next(), Some(vec![0.into()]));
    let _reader = f.store.segments("new", Timeout::Now).unwrap();
    assert!(attached.any(|attached| attached == [1]));
    f.print(&["rm", "new"]);
    assert!(attached.any(|attached| attached.is_empty()));
}

#[test]
fn ls_watch_goes_with_a_store_that_is_renamed_and_follows_no_link() {
    let f = fixture();
    let (_running, lines) = f.start(&["ls", "--watch", "--json"]);
    let mut lists = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let mut problems = || {
        let list = lists.next().unwrap();
        let names = list["names"].as_array().unwrap().iter();
        names.map(|name| (name["name"].clone(), name["problem"].is_null())).collect::<Vec<_>>()
    };
    assert_eq!(problems(), []);
    let (dir, moved) = (PathBuf::from(f.dir()), format!("{}-moved", f.dir()));
    fs::rename(&dir, &moved).unwrap();
    f.store.load(&f.file, "new").unwrap();
    while problems() != [("new".into(), true)] {}
    fs::rename(&moved, &dir).unwrap();
    fs::rename(dir.join("new.grv"), dir.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", dir.join("new.grv")).unwrap();
    assert!(f.fail(&["ls"]).contains("symbolic links"));
}

#[test]
fn ls_watch_ends_after_its_count() {
    let f = fixture();
    let (mut running, mut lines) = f.start(&["ls", "--watch", "--count", "2"]);
    assert_eq!(lines.next(), Some(format!("{}: 0 names, 0 regions", f.dir())));
    f.store.load(&f.file, "new").unwrap();
    let printed: Vec<String> = lines.collect();
    assert_eq!(printed[..2], [String::new(), format!("{}: 1 name, 0 regions", f.dir())]);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert_eq!(run(&["ls", f.dir(), "--count", "1"]).status.code(), Some(2), "a count is of lists");
}
