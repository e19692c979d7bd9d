//! What each command prints, and that it ends with 1 and a complaint that names the file where it cannot.

mod common;

use std::fs;

use common::{fail, graven, print, reseal, run, sample_file, sections, text};
use serde_json::Value;

/// Its second number is twice the first, which only programs that have the type can check.
#[graven::object]
#[layout(invariants)]
struct Even {
    half: u8,
    whole: u8,
}

#[test]
fn inspect_shows_header_sections_and_objects() {
    let (_dir, path) = sample_file();
    let printed = print(&["inspect", text(&path)]);
    let length = fs::metadata(&path).unwrap().len();
    let first = printed.lines().next().unwrap();
    assert_eq!(first, format!("{}: segment, {} KiB, 5 objects", path.display(), length / 1024));
    for line in [
        "format version  1",
        "mode            relative, at any address",
        "page size       4 KiB",
        &format!("length          {length} bytes"),
        "generation      7",
    ] {
        assert!(printed.lines().any(|found| found == line), "no {line:?} in\n{printed}");
    }
    for (object, ty) in [
        ("(root)", "(String, Option<u64>)"),
        ("users", "Vec<User>"),
        ("\"more users\"", "Vec<User>"),
        ("shapes", "Vec<Shape>"),
        ("tree", "Node"),
    ] {
        let found = printed.lines().filter(|line| line.starts_with(object)).any(|line| line.contains(ty));
        assert!(found, "no {object} of type {ty} in\n{printed}");
    }
}

