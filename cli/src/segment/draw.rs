//! `graven draw`: a picture of a segment, from its first byte to its last.
//!
//! Parts are drawn to scale, from top to bottom; those that would be too low to carry a label are drawn higher and
//! marked. The same segment gives the same bytes: all numbers are integers, and nothing is asked of the system.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::path::Path;

use graven_format::{Header, Section, View};

use crate::Failure;
use crate::font::width;
use crate::objects::Objects;
use crate::segment::schema::Names;
use crate::target;
use crate::text::{Markup, count, grouped, object, printable, short, size};
use crate::topology::draw::svg::FONTS;

/// Pixels that the whole segment would have, were all of it to scale.
const HEIGHT: u64 = 720;
/// Pixels of the lowest part.
const LOWEST: u64 = 20;
/// Objects that are drawn; of more, the middle is one part.
const OBJECTS: usize = 120;
const FONT: u32 = 12;
/// Where the bars are, and their labels.
const BAR: u64 = 120;
const BAR_WIDTH: u64 = 140;
const LABEL: u64 = BAR + BAR_WIDTH + 12;

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
    let parts = parts(bytes)?;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(file, bytes.len() as u64, &parts, &mut out);
    Ok(out)
}

/// Draws a segment to the file at `path`, which is replaced atomically, or to `out` if that is `-`.
///
/// # Errors
/// As [`picture`]; [`Failure::Cause`]: the file cannot be written. [`Failure::Output`].
pub fn picture_to(file: &str, bytes: &[u8], path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let picture = picture(file, bytes)?;
    if path == Path::new("-") {
        return Ok(out.write_all(picture.as_bytes())?);
    }
    target::replace(path, picture.as_bytes())
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Header,
    Object,
    Schema,
    Directory,
    Relocations,
    Padding,
    More,
}

impl What {
    /// The class, the colour and the outline of its bars.
    fn look(self) -> (&'static str, &'static str, &'static str) {
        match self {
            What::Header => ("header", "#ecebe4", "#77756a"),
            What::Object => ("object", "#bfd8ee", "#5f8db5"),
            What::Schema => ("schema", "#dcedd3", "#7d9c6e"),
            What::Directory => ("directory", "#f6d9cf", "#b77b66"),
            What::Relocations => ("relocations", "#f0e2f3", "#9a7da3"),
            What::Padding => ("padding", "#ffffff", "#bbbbbb"),
            What::More => ("more", "#e1eef8", "#80a8ca"),
        }
    }
}

/// Bytes in a row that are one thing.
struct Part {
    what: What,
    name: String,
    /// What else is said of it, on the label and when it is pointed at.
    note: String,
    tooltip: String,
    position: u64,
    size: u64,
}

