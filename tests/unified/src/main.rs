//! What a program writes whose rkyv has other payload features than graven was asked for, it reads: the header says what
//! the bytes are. `unified FILE` leaves the segment there, for other builds to refuse and to read by schema.
#![deny(warnings)]
#![allow(missing_docs)]

use std::collections::{BTreeMap, HashMap};

use graven::{
    Segment, Store, Timeout,
    format::{Header, Payload},
};

#[graven::object]
#[derive(Debug, PartialEq)]
struct Config {
    name: String,
    limits: Vec<(u16, u64)>,
    ports: HashMap<String, u32>,
    weights: BTreeMap<i32, f64>,
    next: Option<Box<Config>>,
}

fn config(next: Option<Box<Config>>) -> Config {
    Config {
        name: "a name that is not inline".to_string(),
        limits: vec![(1, 2), (0x0102, 0x0102_0304_0506_0708)],
        ports: [("http".to_string(), 80), ("https".to_string(), 443)].into(),
        weights: [(-1, 0.5), (1, 2.0)].into(),
        next,
    }
}

/// What this crate has asked rkyv for.
const ASKED: Payload = Payload {
    big_endian: cfg!(feature = "big_endian"),
    offset_width: match (cfg!(feature = "pointer_width_16"), cfg!(feature = "pointer_width_64")) {
        (true, _) => 2,
        (_, true) => 8,
        _ => 4,
    },
    unaligned: cfg!(feature = "unaligned"),
};
const _: () = assert!(Payload::NATIVE.big_endian == ASKED.big_endian, "measured where constants are");

fn check(segment: &Segment, value: &Config) -> graven::Result<()> {
    assert_eq!(segment.header().payload, ASKED);
    segment.verify()?;
    let adopted = segment.root::<Config>()?;
    assert_eq!(adopted.ports.get("https").map(|port| port.to_native()), Some(443));
    assert_eq!(adopted.deserialize::<Config>()?, *value);
    let by_schema = segment.value("")?;
    let number = by_schema.path("next.limits[1].1").and_then(|number| number.as_u64());
    assert_eq!(number.map_err(graven::Error::from)?, 0x0102_0304_0506_0708);
    Ok(())
}

fn main() -> graven::Result<()> {
    let value = config(Some(Box::new(config(None))));
    assert_eq!(Payload::NATIVE, ASKED);
    let dir = std::env::temp_dir().join(format!("graven-unified-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("a new directory");
    let path = std::env::args_os().nth(1).unwrap_or_else(|| dir.join("config.grv").into());
    graven::write(&path, &value)?;
    let segment = Segment::read(&path)?;
    check(&segment, &value)?;
    let bytes = std::fs::read(&path).expect("written");
    assert_eq!(Header::decode(&bytes).expect("a header").payload, ASKED);

    // SAFETY: nobody else knows the directory.
    let store = unsafe { Store::open(&dir)? };
    let mut owner = store.owner("config")?;
    owner.publish(&value)?;
    let mut tables = store.segments("config", Timeout::Now)?;
    check(tables.latest()?, &value)?;
    let mut reader = store.reader::<Config>("config", Timeout::Now)?;
    assert_eq!(reader.latest()?.name, value.name);
    println!("{ASKED}: written, published, read and verified");
    std::fs::remove_dir_all(&dir).expect("its own");
    Ok(())
}
