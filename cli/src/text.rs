//! Texts for people: sizes, tables, JSON, and texts from files made harmless for terminals.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use graven_format::Payload;
use serde_json::{Value, json};

/// Characters of a name or label from a file that are shown.
const SHOWN: usize = 64;

/// The text with all characters escaped that do not print: a file cannot drive the terminal that shows it.
pub(crate) fn printable(text: &str) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| {
        pieces(text, is_printable).try_for_each(|(piece, hidden)| {
            f.write_str(piece)?;
            hidden.map_or(Ok(()), |c| write!(f, "{}", c.escape_debug()))
        })
    })
}

/// The text in pieces of characters that are shown, each with the one after it that is not.
fn pieces(text: &str, shown: impl Fn(char) -> bool) -> impl Iterator<Item = (&str, Option<char>)> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let text = left.take()?;
        let Some((at, hidden)) = text.char_indices().find(|&(_, c)| !shown(c)) else {
            return Some((text, None));
        };
        left = Some(&text[at + hidden.len_utf8()..]);
        Some((&text[..at], Some(hidden)))
    })
}

/// Whether a character is shown as it is: controls, line ends and what turns or joins text are not.
pub(crate) fn is_printable(character: char) -> bool {
    (' '..='~').contains(&character) || character.escape_debug().len() == 1
}

/// A name or label of up to 64 characters, in quotes unless it is plain.
pub(crate) fn label(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:#<>, ()[];&'…".contains(c);
    let shown = short(name);
    if !shown.is_empty() && shown.chars().all(plain) { shown } else { format!("{shown:?}") }
}

/// An object's name.
pub(crate) fn object(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:".contains(c);
    match name {
        "" => "(root)".to_owned(),
        // The directory limits names to 255 bytes.
        name if name.chars().all(plain) => name.to_owned(),
        name => format!("{name:?}"),
    }
}

/// The first 64 characters of what `text` displays as, without producing the rest.
pub(crate) fn short(text: impl fmt::Display) -> String {
    struct Limited(String, usize);
    impl fmt::Write for Limited {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for character in text.chars() {
                if self.1 == SHOWN {
                    self.0.push('…');
                    return Err(fmt::Error);
                }
                self.0.push(character);
                self.1 += 1;
            }
            Ok(())
        }
    }
    let mut limited = Limited(String::new(), 0);
    // The error says that there is more, and so does the text.
    let _ = write!(limited, "{text}");
    limited.0
}

/// `8 KiB`, `1.5 GiB`, `120 bytes`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = bytes.max(1).ilog2() / 10;
    match unit {
        0 => count(bytes, "byte"),
        unit => {
            let (name, one) = (UNITS[unit as usize - 1], 1u64 << (10 * unit));
            if bytes.is_multiple_of(one) {
                format!("{} {name}", bytes / one)
            } else {
                format!("{:.1} {name}", bytes as f64 / one as f64)
            }
        }
    }
}