/// The parts of a segment in the order of their positions, padding included.
fn parts(bytes: &[u8]) -> Result<Vec<Part>, Failure> {
    let view = View::inspect(bytes).map_err(Failure::new)?;
    let header = *view.header();
    let plain = |what: What, name: &str, note: String, section: Section| {
        let (name, tooltip) = (name.to_owned(), String::new());
        Part { what, name, note, tooltip, position: section.position, size: section.length }
    };
    let note = format!("version {}, payload {}", Header::VERSION, header.payload);
    let first = Section { position: 0, length: Header::SIZE as u64 };
    let mut parts = vec![plain(What::Header, "header", note, first)];
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
            parts.push(plain(What::More, &name, String::new(), section));
        }
        let ty = objects.schema(&entry).map_or("?".to_owned(), |schema| Names::new(&schema).of(0));
        parts.push(Part {
            what: What::Object,
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
    parts.push(plain(What::Schema, "schema", "layouts".to_owned(), header.schema));
    parts.push(plain(What::Directory, "directory", format!("of {objects}"), header.directory));
    if header.relocations.length > 0 {
        parts.push(plain(What::Relocations, "relocations", String::new(), header.relocations));
    }
    // Stable: empty parts stay in order.
    parts.sort_by_key(|part| part.position);

    let padding = |position, size| {
        let (name, note, tooltip) = ("padding".to_owned(), String::new(), "zeros".to_owned());
        Part { what: What::Padding, name, note, tooltip, position, size }
    };
    let mut all = Vec::new();
    let mut used = 0;
    for part in parts {
        if part.position > used {
            all.push(padding(used, part.position - used));
        }
        used = used.max(part.position.saturating_add(part.size));
        all.push(part);
    }
    if header.length > used {
        all.push(padding(used, header.length - used));
    }
    Ok(all)
}

/// How high a part is, and whether that is to scale.
fn height(size: u64, length: u64) -> (u64, bool) {
    let exact = (u128::from(size) * u128::from(HEIGHT) / u128::from(length.max(1))) as u64;
    (exact.clamp(LOWEST, HEIGHT), (LOWEST..=HEIGHT).contains(&exact))
}

fn write(file: &str, length: u64, parts: &[Part], out: &mut String) -> fmt::Result {
    let file = short(printable(file));
    let count = |what| parts.iter().filter(|part| part.what == what).count() as u64;
    let left_out = parts.iter().find(|part| part.what == What::More).map(|part| part.name.as_str());
    let objects = crate::text::count(count(What::Object), "object");
    let more = left_out.map(|more| format!(" and {more}")).unwrap_or_default();
    let title = format!("{file}: {}, {objects}{more}", size(length));
    let scale = format!("otherwise to scale: 100 px are {}", size(length.saturating_mul(100) / HEIGHT));
    let label = |part: &Part| {
        let note = if part.note.is_empty() { String::new() } else { format!("{}, ", part.note) };
        (part.name.clone(), format!("{note}{}", bytes(part.size)))
    };
    let widest = |texts: &mut dyn Iterator<Item = u32>| u64::from(texts.max().unwrap_or(0));
    let labels = widest(&mut parts.iter().map(|part| {
        let (name, note) = label(part);
        // Names are bold, which is wider.
        width(&name, FONT) * 6 / 5 + width(&note, FONT) + 16
    }));
    let legend = "drawn higher than it is; ".to_owned() + &scale;
    let total = (LABEL + labels)
        .max(BAR + 40 + u64::from(width(&legend, FONT)))
        .max(u64::from(width(&title, 15)) + 16)
        + 16;
    let bars: u64 = parts.iter().map(|part| height(part.size, length).0).sum();
    let (top, bottom) = (48, 48 + bars);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"{0}\" viewBox=\"0 0 {total} {0}\" \
         font-family=\"{FONTS}\" font-size=\"{FONT}\">",
        bottom + 56
    )?;
    writeln!(out, "<title>{}</title>", Markup(&title))?;
    writeln!(out, "<rect width=\"{total}\" height=\"{}\" fill=\"#ffffff\"/>", bottom + 56)?;
    writeln!(out, "<text x=\"16\" y=\"26\" font-size=\"15\" font-weight=\"bold\">{}</text>", Markup(&title))?;
    let mut y = top;
    for part in parts {
        let (high, exact) = height(part.size, length);
        let (class, fill, stroke) = part.what.look();
        let (name, note) = label(part);
        let middle = y + high / 2 + 4;
        writeln!(
            out,
            "<g class=\"{class}\"><title>{}</title>",
            Markup(&format!(
                "{}\nposition {}, {}{}{}",
                part.name,
                grouped(part.position),
                bytes(part.size),
                if part.tooltip.is_empty() { "" } else { "\n" },
                part.tooltip
            ))
        )?;
        let dashed = if part.what == What::Padding { " stroke-dasharray=\"3 3\"" } else { "" };
        writeln!(
            out,
            "<rect x=\"{BAR}\" y=\"{y}\" width=\"{BAR_WIDTH}\" height=\"{high}\" fill=\"{fill}\" \
             stroke=\"{stroke}\"{dashed}/>"
        )?;
        writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#666666\" font-size=\"10\">{}</text>",
            BAR - 8,
            y + 4,
            grouped(part.position)
        )?;
        if !exact {
            mark(BAR + BAR_WIDTH - 22, y + high / 2, out)?;
        }
        let grey = if part.what == What::Padding { " fill=\"#888888\"" } else { "" };
        let bold = if part.what == What::Padding { "" } else { " font-weight=\"bold\"" };
        writeln!(
            out,
            "<text x=\"{LABEL}\" y=\"{middle}\"{grey}><tspan{bold}>{}</tspan>\u{2003}<tspan fill=\"#555555\">{}</tspan>\
             </text></g>",
            Markup(&name),
            Markup(&note)
        )?;
        y += high;
    }
    writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#666666\" font-size=\"10\">{}</text>",
        BAR - 8,
        bottom + 4,
        grouped(length)
    )?;
    let line = bottom + 32;
    if parts.iter().any(|part| !height(part.size, length).1) {
        mark(BAR + 4, line - 4, out)?;
        writeln!(out, "<text x=\"{}\" y=\"{line}\" fill=\"#444444\">{}</text>", BAR + 24, Markup(&legend))?;
    } else {
        let scale = scale.trim_start_matches("otherwise ");
        writeln!(out, "<text x=\"{BAR}\" y=\"{line}\" fill=\"#444444\">{}</text>", Markup(scale))?;
    }
    out.write_str("</svg>\n")
}

/// The mark of a part that is not to scale: a break.
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