#[test]
fn inspect_as_json_says_the_same_in_numbers_that_add_up() {
    let (_dir, path) = sample_file();
    let value: Value = serde_json::from_str(&print(&["inspect", "--json", text(&path)])).unwrap();
    assert_eq!(value["file"], text(&path));
    let header = &value["header"];
    assert_eq!(header["format_version"], 1);
    assert_eq!(header["mode"], "relative");
    assert_eq!(header["page_size"], 4096);
    assert_eq!(header["generation"], 7);
    assert_eq!(header["payload"]["native"], true);
    assert_eq!(header["length"], fs::metadata(&path).unwrap().len());
    assert_eq!(header["schema"]["checksum"].as_str().unwrap().len(), 16);
    assert_eq!(header["relocations"], Value::Null);

    let objects = value["objects"].as_array().unwrap();
    let names: Vec<_> = objects.iter().map(|object| object["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["", "users", "more users", "shapes", "tree"]);
    assert_eq!(objects[1]["type"], "Vec<User>");
    assert_eq!(objects[1]["fingerprint"], objects[2]["fingerprint"]);
    assert_eq!(objects[1]["fingerprint"].as_str().unwrap().len(), 32);
    assert_eq!(objects[1]["schema"], objects[2]["schema"]);
    assert!(objects[1]["align"].as_u64().unwrap() >= 16);

    let sizes = value["sizes"].as_object().unwrap();
    let sum: u64 = sizes.values().map(|size| size.as_u64().unwrap()).sum();
    assert_eq!(sum, header["length"].as_u64().unwrap());
    assert!(value["problems"].as_array().unwrap().is_empty());
}

#[test]
fn schema_shows_structs_and_enums_like_rust_with_offsets_and_sizes() {
    let (_dir, path) = sample_file();
    let printed = print(&["schema", text(&path)]);
    let user = "
struct User  // 24 bytes, align 4
       0      8  name: String
       8      1  kind: u8
       9      3  // padding
      12      4  age: u32
      16      8  tags: Vec<String>
";
    let shape = "
enum Shape  // 16 bytes, align 8
       0      1  // tag
  Circle = 0
       1      3  // padding
       4      4  radius: f32
       8      8  // padding
  Line = 1
       1      1  0: u8
       2      6  // padding
       8      8  1: u64
  Empty = 2
       1     15  // padding
";
    let node = "
struct Node  // 12 bytes, align 4
       0      2  value: u16
       2      2  // padding
       4      8  children: Vec<Node>
";
    for part in [user, shape, node] {
        assert!(printed.contains(part), "no{part}in\n{printed}");
    }
    assert!(printed.contains("users: Vec<User>   fingerprint "), "{printed}");
    assert_eq!(printed.matches("struct User").count(), 1, "objects that share a layout are shown together");
}

#[test]
fn schema_of_one_object_shows_only_its_types() {
    let (_dir, path) = sample_file();
    let tree = print(&["schema", text(&path), "tree"]);
    assert!(tree.starts_with("tree: Node   fingerprint "), "{tree}");
    assert!(!tree.contains("User"), "{tree}");
    let root = print(&["schema", text(&path), ""]);
    assert!(root.starts_with("(root): (String, Option<u64>)   fingerprint "), "{root}");

    let (printed, error) = fail(&["schema", text(&path), "trees"]);
    assert_eq!(printed, "");
    let expected = format!(
        "graven: {}: no object trees; the segment has (root), users, \"more users\", shapes, tree\n",
        path.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn schema_as_json_has_types_with_shapes_fields_and_offsets() {
    let (_dir, path) = sample_file();
    let value: Value = serde_json::from_str(&print(&["schema", "--json", text(&path), "users"])).unwrap();
    assert_eq!(value["objects"].as_array().unwrap().len(), 1);
    let object = &value["objects"][0];
    assert_eq!(
        (&object["name"], &object["type"], &object["table"]),
        (&"users".into(), &"Vec<User>".into(), &0.into())
    );
    let types = value["tables"][0]["types"].as_array().unwrap();
    assert_eq!(types[0]["shape"], "vec");
    let user = &types[types[0]["element"].as_u64().unwrap() as usize];
    assert_eq!(
        (&user["name"], &user["shape"], &user["size"]),
        (&"User".into(), &"struct".into(), &24.into())
    );
    let fields: Vec<(&str, u64, &str)> = user["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| {
            let ty = &types[field["type"].as_u64().unwrap() as usize];
            let (name, ty) = (field["name"].as_str().unwrap(), ty["name"].as_str().unwrap());
            (name, field["offset"].as_u64().unwrap(), ty)
        })
        .collect();
    assert_eq!(
        fields,
        [("name", 0, "String"), ("kind", 8, "u8"), ("age", 12, "u32"), ("tags", 16, "Vec<String>")]
    );

    let all: Value = serde_json::from_str(&print(&["schema", "--json", text(&path)])).unwrap();
    assert_eq!(all["objects"].as_array().unwrap().len(), 5);
    assert_eq!(all["tables"].as_array().unwrap().len(), 4, "two objects share a table");
}

#[test]
fn verify_says_ok_or_which_byte_range_is_damaged() {
    let (_dir, path) = sample_file();
    let length = fs::metadata(&path).unwrap().len();
    assert_eq!(
        print(&["verify", text(&path)]),
        format!("{}: ok (5 objects, {length} bytes)\n", path.display())
    );

    let mut bytes = fs::read(&path).unwrap();
    bytes[4096] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (printed, error) = fail(&["verify", text(&path)]);
    assert_eq!(printed, "");
    assert!(error.contains(text(&path)) && error.contains("the root object"), "{error}");
}

/// The help names what `verify` finds, each kind of which is damaged here, and what it does not.
#[test]
fn verify_says_in_its_help_what_it_checks_and_what_it_does_not() {
    let help = print(&["verify", "--help"]).split_whitespace().collect::<Vec<_>>().join(" ");
    let (checked, not_checked) = help.split_once("Not checked are").unwrap();
    for word in ["header", "directory", "schema", "checksums", "padding", "object", "keys", "looking them up"]
    {
        assert!(checked.contains(word), "{word}: {help}");
    }
    for word in ["rules that types have", "types are named", "keys of other types", "collide", "who wrote it"]
    {
        assert!(not_checked.contains(word), "{word}: {help}");
    }

    // A map whose keys are swapped, under right checksums.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.grv");
    graven::write(&path, &std::collections::BTreeMap::from([(1u8, 1u8), (2, 2)])).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 1..4096 + 3].reverse();
    let segment = graven::Segment::from_bytes(&bytes).unwrap();
    let entry = segment.objects().next().unwrap().unwrap();
    let sum = graven_format::checksum(entry.object.of(&bytes).unwrap());
    let header = *segment.header();
    let at = header.directory.position as usize + 16 + 8;
    bytes[at + 80..at + 88].copy_from_slice(&sum.to_le_bytes());
    let directory = graven_format::checksum(header.directory.of(&bytes).unwrap());
    bytes[..256]
        .copy_from_slice(&graven::format::Header { directory_checksum: directory, ..header }.encode());
    let damaged = dir.path().join("damaged.grv");
    fs::write(&damaged, bytes).unwrap();
    let (_, error) = fail(&["verify", text(&damaged)]);
    assert!(error.contains("key 1 is not above the one before it"), "{error}");
}

#[test]
fn verify_as_json_says_what_was_checked_of_each_object() {
    let (_dir, path) = sample_file();
    for threads in [&[][..], &["--threads", "1"], &["--threads", "3"]] {
        let value: Value =
            serde_json::from_str(&print(&[&["verify", "--json", text(&path)], threads].concat())).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        assert_eq!((&value["file"], &value["length"]), (&text(&path).into(), &length.into()));
        assert_eq!((&value["result"], &value["error"]), (&"ok".into(), &Value::Null));
        assert_eq!(value["structure_checked"], true);
        let objects = value["objects"].as_array().unwrap();
        let names: Vec<_> = objects.iter().map(|object| object["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["", "users", "more users", "shapes", "tree"]);
        for object in objects {
            assert_eq!((&object["checksum"], &object["structure_checked"]), (&"ok".into(), &true.into()));
            assert!(object["length"].as_u64().unwrap() > 0);
            assert_eq!(object["invariants_not_checked"], Value::Array(Vec::new()));
        }
    }
    assert_eq!(run(&["verify", text(&path), "--threads", "0"]).status.code(), Some(2));

    // The last object: those before are known to be good, and the first damage is the failure.
    let mut bytes = fs::read(&path).unwrap();
    let [schema, _] = sections(&bytes);
    bytes[schema.start - 1 - 15] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (printed, error) = fail(&["verify", "--json", text(&path)]);
    let value: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(value["result"], "damaged");
    assert!(error.contains(value["error"].as_str().unwrap()), "{error}");
    let checksums: Vec<_> =
        value["objects"].as_array().unwrap().iter().map(|object| &object["checksum"]).collect();
    assert_eq!(checksums, ["ok", "ok", "ok", "ok", "damaged"]);

    // What is around them: then they are not looked at.
    bytes[300] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (printed, error) = fail(&["verify", "--json", text(&path)]);
    let value: Value = serde_json::from_str(&printed).unwrap();
    assert!(error.contains("300") && value["error"].as_str().unwrap().contains("300"), "{error}");
    assert_eq!(value["objects"][4]["checksum"], Value::Null);
}

#[test]
fn types_whose_own_rules_were_not_checked_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.grv");
    graven::write(&path, &vec![Even { half: 2, whole: 4 }]).unwrap();
    let value: Value = serde_json::from_str(&print(&["verify", "--json", text(&path)])).unwrap();
    assert_eq!(value["objects"][0]["invariants_not_checked"], serde_json::json!(["Even"]));
}

#[test]
fn segments_are_drawn_part_by_part_to_scale_or_marked() {
    let (dir, path) = sample_file();
    let out = dir.path().join("it.svg");
    assert_eq!(print(&["draw", text(&path), "-o", text(&out)]), "");
    let picture = fs::read_to_string(&out).unwrap();
    assert_eq!(print(&["draw", text(&path), "-o", "-"]), picture);
    let length = fs::metadata(&path).unwrap().len();
    let texts = |class: &str| picture.matches(&format!("<g class=\"{class}\">")).count();
    assert_eq!(["header", "object", "schema", "directory"].map(texts), [1, 5, 1, 1]);
    assert!(texts("padding") >= 2);
    for part in [
        "<tspan font-weight=\"bold\">(root)</tspan>",
        "<tspan font-weight=\"bold\">&quot;more users&quot;</tspan>\u{2003}<tspan fill=\"#555555\">Vec&lt;User&gt;, ",
        "position 4,096, ",
        "root at ",
    ] {
        assert!(picture.contains(part), "no {part:?} in\n{picture}");
    }
    // Bars follow each other without gaps, and those without a mark are as high as they are large.
    let attribute = |line: &str, name: &str| -> u64 {
        let from = line.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
        line[from..].split('"').next().unwrap().parse().unwrap()
    };
    let mut top = None;
    let mut sizes = 0;
    let mut reader = quick_xml::Reader::from_str(&picture);
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            event => assert!(!matches!(event, quick_xml::events::Event::CData(_))),
        }
    }
    for group in picture.split("<g class=").skip(1) {
        let group = group.split("</g>").next().unwrap();
        let bar = group.lines().find(|line| line.starts_with("<rect")).unwrap();
        let (y, high) = (attribute(bar, "y"), attribute(bar, "height"));
        assert!(top.is_none_or(|top| top == y), "{group}");
        top = Some(y + high);
        let said = group.lines().find_map(|line| line.strip_prefix("position ")).unwrap();
        let said = said.split_once(", ").unwrap().1;
        let said = said.split_once('(').map_or(said, |(_, exact)| exact);
        let said = said.split_once(" byte").unwrap().0;
        let size: u64 = said.replace(',', "").parse().unwrap();
        sizes += size;
        match group.contains("class=\"break\"") {
            true => assert!(high == 20 && size * 720 / length < 20, "{group}"),
            false => assert_eq!(high, size * 720 / length, "{group}"),
        }
    }
    assert_eq!(sizes, length);

    // The old picture stays where a new one cannot be made.
    let none = dir.path().join("none");
    let (_, error) = fail(&["draw", text(&none), "-o", text(&out)]);
    assert!(error.contains(text(&none)), "{error}");
    assert_eq!(fs::read_to_string(&out).unwrap(), picture);
    let (_, error) = fail(&["draw", text(&path), "-o", text(&none.join("x.svg"))]);
    assert!(error.contains("none/x.svg: cannot write: "), "{error}");
}

#[test]
fn a_segment_of_many_objects_has_a_picture_of_bounded_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.grv");
    let mut writer = graven::Writer::create(&path).unwrap();
    for i in 0..1000u32 {
        writer.put(&format!("<object {i}>"), &i).unwrap();
    }
    writer.finish().unwrap();
    let picture = print(&["draw", text(&path), "-o", "-"]);
    assert!(
        picture.matches("<g class=").count() < 260 && picture.contains(">880 more objects<"),
        "{picture}"
    );
    assert!(picture.contains("&lt;object 0&gt;") && picture.contains("&lt;object 999&gt;"), "{picture}");
}

