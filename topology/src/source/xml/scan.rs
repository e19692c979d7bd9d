//! From text to tags: what is allowed of XML at all, and where each tag was.
//!
//! Nothing here is recursive. Document types are read over, and refused if they define anything; entities are the
//! five of XML and numbers. What a tag holds is bounded by the text that holds it.

use quick_xml::Reader;
use quick_xml::errors::{Error as ParseError, SyntaxError};
use quick_xml::events::{BytesStart, Event};

use super::error::{LineColumn, XmlError};

/// How deep elements may be nested.
pub(super) const MAX_DEPTH: usize = 512;
/// How many attributes an element may have. hwloc's have up to about twenty.
const MAX_ATTRIBUTES: usize = 64;
/// How many distances a matrix may have, and how many memory values a file.
pub(super) const MAX_VALUES: u64 = 1 << 24;
/// How much of a wrong value an error repeats.
const MAX_QUOTE: usize = 60;

/// A start tag.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    /// Where it starts in the text.
    pub(super) offset: usize,
}

impl Tag {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What comes next. Empty elements are opened and closed.
#[derive(Debug)]
pub(super) enum Item {
    Open(Tag),
    Text(String),
    Close,
    /// The end of the document.
    End,
}

/// Reads tags from a text.
pub(super) struct Scanner<'x> {
    text: &'x str,
    reader: Reader<&'x [u8]>,
    /// The names of the elements that are open.
    open: Vec<String>,
    started: bool,
}

impl<'x> Scanner<'x> {
    pub(super) fn new(text: &'x str) -> Self {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_end_names = true;
        config.allow_unmatched_ends = false;
        Self { text, reader, open: Vec::new(), started: false }
    }

    /// Where `offset` is.
    pub(super) fn place(&self, offset: usize) -> LineColumn {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        LineColumn {
            line: before.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1,
            column: (before.len() - line_start) as u64 + 1,
            element: self.open.last().cloned().unwrap_or_default(),
        }
    }

