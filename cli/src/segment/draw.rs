//! `graven draw`: a picture of a segment, from its first byte to its last.
//!
//! A bar for each part, to scale, from top to bottom; those that would be too low to carry a label are drawn higher and
//! marked. The same segment gives the same bytes: all numbers are integers, and nothing is asked of the system.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use graven_format::{Header, Section, View};

use crate::Failure;
use crate::names::Names;
use crate::objects::Objects;
use crate::picture::{FONTS, Markup, width};
use crate::text::{count, grouped, object, printable, short, size};
use crate::{source, target};

/// Pixels that the whole segment would have, were all of it to scale.
const HEIGHT: u64 = 720;
/// Pixels of the lowest bar.
const LOWEST: u64 = 20;
/// Objects that are drawn; of more, the middle is one bar.
const OBJECTS: usize = 120;
const FONT: u32 = 12;
/// Where the bars are, and their labels.
const BAR: u64 = 120;
const BAR_WIDTH: u64 = 140;
const LABEL: u64 = BAR + BAR_WIDTH + 12;
/// Where the first bar begins.
const TOP: u64 = 48;

/// Draw a segment as an SVG picture: header, objects, schema, directory and padding, to scale
///
/// Parts too small to carry a label are drawn higher, and marked. In a browser, pointing at a part shows more of
/// it. The picture is replaced atomically. For the topology in a segment there is `graven topology draw`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven draw users.grv -o users.svg
  graven draw users.grv -o - | rsvg-convert > users.png")]
pub struct Draw {
    /// The segment
    pub file: PathBuf,
    /// The picture to write; - is standard output
    #[arg(short, long, value_name = "OUT.svg")]
    pub output: PathBuf,
}

impl Draw {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let bytes = source::described(&self.file)?;
        let picture =
            picture(&self.file.to_string_lossy(), &bytes).map_err(|failure| failure.of_file(&self.file))?;
        target::write(&self.output, picture.as_bytes(), out).map_err(|failure| failure.of_file(&self.file))
    }
}

/// The picture of a segment of any build. Its objects are not looked into.
///
/// Whatever names there are, there is no control character in the picture, and none of them is markup. O(directory and
/// schema).
///
/// # Errors
/// [`Failure::Cause`]: no segment, or damage in directory or schema.
///
/// # Examples
/// ```
/// let failure = graven_cli::segment::draw::picture("some.grv", b"no segment").unwrap_err();
/// assert!(failure.to_string().contains("truncated"));
/// ```
pub fn picture(file: &str, bytes: &[u8]) -> Result<String, Failure> {
    let bars = bars(bytes)?;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(file, bytes.len() as u64, &bars, &mut out);
    Ok(out)
}

/// What a bar stands for.
#[derive(Clone, Copy, PartialEq)]
enum BarKind {
    Header,
    Object,
    Schema,
    Directory,
    Relocations,
    Padding,
    More,
}

impl BarKind {
    /// The class, the colour and the outline.
    fn look(self) -> (&'static str, &'static str, &'static str) {
        match self {
            BarKind::Header => ("header", "#ecebe4", "#77756a"),
            BarKind::Object => ("object", "#bfd8ee", "#5f8db5"),
            BarKind::Schema => ("schema", "#dcedd3", "#7d9c6e"),
            BarKind::Directory => ("directory", "#f6d9cf", "#b77b66"),
            BarKind::Relocations => ("relocations", "#f0e2f3", "#9a7da3"),
            BarKind::Padding => ("padding", "#ffffff", "#bbbbbb"),
            BarKind::More => ("more", "#e1eef8", "#80a8ca"),
        }
    }
}

/// Bytes in a row that are one thing, as they are drawn.
struct Bar {
    kind: BarKind,
    name: String,
    /// What else is said of it, on the label and when it is pointed at.
    note: String,
    tooltip: String,
    position: u64,
    size: u64,
}

