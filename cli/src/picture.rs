//! What pictures share: fonts, how wide texts are without one at hand, and texts as markup.

use std::fmt::{self, Write as _};

use crate::text::printable;

/// Fonts that are there, in the end any without serifs.
pub(crate) const FONTS: &str = "Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";

/// The letters' widths in thousandths of the font's size: those of DejaVu Sans, from space to tilde.
///
/// It is the widest of the fonts that browsers take for `sans-serif`, so texts fit in others too.
#[rustfmt::skip]
const WIDTHS: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337,
    636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
    1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787,
    603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
    500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612,
    635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];

/// Width of a text of this font size, rounded up.
pub(crate) fn width(text: &str, size: u32) -> u32 {
    let thousandths = text.chars().fold(0u32, |sum, character| {
        let index = (character as usize).wrapping_sub(' ' as usize);
        sum.saturating_add(WIDTHS.get(index).map_or(1000, |&width| width.into()))
    });
    thousandths.saturating_mul(size).div_ceil(1000)
}

/// Text between the tags of a picture: neither markup nor control characters but line ends.
pub(crate) struct Markup<'a>(pub(crate) &'a str);

impl fmt::Display for Markup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, line) in self.0.split('\n').enumerate() {
            if number > 0 {
                f.write_char('\n')?;
            }
            for character in printable(line).to_string().chars() {
                match character {
                    '&' => f.write_str("&amp;")?,
                    '<' => f.write_str("&lt;")?,
                    '>' => f.write_str("&gt;")?,
                    '"' => f.write_str("&quot;")?,
                    // XML has no place for these.
                    '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                    _ => f.write_char(character)?,
                }
            }
        }
        Ok(())
    }
}
