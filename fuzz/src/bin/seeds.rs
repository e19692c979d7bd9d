//! Makes the seed corpora: `seeds DIRECTORY [FOLDER WITH XML FILES]` writes `DIRECTORY/TARGET/*`, and a dictionary for the
//! target `xml`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

use arbitrary::Arbitrary;
use graven::Archive;
use graven::fuzz::{Specimen, rounds};
use graven_fuzz::cases::{self, Case, ForCase, sample};
use graven_fuzz::ours::Fuzzed;
use graven_fuzz::segments;
use graven_fuzz::targets::shared;
use graven_topology::{Detector, synthetic, xml};
// The counters of what ran, which each target has from there.
use libfuzzer_sys as _;

/// The longest XML file that becomes a seed: longer ones take too long to be of use.
const LONGEST_XML: usize = 40_000;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(to) = arguments.first() else {
        eprintln!("usage: seeds DIRECTORY [FOLDER WITH XML FILES]");
        std::process::exit(2);
    };
    let to = Path::new(to);
    for target in ["segment_open", "differential", "schema", "xml", "roundtrip"] {
        fs::create_dir_all(to.join(target))?;
    }
    for (i, segment) in segments::seeds().iter().enumerate() {
        fs::write(to.join(format!("segment_open/{i}")), segments::pack(segment))?;
    }
    let mut seeds = OfCase { to, number: 0, result: Ok(()) };
    for number in 0..cases::COUNT {
        seeds.number = number as u8;
        cases::with(number, &mut seeds);
    }
    seeds.result?;
    let count = xmls(to, arguments.get(1).map(Path::new))?;
    println!("{} types, {count} topologies", cases::COUNT);
    Ok(())
}

struct OfCase<'a> {
    to: &'a Path,
    number: u8,
    result: io::Result<()>,
}

impl OfCase<'_> {
    fn write<T: Fuzzed + for<'a> Arbitrary<'a>>(&self, case: &'static Case<T>) -> io::Result<()> {
        let name = case.name;
        for (i, data) in rounds(self.number.into(), 8).enumerate() {
            let seed = [&[self.number, i as u8], &*data].concat();
            fs::write(self.to.join(format!("differential/{name}-{i}")), seed)?;
        }
        fs::write(self.to.join(format!("differential/{name}")), [self.number, 3])?;
        for bytes in [10, 100, 1000] {
            let data: Vec<u8> = rounds(bytes as u64, u32::MAX).flatten().take(bytes).collect();
            let seed = [&[self.number], &*data].concat();
            fs::write(self.to.join(format!("roundtrip/{name}-{bytes}")), seed)?;
        }
        let table = graven::format::Schema::of::<T::Archived>().encode();
        let specimen = Specimen::new(&sample::<T>(160)).expect("written before");
        let object = &specimen.segment()[specimen.object()];
        let shared = shared::seed(self.number, object, size_of::<graven::rkyv::Archived<T>>());
        let shared = [&[segments::SHARED][..], &shared].concat();
        fs::write(self.to.join(format!("segment_open/shared-{name}")), shared)?;
        let length = u16::try_from(table.len()).expect("a small table");
        fs::write(self.to.join(format!("schema/{name}")), [&length.to_le_bytes(), &*table, object].concat())
    }
}

impl ForCase for OfCase<'_> {
    fn with<T: Fuzzed + Archive + for<'a> Arbitrary<'a>>(&mut self, case: &'static Case<T>) {
        if self.result.is_ok() {
            self.result = self.write(case);
        }
    }
}

/// Topologies of synthetic machines, of this one, and of the folder's files.
fn xmls(to: &Path, folder: Option<&Path>) -> io::Result<usize> {
    let machines =
        ["pu:1", "pack:2 l3:1 core:2 pu:2", "[numa] pack:2 [numa] core:3 pu:1", "group:2 numa:1 core:2 pu:2"];
    let machines = machines.map(|machine| synthetic(machine).expect("a machine in a line"));
    let mut texts: Vec<String> = machines.iter().map(xml::to_string).collect::<io::Result<_>>()?;
    if let Ok(this) = Detector::new().detect() {
        texts.push(xml::to_string(&this)?);
    }
    let files = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten();
    let mut files: Vec<_> = files.filter_map(Result::ok).map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    for file in files {
        texts.push(fs::read_to_string(file)?);
    }
    let mut words = BTreeSet::new();
    let mut count = 0;
    for text in &texts {
        for piece in text.split(['<', ' ', '\n', '>', '/']) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let is_word = |word: &str| {
                (2..30).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            };
            words.extend(
                [name, value.trim_matches('"')].into_iter().filter(|word| is_word(word)).map(str::to_owned),
            );
        }
        if text.len() <= LONGEST_XML {
            fs::write(to.join(format!("xml/{count}")), text)?;
            count += 1;
        }
    }
    let words: Vec<_> =
        words.into_iter().filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())).collect();
    let escapes = ["&amp;", "&lt;", "&gt;", "&quot;", "&#9;", "&#10;", "&#13;"];
    let words = words.iter().map(String::as_str).chain(escapes);
    let lines: String = words.map(|word| format!("\"{word}\"\n")).collect();
    fs::write(to.join("xml.dict"), lines)?;
    Ok(count)
}
