//! Processes that die, and processes that fork.

use super::*;

/// Serves "" and "forked" at a path, perhaps forks a child that lives on, and is killed.
fn exporter_role(path: &Path, forks: bool) -> ! {
    let exporter = Exporter::bind(path).unwrap();
    let mut made = memory(PAGE, false);
    made.write_at(0, b"left").unwrap();
    exporter.make("", &made, permit()).unwrap();
    let exporter = Arc::new(exporter);
    thread::spawn({
        let exporter = exporter.clone();
        move || exporter.run()
    });
    tell("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap(); // somebody has imported
    if forks {
        // SAFETY: the child only sleeps.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => loop {
                thread::sleep(Duration::from_secs(3));
                if nix::unistd::getppid().as_raw() == 1 {
                    // SAFETY: `_exit` asks for nothing.
                    unsafe { libc::_exit(0) }
                }
            },
            ForkResult::Parent { .. } => tell("forked"),
        }
    }
    wait_for_go();
    done();
}

/// [S18.4b]
#[test]
fn who_waits_learns_of_the_exporters_death_at_once_whether_it_has_forked_or_not_and_reads_on() {
    let test =
        "death::who_waits_learns_of_the_exporters_death_at_once_whether_it_has_forked_or_not_and_reads_on";
    for (word, forks) in [("serve", false), ("forks", true)] {
        if let Some(path) = role().as_deref().and_then(|role| path_in(role, word)) {
            exporter_role(&path, forks);
        }
    }
    for word in ["serve", "forks"] {
        let mut least = Duration::MAX;
        for _ in 0..5 {
            let dir = directory();
            let path = dir.path().join("socket");
            let mut exporter = Other::start(other(test, &format!("{word} {}", path.display())));
            assert_eq!(exporter.hear(), "ready");
            let import = Import::connect(&path, "", Access::Read, SOON).unwrap();
            let attachment = import.attach(0, PAGE, At::Anywhere).unwrap();
            exporter.say("imported");
            if word == "forks" {
                assert_eq!(exporter.hear(), "forked");
            }
            import.check().unwrap();
            let waiting = thread::spawn(move || {
                let result = import.wait(SOON);
                (result, Instant::now(), import)
            });
            thread::sleep(Duration::from_millis(10));
            let begin = Instant::now();
            exporter.kill();
            let (result, at, import) = waiting.join().unwrap();
            ended(result);
            ended(import.check());
            least = least.min(at.saturating_duration_since(begin));
            let mut bytes = [0; 4];
            import.read_at(0, &mut bytes).unwrap();
            assert!(&bytes == b"left" && load(&attachment, 0) == b'l');
            ended(Import::connect(&path, "", Access::Read, SOON).map(drop));
        }
        assert!(least < Duration::from_secs(2), "{word}: {least:?}");
    }
}

/// [S18.4c]
#[test]
fn a_forked_child_has_no_connection_and_goes_on_with_what_is_attached() {
    let test = "death::a_forked_child_has_no_connection_and_goes_on_with_what_is_attached";
    if !alone(test) {
        return;
    }
    let served = serve();
    let made = memory(PAGE, true);
    served.exporter.make("", &made, permit()).unwrap();
    let mut import = served.import("", Access::Write).unwrap();
    let attachment = import.attach(0, PAGE, At::Anywhere).unwrap();
    in_a_child(|| {
        let forked = |result: graven::Result<()>| {
            let error = result.unwrap_err();
            assert_eq!(error.errno(), Errno::EPERM as i32);
            assert!(matches!(error.cause(), Cause::Forked), "{error}");
        };
        let exporter = &served.exporter;
        forked(exporter.make("other", &made, permit()));
        forked(exporter.rebind("", &made));
        forked(exporter.remove(""));
        forked(exporter.remove_empty(""));
        forked(exporter.turn());
        forked(exporter.run());
        forked(exporter.stop());
        forked(import.changed().map(drop));
        forked(import.check());
        forked(import.wait(Timeout::Forever));
        forked(import.refresh());
        let sockets = fs::read_dir("/proc/self/fd").unwrap().filter(|entry| {
            fs::read_link(entry.as_ref().unwrap().path())
                .is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        });
        assert_eq!(sockets.count(), 0);
        store(&attachment, 7, 42);
        import.write_at(8, b"+").unwrap();
        import.attach(0, 1, At::Anywhere).unwrap();
        assert_eq!(load(&attachment, 8), b'+');
        drop(import);
    });
    assert_eq!(load(&attachment, 7), 42, "the child's store");
    let import = served.read("");
    import.check().unwrap();
    assert!(served.path.exists());
    drop((served, import));
    done();
}

#[test]
fn importers_that_die_or_leave_are_forgotten() {
    let served = serve();
    served.exporter.make("", &memory(PAGE, false), permit()).unwrap();
    let connections = || {
        let text = format!("{:?}", served.exporter);
        let (_, rest) = text.split_once("connections: ").unwrap();
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<usize>().unwrap()
    };
    let imports: Vec<Import> = (0..50).map(|_| served.read("")).collect();
    assert_eq!(connections(), 50);
    drop(imports);
    until(|| connections() == 0);
}