#[test]
fn files_that_are_no_segments_are_refused_by_name_by_every_command() {
    let (dir, sample) = sample_file();
    let bytes = fs::read(&sample).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut incomplete = bytes.clone();
    incomplete[..256].fill(0);
    let mut extended = bytes.clone();
    extended.push(0);
    let mut newer = bytes.clone();
    newer[8] = 2;
    reseal(&mut newer);
    let cases = [
        (dir.path().join("missing"), "No such file"),
        (dir.path().to_owned(), "not a regular file"),
        (fifo, "not a regular file"),
        ("/dev/zero".into(), "not a regular file"),
        (file("empty", b""), "truncated"),
        (file("short", &bytes[..255]), "truncated"),
        (file("cut", &bytes[..bytes.len() - 1]), "truncated"),
        (file("extended", &extended), ""),
        (file("garbage", &[0xa5; 10_000]), ""),
        (file("incomplete", &incomplete), "incomplete"),
        (file("newer", &newer), "version"),
    ];
    for (path, expected) in cases {
        for command in [
            &["inspect"][..],
            &["inspect", "--json"],
            &["schema"],
            &["verify"],
            &["verify", "--json"],
            &["dump"],
            &["dump", "--json"],
            &["draw", "-o", "-"],
            &["topology", "show"],
            &["topology", "show", "--jsonl"],
            &["topology", "xml"],
            &["topology", "draw", "-o", "-"],
            &["topology", "distances"],
        ] {
            let (printed, error) = fail(&[command, &[text(&path)]].concat());
            assert_eq!(printed, "");
            assert!(error.starts_with(&format!("graven: {}: ", path.display())), "{command:?}: {error}");
            assert!(error.to_lowercase().contains(&expected.to_lowercase()), "{command:?}: {error}");
        }
    }
}