    /// Where the tag of `offset` is, which may have been closed long ago.
    pub(super) fn place_of(&self, offset: usize) -> LineColumn {
        let rest = self.text.get(offset..).unwrap_or("").trim_start_matches('<');
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).unwrap_or(0);
        LineColumn { element: rest[..end].to_owned(), ..self.place(offset) }
    }

    fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn syntax(&self, offset: usize, message: impl ToString) -> XmlError {
        XmlError::Syntax { at: self.place(offset), message: message.to_string() }
    }

    /// The next tag, or text that is more than white space.
    pub(super) fn next(&mut self) -> Result<Item, XmlError> {
        loop {
            let offset = self.offset();
            let event = self.reader.read_event();
            let event = match event {
                Ok(event) => event,
                Err(ParseError::Syntax(error)) if self.rest_is_open(error) => {
                    return Err(XmlError::Truncated { at: self.place(self.text.len()) });
                }
                Err(error) => {
                    let at = usize::try_from(self.reader.error_position()).unwrap_or(offset);
                    return Err(self.syntax(at, error));
                }
            };
            match event {
                Event::Start(start) => {
                    if self.open.is_empty() && self.started {
                        return Err(self.syntax(offset, "a second outermost element"));
                    }
                    self.started = true;
                    if self.open.len() == MAX_DEPTH {
                        let at = self.place(offset);
                        return Err(XmlError::TooMany {
                            at,
                            what: "elements in each other",
                            limit: MAX_DEPTH as u64,
                        });
                    }
                    self.open.push(start.name().as_ref().to_owned());
                    return Ok(Item::Open(self.tag(&start, offset)?));
                }
                Event::End(_) => {
                    self.open.pop();
                    return Ok(Item::Close);
                }
                Event::Text(text) => {
                    let text = text.into_inner();
                    if text.chars().all(char::is_whitespace) {
                        continue;
                    }
                    if self.open.is_empty() {
                        return Err(self.syntax(offset, "text outside of all elements"));
                    }
                    return Ok(Item::Text(text.into_owned()));
                }
                Event::CData(text) => return Ok(Item::Text(text.into_inner().into_owned())),
                Event::DocType(text) => {
                    if text.into_inner().contains('[') {
                        return Err(XmlError::Dtd { at: self.place(offset) });
                    }
                }
                Event::GeneralRef(reference) => {
                    let known = match reference.resolve_char_ref() {
                        Ok(Some(c)) if is_no_xml(c) => return Err(self.no_xml(offset, c)),
                        Ok(Some(_)) => true,
                        Ok(None) => matches!(&*reference, "amp" | "lt" | "gt" | "quot" | "apos"),
                        Err(_) => false,
                    };
                    if !known || self.open.is_empty() {
                        return Err(XmlError::Entity { at: self.place(offset), name: quote(&reference) });
                    }
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Empty(_) => return Err(self.syntax(offset, "an empty element that was not expanded")),
                Event::Eof => {
                    return match self.open.is_empty() {
                        true if self.started => Ok(Item::End),
                        _ => Err(XmlError::Truncated { at: self.place(self.text.len()) }),
                    };
                }
            }
        }
    }

    /// Refuses what the parser does not ask about: characters that no XML has, wherever they are.
    pub(super) fn check(&self) -> Result<(), XmlError> {
        match self.text.char_indices().find(|&(_, c)| is_no_xml(c)) {
            None => Ok(()),
            Some((at, c)) => Err(self.no_xml(at, c)),
        }
    }

    fn no_xml(&self, offset: usize, c: char) -> XmlError {
        self.syntax(offset, format_args!("U+{:04X} is no character of XML", u32::from(c)))
    }

    /// Whether the parser stopped because the text did.
    fn rest_is_open(&self, error: SyntaxError) -> bool {
        !matches!(error, SyntaxError::InvalidBangMarkup)
    }

    fn tag(&self, start: &BytesStart<'_>, offset: usize) -> Result<Tag, XmlError> {
        let mut tag = Tag { name: start.name().as_ref().to_owned(), attributes: Vec::new(), offset };
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.syntax(offset, error))?;
            let name = attribute.key.as_ref().to_owned();
            if tag.attributes.len() == MAX_ATTRIBUTES {
                let at = self.place(offset);
                return Err(XmlError::TooMany { at, what: "attributes", limit: MAX_ATTRIBUTES as u64 });
            }
            if tag.get(&name).is_some() {
                return Err(XmlError::DuplicateAttribute { at: self.place(offset), attribute: quote(&name) });
            }
            let raw: &str = &attribute.value;
            if raw.contains('<') {
                return Err(self.syntax(offset, format_args!("`<` in attribute {}", quote(&name))));
            }
            let value = quick_xml::escape::unescape(raw).map_err(|error| XmlError::Entity {
                at: self.place(offset),
                name: quote(&error.to_string()),
            })?;
            // By their number.
            if let Some(c) = value.chars().find(|&c| is_no_xml(c)) {
                return Err(self.no_xml(offset, c));
            }
            tag.attributes.push((name, value.into_owned()));
        }
        Ok(tag)
    }

    /// Skips what is left of the element just opened.
    pub(super) fn skip(&mut self) -> Result<(), XmlError> {
        let depth = self.open.len();
        while self.open.len() >= depth {
            self.next()?;
        }
        Ok(())
    }

    /// The text of the element just opened, which must hold nothing else.
    pub(super) fn content(&mut self) -> Result<String, XmlError> {
        let mut content = String::new();
        loop {
            match self.next()? {
                Item::Text(text) => content.push_str(&text),
                Item::Open(tag) => return Err(self.unexpected(&tag)),
                Item::Close | Item::End => return Ok(content),
            }
        }
    }

    /// Closes the element just opened, which must be empty but for text.
    pub(super) fn close(&mut self) -> Result<(), XmlError> {
        self.content().map(drop)
    }

    pub(super) fn unexpected(&self, tag: &Tag) -> XmlError {
        let parent = self.open.len().checked_sub(2).map(|above| self.open[above].clone());
        let at = LineColumn { element: parent.unwrap_or_default(), ..self.place(tag.offset) };
        XmlError::UnexpectedElement { at, found: quote(&tag.name) }
    }

    pub(super) fn missing(&self, tag: &Tag, attribute: &'static str) -> XmlError {
        XmlError::MissingAttribute { at: self.place_of(tag.offset), attribute }
    }

    pub(super) fn value(&self, tag: &Tag, attribute: &str, expected: &'static str) -> XmlError {
        XmlError::Value {
            at: self.place_of(tag.offset),
            attribute: attribute.to_owned(),
            value: quote(tag.get(attribute).unwrap_or("")),
            expected,
        }
    }
}

/// Whether XML has no way to write a character, not even by its number.
///
/// Source: XML 1.0, production 2 (`Char`).
pub(super) fn is_no_xml(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}') || c < ' ' && !matches!(c, '\n' | '\r' | '\t')
}

/// The start of a text.
pub(super) fn quote(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
