//! Pinned layouts: a change of the bytes becomes a compile error that prints the new fingerprint.
//!
//! Source: SPEC 6.4.

use super::{Depth, Refine, fingerprint_of};

/// Pins the layout of a type: if its archived bytes ever change, this is a compile error that prints the new value.
///
/// For types of your own `#[layout(fingerprint = "…")]` says the same. A generic type has a layout per instantiation,
/// so it is pinned with this macro, where the instantiation is named. Write 32 zeros to learn the first value.
///
/// A fingerprint covers the byte order, the offset width and the alignment of the build ([`crate::Payload`]): a pin
/// holds for one choice of these features.
///
/// # Examples
/// ```
/// # #[cfg(not(any(feature = "big_endian", feature = "unaligned", feature = "pointer_width_16", feature = "pointer_width_64")))]
/// graven_format::pin_layout!(Vec<u32> = "6a818eaa677fd001f9688bfe79c409d1");
/// ```
/// ```compile_fail
/// graven_format::pin_layout!(Vec<u32> = "00000000000000000000000000000000");
/// ```
/// Source: SPEC 6.4.
#[macro_export]
macro_rules! pin_layout {
    ($ty:ty = $fingerprint:literal) => {
        const _: () = $crate::layout::__private::check_pin::<
            <$ty as $crate::layout::__private::rkyv::Archive>::Archived,
        >(::core::stringify!($ty), $fingerprint);
    };
}

/// The check behind a pin, in const evaluation. The error is shown where the pin is.
#[track_caller]
pub const fn check_pin<T: Refine<Depth> + ?Sized>(name: &str, pinned: &str) {
    let now = fingerprint_of::<T>().0;
    if hex(pinned) != now {
        let mut message = Message { bytes: [0; 512], len: 0 };
        message.push("the layout of `");
        message.push(name);
        message.push("` is not the pinned one: its fingerprint is \"");
        message.push_hex(now);
        message.push("\", pinned is \"");
        message.push(pinned);
        message.push("\". If the bytes were meant to change, pin the new value");
        panic!("{}", message.as_str());
    }
}

/// The number of 32 hexadecimal digits.
#[track_caller]
const fn hex(text: &str) -> u128 {
    let text = text.as_bytes();
    assert!(text.len() == 32, "a fingerprint is written as 32 hexadecimal digits");
    let mut number = 0;
    let mut i = 0;
    while i < text.len() {
        let Some(digit) = (text[i] as char).to_digit(16) else {
            panic!("a fingerprint is written as 32 hexadecimal digits");
        };
        number = number << 4 | digit as u128;
        i += 1;
    }
    number
}

/// A text that const evaluation can write. What does not fit is cut off.
struct Message {
    bytes: [u8; 512],
    len: usize,
}

impl Message {
    const fn push(&mut self, text: &str) {
        let text = text.as_bytes();
        let mut i = 0;
        while i < text.len() && self.len < self.bytes.len() {
            // Non-ASCII names are shown with `?`, so that a cut never falls into a character.
            self.bytes[self.len] = if text[i].is_ascii() { text[i] } else { b'?' };
            self.len += 1;
            i += 1;
        }
    }

    const fn push_hex(&mut self, number: u128) {
        let digits = "0123456789abcdef";
        let mut i = 32;
        while i > 0 {
            i -= 1;
            let digit = (number >> (4 * i) & 15) as usize;
            let (_, rest) = digits.split_at(digit);
            self.push(rest.split_at(1).0);
        }
    }

    const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "the layout is not the pinned one",
        }
    }
}