#[test]
fn a_damaged_schema_does_not_keep_inspect_from_showing_the_rest() {
    let (_dir, path) = sample_file();
    let mut bytes = fs::read(&path).unwrap();
    let [schema, _] = sections(&bytes);
    bytes[schema.end - 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (printed, error) = fail(&["inspect", text(&path)]);
    assert!(error.contains(text(&path)) && error.contains("schema"), "{error}");
    assert!(printed.contains("generation      7"), "{printed}");
    assert!(printed.lines().any(|line| line.starts_with("users ")), "{printed}");
    let (printed, _) = fail(&["inspect", "--json", text(&path)]);
    let value: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(value["problems"].as_array().unwrap().len(), 1);
    assert_eq!(value["objects"][1]["type"], Value::Null);
}

#[test]
fn segments_of_other_builds_can_be_inspected() {
    let (_dir, path) = sample_file();
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1; // endianness
    reseal(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let printed = print(&["inspect", text(&path)]);
    assert!(printed.contains("(not this build's)"), "{printed}");
    let value: Value = serde_json::from_str(&print(&["inspect", "--json", text(&path)])).unwrap();
    assert_eq!(value["header"]["payload"]["native"], false);
    assert!(print(&["schema", text(&path)]).contains("struct User"));
    // Its tables are those of this build.
    let (_, error) = fail(&["dump", text(&path)]);
    assert!(
        error.contains("object (root) (") && error.contains("its schema is for payload little"),
        "{error}"
    );
    let (_, error) = fail(&["topology", "show", text(&path)]);
    assert!(error.contains(text(&path)), "{error}");
}

#[test]
fn texts_in_a_file_cannot_drive_the_terminal() {
    let (_dir, path) = sample_file();
    let mut bytes = fs::read(&path).unwrap();
    let mut replace = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at: Vec<usize> =
            (0..bytes.len() - from.len()).filter(|&i| bytes[i..].starts_with(from.as_bytes())).collect();
        assert!(!at.is_empty());
        at.iter().for_each(|&at| bytes[at..][..to.len()].copy_from_slice(to.as_bytes()));
    };
    replace("User", "\x1b[2J");
    replace("radius", "r\n\r\u{9b}2");
    replace("Circle", "\u{202e}abc");
    reseal(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    for command in [&["inspect"][..], &["inspect", "--json"], &["schema"], &["schema", "--json"]] {
        let output = run(&[command, &[text(&path)]].concat());
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains("u001b") || printed.contains("u{1b}"), "{printed}");
        let bad = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!printed.contains(bad), "{printed:?}");
    }
    let name = path.with_file_name("\x1b[2J");
    let (_, error) = fail(&["inspect", text(&name)]);
    assert!(error.contains("\\u{1b}[2J"), "{error:?}");
}

