//! `graven inspect`: what a segment says about itself.
//!
//! Everything readable is shown before damage is reported: whoever inspects a segment may well do so because it is
//! damaged.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use graven_format::{Entry, Header, Mode, Payload, Section, View};
use serde_json::{Value, json};

use crate::Failure;
use crate::objects::Overview;
use crate::source;
use crate::text::{self, count, hex, number, object, payload, printable, size, table};

/// Print the header, the objects and the sizes of a segment
///
/// Works on segments of other builds too (other endianness, offset width or alignment). Objects are not looked
/// into.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven inspect users.grv
  graven inspect --json users.grv | jq '.objects[].name'")]
pub struct Inspect {
    /// The segment
    pub file: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

impl Inspect {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let bytes = source::described(&self.file)?;
        self.print(&bytes, out).map_err(|failure| failure.of_file(&self.file))
    }

    /// Prints header, objects and sizes of the segment in `bytes`, of any build, without looking into its objects.
    ///
    /// Cost: O(directory and schema).
    ///
    /// # Errors
    /// [`Failure::Cause`]: no segment, or the first damage found in directory and schema. What can be read nevertheless
    /// has been printed then, unless as JSON, where `problems` has all of them.
    ///
    /// # Examples
    /// ```
    /// use graven_cli::segment::inspect::Inspect;
    /// let what = Inspect { file: "some.grv".into(), json: false };
    /// let failure = what.print(b"no segment", &mut Vec::new()).unwrap_err();
    /// assert!(failure.to_string().contains("truncated"));
    /// ```
    pub fn print(&self, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
        let view = View::inspect(bytes).map_err(Failure::new)?;
        let found = Overview::of(&view);
        let file = self.file.to_string_lossy();
        match self.json {
            true => text::json(out, &found.json(&file, view.header()))?,
            false => found.print(&file, view.header(), out)?,
        }
        found.problems.into_iter().next().map_or(Ok(()), |problem| Err(Failure::new(problem)))
    }
}

impl Overview<'_> {
    /// Bytes of all objects. They cannot overlap in a segment that verifies; in others the sum is capped.
    fn object_bytes(&self) -> u64 {
        self.objects.iter().fold(0, |sum: u64, (entry, _)| sum.saturating_add(entry.object.length))
    }

    /// Bytes that belong to nothing, if the directory could be read.
    fn padding(&self, header: &Header) -> u64 {
        let parts =
            [header.schema.length, header.directory.length, header.relocations.length, self.object_bytes()];
        parts
            .iter()
            .fold(header.length.saturating_sub(Header::SIZE as u64), |left, part| left.saturating_sub(*part))
    }

    fn print(&self, file: &str, header: &Header, out: &mut dyn Write) -> Result<(), Failure> {
        let objects = self.objects.len() as u64;
        writeln!(out, "{}: segment, {}, {}", printable(file), size(header.length), count(objects, "object"))?;
        writeln!(out)?;
        let here = if header.payload == Payload::NATIVE { "" } else { " (not this build's)" };
        writeln!(out, "format version  {}", Header::VERSION)?;
        writeln!(out, "payload         {}{here}", header.payload)?;
        match header.mode {
            Mode::Relative if header.address == 0 => {
                writeln!(out, "mode            relative, at any address")?
            }
            Mode::Relative => writeln!(out, "mode            relative, preferably at {:#x}", header.address)?,
            Mode::Fixed => writeln!(
                out,
                "mode            fixed at {:#x}, file offset {}",
                header.address, header.file_offset
            )?,
        }
        writeln!(out, "page size       {}", size(header.page_size.into()))?;
        writeln!(out, "length          {}", count(header.length, "byte"))?;
        writeln!(out, "generation      {}", header.generation)?;
        if header.compat != 0 {
            writeln!(out, "features        {:#010x}, all of which may be ignored", header.compat)?;
        }

        writeln!(out)?;
        let row = |name: &str, at: Option<u64>, bytes: u64, checksum: Option<u64>| {
            let hex = checksum.map(|checksum| format!("{checksum:016x}"));
            let at = at.map(|at| at.to_string());
            vec![name.to_owned(), at.unwrap_or_default(), bytes.to_string(), hex.unwrap_or_default()]
        };
        let section =
            |name, part: Section, checksum| row(name, Some(part.position), part.length, Some(checksum));
        let mut rows = vec![
            row("header", Some(0), Header::SIZE as u64, None),
            row("objects", Some(header.page_size.into()), self.object_bytes(), None),
            section("schema", header.schema, header.schema_checksum),
            section("directory", header.directory, header.directory_checksum),
        ];
        if header.relocations.length > 0 {
            rows.push(section("relocations", header.relocations, header.relocations_checksum));
        }
        rows.push(row("padding", None, self.padding(header), None));
        table(out, "", &["section", ">position", ">bytes", "checksum"], &rows)?;

        if !self.objects.is_empty() {
            writeln!(out)?;
            let row = |(entry, ty): &(Entry<'_>, Option<String>)| {
                vec![
                    object(entry.name),
                    ty.clone().unwrap_or_else(|| "?".to_owned()),
                    entry.object.position.to_string(),
                    entry.object.length.to_string(),
                    entry.root.to_string(),
                    entry.align.to_string(),
                    entry.fingerprint.to_string(),
                    format!("{:016x}", entry.checksum),
                ]
            };
            let headings =
                ["object", "type", ">position", ">bytes", ">root", ">align", "fingerprint", "checksum"];
            table(out, "", &headings, &self.objects.iter().map(row).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn json(&self, file: &str, header: &Header) -> Value {
        let part =
            |part: Section| json!({ "position": number(part.position), "length": number(part.length) });
        let section = |section: Section, checksum| {
            let mut value = part(section);
            value["checksum"] = hex(checksum);
            value
        };
        let object = |(entry, ty): &(Entry<'_>, Option<String>)| {
            json!({
                "name": entry.name,
                "type": ty,
                "position": number(entry.object.position),
                "length": number(entry.object.length),
                "root": number(entry.root),
                "align": entry.align,
                "fingerprint": entry.fingerprint.to_string(),
                "checksum": hex(entry.checksum),
                "schema": part(entry.schema),
            })
        };
        json!({
            "file": file,
            "header": {
                "format_version": Header::VERSION,
                "compat": header.compat,
                "payload": payload(header.payload),
                "mode": match header.mode { Mode::Relative => "relative", Mode::Fixed => "fixed" },
                "page_size": header.page_size,
                "length": number(header.length),
                "address": number(header.address),
                "file_offset": number(header.file_offset),
                "generation": number(header.generation),
                "schema": section(header.schema, header.schema_checksum),
                "directory": section(header.directory, header.directory_checksum),
                "relocations": match header.relocations.length {
                    0 => Value::Null,
                    _ => section(header.relocations, header.relocations_checksum),
                },
            },
            "objects": self.objects.iter().map(object).collect::<Vec<_>>(),
            "sizes": {
                "header": Header::SIZE,
                "objects": number(self.object_bytes()),
                "schema": number(header.schema.length),
                "directory": number(header.directory.length),
                "relocations": number(header.relocations.length),
                "padding": number(self.padding(header)),
            },
            "problems": self.problems,
        })
    }
}