/// The bars of a segment in the order of their positions, padding included.
fn bars(bytes: &[u8]) -> Result<Vec<Bar>, Failure> {
    let view = View::inspect(bytes).map_err(Failure::new)?;
    let header = *view.header();
    let plain = |kind: BarKind, name: &str, note: String, section: Section| {
        let (name, tooltip) = (name.to_owned(), String::new());
        Bar { kind, name, note, tooltip, position: section.position, size: section.length }
    };
    let note = format!("version {}, payload {}", Header::VERSION, header.payload);
    let first = Section { position: 0, length: Header::SIZE as u64 };
    let mut bars = vec![plain(BarKind::Header, "header", note, first)];
    let mut objects = Objects::of(bytes)?;
    let len = objects.iter().len();
    let left_out = OBJECTS / 2..if len > OBJECTS { len - OBJECTS / 2 } else { 0 };
    let mut more = None;
    for (i, entry) in objects.iter().enumerate() {
        let entry = entry?;
        if left_out.contains(&i) {
            let more = more.get_or_insert(entry.object);
            more.length =
                more.length.max(entry.object.end().unwrap_or(u64::MAX).saturating_sub(more.position));
            continue;
        }
        if let Some(section) = more.take() {
            let name = format!("{} more objects", grouped(left_out.len() as u64));
            bars.push(plain(BarKind::More, &name, String::new(), section));
        }
        let ty = objects.schema(&entry).map_or("?".to_owned(), |schema| Names::new(&schema).of(0));
        bars.push(Bar {
            kind: BarKind::Object,
            name: short(object(entry.name)),
            tooltip: format!(
                "{}\n{ty}\nroot at {}, alignment {}\nfingerprint {}\nchecksum {:016x}",
                object(entry.name),
                entry.root,
                entry.align,
                entry.fingerprint,
                entry.checksum
            ),
            note: short(ty),
            position: entry.object.position,
            size: entry.object.length,
        });
    }
    let objects = count(len as u64, "object");
    bars.push(plain(BarKind::Schema, "schema", "layouts".to_owned(), header.schema));
    bars.push(plain(BarKind::Directory, "directory", format!("of {objects}"), header.directory));
    if header.relocations.length > 0 {
        bars.push(plain(BarKind::Relocations, "relocations", String::new(), header.relocations));
    }
    // Stable: empty ones stay in order.
    bars.sort_by_key(|bar| bar.position);
    Ok(with_padding(bars, header.length))
}

/// The bars, and those of what is between them and behind them.
fn with_padding(bars: Vec<Bar>, length: u64) -> Vec<Bar> {
    let mut all = Vec::new();
    let mut used = 0;
    let pad = |all: &mut Vec<Bar>, position: u64, end: u64| {
        if end > position {
            let (name, note, tooltip) = ("padding".to_owned(), String::new(), "zeros".to_owned());
            all.push(Bar { kind: BarKind::Padding, name, note, tooltip, position, size: end - position });
        }
    };
    for bar in bars {
        pad(&mut all, used, bar.position);
        used = used.max(bar.position.saturating_add(bar.size));
        all.push(bar);
    }
    pad(&mut all, used, length);
    all
}

impl Bar {
    /// How high it is, and whether that is to scale.
    fn height(&self, length: u64) -> (u64, bool) {
        let exact = (u128::from(self.size) * u128::from(HEIGHT) / u128::from(length.max(1))) as u64;
        (exact.clamp(LOWEST, HEIGHT), (LOWEST..=HEIGHT).contains(&exact))
    }

    /// What stands beside it, less its name.
    fn facts(&self) -> String {
        let note = if self.note.is_empty() { "" } else { &format!("{}, ", self.note) };
        format!("{note}{}", bytes(self.size))
    }

    fn label_width(&self) -> u64 {
        // Names are bold, which is wider.
        u64::from(width(&self.name, FONT) * 6 / 5 + width(&self.facts(), FONT) + 16)
    }

