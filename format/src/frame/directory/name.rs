//! Names of objects.
//!
//! Source: SPEC 4.4.

use core::fmt;

/// Bytes of the longest name.
const MAX_NAME: usize = 255;

/// An object's name, for messages.
pub(crate) struct Named<'a>(pub(crate) &'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("the root object"),
            name => write!(f, "object {name:?}"),
        }
    }
}

/// Asks whether an object can have this name: at most 255 bytes, none of them part of a control character.
///
/// The empty name is the root's.
///
/// # Errors
/// [`NameError`], which says why not.
///
/// # Examples
/// ```
/// use graven_format::{NameError, directory::check_name};
/// assert_eq!(check_name("Zürich/routes"), Ok(()));
/// assert_eq!(check_name("a\nb"), Err(NameError::Control { offset: 1, character: '\n' }));
/// ```
/// Source: SPEC 4.4.
#[inline]
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong { length: name.len() });
    }
    // Most names are plain ASCII, and each lookup asks.
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    match name.char_indices().find(|(_, character)| character.is_control()) {
        Some((offset, character)) => Err(NameError::Control { offset, character }),
        None => Ok(()),
    }
}

/// Why an object cannot have a name.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// More than 255 bytes: choose a shorter one.
    #[error("name of {length} bytes is too long: at most {MAX_NAME} are allowed")]
    TooLong {
        /// Its bytes.
        length: usize,
    },
    /// A control character (U+0000 to U+001F, U+007F to U+009F): leave it out.
    #[error("name has the control character {character:?} at its byte {offset}: leave it out")]
    Control {
        /// Bytes before it.
        offset: usize,
        /// The character.
        character: char,
    },
}

crate::debug_as_display!(NameError);