/// `9,993`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 object`, `2 objects`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Prints rows in columns, indented; columns whose heading starts with `>` are aligned to the right.
pub(crate) fn table(
    out: &mut dyn Write,
    indent: &str,
    headings: &[&str],
    rows: &[Vec<String>],
) -> io::Result<()> {
    let right: Vec<bool> = headings.iter().map(|heading| heading.starts_with('>')).collect();
    let headings: Vec<String> =
        headings.iter().map(|heading| heading.trim_start_matches('>').to_owned()).collect();
    let all = || std::iter::once(&headings).chain(rows);
    let widths: Vec<usize> = (0..headings.len())
        .map(|column| all().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in all() {
        let mut line = indent.to_owned();
        for ((cell, &width), &right) in row.iter().zip(&widths).zip(&right) {
            let gap = " ".repeat(width - cell.chars().count());
            let (before, after) = if right { (gap.as_str(), "") } else { ("", gap.as_str()) };
            line.extend([before, cell, after, "  "]);
        }
        if !line.trim().is_empty() {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Prints JSON, with characters that do not print as `\u` escapes, which mean the same.
pub(crate) fn json(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer_pretty(HarmlessJson(out), value)?;
    writeln!(out)
}

/// The same on one line.
pub(crate) fn json_line(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer(HarmlessJson(out), value)?;
    writeln!(out)
}

/// Passes JSON on, with escapes in place of characters that do not print.
pub(crate) struct HarmlessJson<'a>(pub(crate) &'a mut dyn Write);

impl Write for HarmlessJson<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Anything but ASCII is inside a string.
        let shown = |c: char| c == '\n' || (' '..='~').contains(&c) || c.is_alphanumeric();
        write_escaped(self.0, bytes, shown, |out, character| {
            let mut units = [0; 2];
            character.encode_utf16(&mut units).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Passes XML on, with references in place of characters that do not print.
pub(crate) struct HarmlessXml<'a> {
    pub(crate) out: &'a mut dyn Write,
    /// Why `out` could not be written: who writes XML may not keep it.
    pub(crate) failed: Option<io::Error>,
}

impl Write for HarmlessXml<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shown = |c| c == '\n' || is_printable(c);
        let written = write_escaped(self.out, bytes, shown, |out, c| write!(out, "&#{};", u32::from(c)));
        written.map_err(|error| {
            self.failed = Some(error);
            io::ErrorKind::Other.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes text, with escapes in place of characters that are not shown. What is written in pieces has to be text in each.
fn write_escaped(
    out: &mut dyn Write,
    bytes: &[u8],
    shown: impl Fn(char) -> bool,
    escape: impl Fn(&mut dyn Write, char) -> io::Result<()>,
) -> io::Result<usize> {
    let text = str::from_utf8(bytes).map_err(io::Error::other)?;
    for (piece, hidden) in pieces(text, shown) {
        out.write_all(piece.as_bytes())?;
        hidden.map_or(Ok(()), |character| escape(out, character))?;
    }
    Ok(bytes.len())
}

/// A number for JSON: as a string where a double could not hold it.
pub(crate) fn number(value: u64) -> Value {
    if value < 1 << 53 { value.into() } else { value.to_string().into() }
}

/// A checksum for JSON.
pub(crate) fn hex(value: u64) -> Value {
    format!("{value:016x}").into()
}

/// Payload traits for JSON.
pub(crate) fn payload(payload: Payload) -> Value {
    json!({
        "endian": if payload.big_endian { "big" } else { "little" },
        "offset_width": payload.offset_width,
        "aligned": !payload.unaligned,
        "native": payload == Payload::NATIVE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_where_they_are_round_and_have_one_decimal_elsewhere() {
        let sizes = [0, 1, 120, 1024, 8192, 1536, 3 << 30, u64::MAX].map(size);
        let expected = ["0 bytes", "1 byte", "120 bytes", "1 KiB", "8 KiB", "1.5 KiB", "3 GiB", "16.0 EiB"];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn nothing_that_moves_the_cursor_or_turns_the_text_gets_through() {
        let hostile = "a\x1b[2J\u{9b}31m\u{202e}\r\n\u{7f}\"\\ü";
        assert_eq!(printable(hostile).to_string(), r#"a\u{1b}[2J\u{9b}31m\u{202e}\r\n\u{7f}"\ü"#);
        for text in [label(hostile), object(hostile)] {
            assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text}");
        }
        let mut printed = Vec::new();
        json(&mut printed, &Value::from(hostile)).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.trim_end().chars().all(|c| !c.is_control() && c != '\u{202e}'), "{printed}");
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), hostile);
    }

    #[test]
    fn long_texts_are_cut_before_they_are_made() {
        let endless = fmt::from_fn(|f| {
            loop {
                f.write_str("ab")?;
            }
        });
        assert_eq!(short(endless), format!("{}…", "ab".repeat(32)));
    }

    #[test]
    fn digits_are_grouped_by_three() {
        let texts = [0, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn numbers_beyond_a_double_are_strings_in_json() {
        assert_eq!(number((1 << 53) - 1), Value::from(9007199254740991u64));
        assert_eq!(number(u64::MAX), Value::from("18446744073709551615"));
    }
}