    /// Writes it so that it begins at `y`, in a segment of that length.
    fn write(&self, y: u64, length: u64, out: &mut String) -> fmt::Result {
        let (high, exact) = self.height(length);
        let (class, fill, stroke) = self.kind.look();
        let middle = y + high / 2 + 4;
        let [dashed, grey, bold] = match self.kind {
            BarKind::Padding => [" stroke-dasharray=\"3 3\"", " fill=\"#888888\"", ""],
            _ => ["", "", " font-weight=\"bold\""],
        };
        writeln!(
            out,
            "<g class=\"{class}\"><title>{}</title>",
            Markup(&format!(
                "{}\nposition {}, {}{}{}",
                self.name,
                grouped(self.position),
                bytes(self.size),
                if self.tooltip.is_empty() { "" } else { "\n" },
                self.tooltip
            ))
        )?;
        writeln!(
            out,
            "<rect x=\"{BAR}\" y=\"{y}\" width=\"{BAR_WIDTH}\" height=\"{high}\" fill=\"{fill}\" \
             stroke=\"{stroke}\"{dashed}/>"
        )?;
        write_position(self.position, y, out)?;
        if !exact {
            mark(BAR + BAR_WIDTH - 22, y + high / 2, out)?;
        }
        writeln!(
            out,
            "<text x=\"{LABEL}\" y=\"{middle}\"{grey}><tspan{bold}>{}</tspan>\u{2003}<tspan fill=\"#555555\">{}</tspan>\
             </text></g>",
            Markup(&self.name),
            Markup(&self.facts())
        )
    }
}

/// Writes a position beside where it is.
fn write_position(position: u64, y: u64, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#666666\" font-size=\"10\">{}</text>",
        BAR - 8,
        y + 4,
        grouped(position)
    )
}

fn write(file: &str, length: u64, bars: &[Bar], out: &mut String) -> fmt::Result {
    let objects = bars.iter().filter(|bar| bar.kind == BarKind::Object).count() as u64;
    let left_out = bars.iter().find(|bar| bar.kind == BarKind::More).map(|bar| format!(" and {}", bar.name));
    let title = format!(
        "{}: {}, {}{}",
        short(printable(file)),
        size(length),
        count(objects, "object"),
        left_out.unwrap_or_default()
    );
    let scale = format!("to scale: 100 px are {}", size(length.saturating_mul(100) / HEIGHT));
    let legend = format!("drawn higher than it is; otherwise {scale}");
    let labels = bars.iter().map(Bar::label_width).max().unwrap_or(0);
    let total = (LABEL + labels)
        .max(BAR + 40 + u64::from(width(&legend, FONT)))
        .max(u64::from(width(&title, 15)) + 16)
        + 16;
    let bottom = TOP + bars.iter().map(|bar| bar.height(length).0).sum::<u64>();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"{0}\" viewBox=\"0 0 {total} {0}\" \
         font-family=\"{FONTS}\" font-size=\"{FONT}\">",
        bottom + 56
    )?;
    writeln!(out, "<title>{}</title>", Markup(&title))?;
    writeln!(out, "<rect width=\"{total}\" height=\"{}\" fill=\"#ffffff\"/>", bottom + 56)?;
    writeln!(out, "<text x=\"16\" y=\"26\" font-size=\"15\" font-weight=\"bold\">{}</text>", Markup(&title))?;
    let mut y = TOP;
    for bar in bars {
        bar.write(y, length, out)?;
        y += bar.height(length).0;
    }
    write_position(length, bottom, out)?;
    let line = bottom + 32;
    let all_to_scale = bars.iter().all(|bar| bar.height(length).1);
    let (x, text) = if all_to_scale { (BAR, &scale) } else { (BAR + 24, &legend) };
    if !all_to_scale {
        mark(BAR + 4, line - 4, out)?;
    }
    writeln!(out, "<text x=\"{x}\" y=\"{line}\" fill=\"#444444\">{}</text>", Markup(text))?;
    out.write_str("</svg>\n")
}

/// The mark of a bar that is not to scale: a break.
fn mark(x: u64, y: u64, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "<path class=\"break\" d=\"M{x} {0}l4 -8M{1} {0}l4 -8\" stroke=\"#555555\" fill=\"none\"/>",
        y + 4,
        x + 5
    )
}

/// `8 KiB (8,192 bytes)`
fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => count(bytes, "byte"),
        _ => format!("{} ({} bytes)", size(bytes), grouped(bytes)),
    }
}