#[test]
fn wrong_usage_exits_with_2_and_help_has_examples_for_every_command() {
    for arguments in [&["inspect"][..], &["dance"], &["topology", "show", "x", "--type", "y"], &[]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    for command in [
        &[][..],
        &["inspect"],
        &["schema"],
        &["verify"],
        &["dump"],
        &["diff"],
        &["draw"],
        &["export"],
        &["import"],
        &["ls"],
        &["stat"],
        &["publish"],
        &["save"],
        &["load"],
        &["rm"],
        &["sweep"],
        &["watch"],
        &["topology"],
        &["topology", "demo"],
        &["topology", "write"],
        &["topology", "show"],
        &["topology", "xml"],
        &["topology", "draw"],
        &["topology", "distances"],
        &["completions"],
    ] {
        let help = print(&[command, &["--help"]].concat());
        let example = format!("  graven {}", command.join(" "));
        let mut lines = help.lines().skip_while(|line| !line.starts_with("Example"));
        assert!(lines.any(|line| line.starts_with(example.trim_end())), "{command:?}:\n{help}");
        assert!(!help.contains("demo-reader"), "{help}");
    }
}

#[test]
fn there_are_completions_for_shells_with_commands_options_and_types() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = print(&["completions", shell]);
        for word in
            ["inspect", "distances", "jsonl", "synthetic", "dump", "depth", "diff", "threads", "serve"]
        {
            assert!(script.contains(word), "no {word} for {shell}");
        }
        // Values of options are completed in these.
        assert!(script.contains("PCIDev") || ["elvish", "powershell"].contains(&shell), "{shell}");
        assert!(!script.contains("demo-reader"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(2));
    // What the shell itself says of it, where there is one.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, print(&["completions", "bash"])).unwrap();
    match std::process::Command::new("bash").arg("-n").arg(file.path()).output() {
        Ok(output) => assert!(output.status.success() && output.stderr.is_empty(), "{output:?}"),
        Err(_) => println!("SKIPPED: no bash"),
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let (_dir, path) = sample_file();
    for command in [&["inspect"][..], &["schema"], &["schema", "--json"], &["verify"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = graven(&[command, &[text(&path)]].concat())
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .output();
        let output = output.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
        assert_eq!(output.status.code(), Some(0), "{command:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let (_dir, path) = sample_file();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = graven(&["inspect", text(&path)]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the output"));
}

#[test]
fn a_huge_segment_is_inspected_without_reading_its_objects() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge.grv");
    let mut bytes = common::small_bytes();
    // The objects move up by 1 TiB less a page, as holes, and the rest moves behind them.
    let far: u64 = 1 << 40;
    let put = |bytes: &mut [u8], at: usize, by: u64| {
        let number = u64::from_le_bytes(bytes[at..][..8].try_into().unwrap()) + by;
        bytes[at..][..8].copy_from_slice(&number.to_le_bytes());
    };
    let [schema, directory] = sections(&bytes);
    let entries = directory.clone().step_by(8).find(|&at| {
        let number = u64::from_le_bytes(bytes[at + 8..][..8].try_into().unwrap()) as usize;
        at > directory.start + 8 && directory.contains(&number)
    });
    for entry in (0..2).map(|i| entries.unwrap() + 96 * i) {
        for field in [8, 40, 56] {
            put(&mut bytes, entry + field, far);
        }
    }
    for field in [32, 64, 80] {
        put(&mut bytes, field, far);
    }
    let sums = [schema, directory].map(|part| graven_format::checksum(&bytes[part]));
    bytes[112..120].copy_from_slice(&sums[0].to_le_bytes());
    bytes[120..128].copy_from_slice(&sums[1].to_le_bytes());
    let sum = graven_format::checksum(&bytes[..248]);
    bytes[248..256].copy_from_slice(&sum.to_le_bytes());
    let file = fs::File::create(&path).unwrap();
    use std::os::unix::fs::FileExt;
    if let Err(error) = file.set_len(bytes.len() as u64 + far) {
        println!("SKIPPED: no sparse file of 1 TiB here: {error}");
        return;
    }
    file.write_all_at(&bytes[..4096], 0).unwrap();
    file.write_all_at(&bytes[4096..], 4096 + far).unwrap();
    let printed = print(&["inspect", text(&path)]);
    assert!(printed.contains("Vec<User>"), "{printed}");
    assert!(print(&["schema", text(&path)]).contains("struct User"));
}
