//! How a program fuzzes a type of its own: one whose `CheckBytes` is written by hand.
//!
//! Adopting calls a type's own check on whatever the bytes hold. If that check accepts too much, the program meets values
//! it has ruled out; this is how to find out before someone else does. Here one check is right and one accepts
//! everything, and the same loop tells them apart. Checks its own answer.
//!
//! The loop is for `cargo test`. For hours of it use cargo-fuzz, with a target of these lines:
//!
//! ```ignore
//! #![no_main]
//! use graven::fuzz::Specimen;
//! use libfuzzer_sys::fuzz_target;
//!
//! thread_local! {
//!     static VALID: Specimen<Sales> = Specimen::new(&Sales::sample()).unwrap();
//! }
//! fuzz_target!(|data: &[u8]| {
//!     VALID.with(|valid| {
//!         if let Ok(sales) = valid.adopt(data) {
//!             use_it(&sales);
//!         }
//!     })
//! });
//! ```

use std::panic::catch_unwind;

use graven::fuzz::{Specimen, rounds};
use graven::rkyv::Portable;
use graven::rkyv::bytecheck::CheckBytes;
use graven::rkyv::rancor::{Fallible, Source, fail};
use graven::{Archive, Layout, Serialize};

/// The price for each discount, in percent of the full one. Discounts above 100 have none.
static PRICES: [u8; 101] = {
    let mut prices = [0; 101];
    let mut discount = 0;
    while discount <= 100 {
        prices[discount] = 100 - discount as u8;
        discount += 1;
    }
    prices
};

#[derive(Debug)]
struct TooHigh(u8);

impl std::fmt::Display for TooHigh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a discount of {} percent", self.0)
    }
}

impl std::error::Error for TooHigh {}

/// 0 to `MAX` percent. Its own archived form: one byte.
#[derive(Clone, Copy, Archive, Serialize, Portable, Layout)]
#[rkyv(as = Discount<MAX>)]
#[layout(portable, invariants)]
#[repr(C)]
struct Discount<const MAX: u8>(u8);

// SAFETY: every byte is a valid `u8`; whether it is a discount is checked.
unsafe impl<const MAX: u8, C: Fallible<Error: Source> + ?Sized> CheckBytes<C> for Discount<MAX> {
    unsafe fn check_bytes(value: *const Self, _: &mut C) -> Result<(), C::Error> {
        // SAFETY: `check_bytes` is called with a pointer to as many initialized bytes as the type has.
        let percent = unsafe { value.cast::<u8>().read() };
        if percent > MAX {
            fail!(TooHigh(percent));
        }
        Ok(())
    }
}

/// What the program stores. With `MAX` 100 the check is right; with 255 it accepts everything.
#[derive(Archive, Serialize, Layout)]
struct Sales<const MAX: u8> {
    customer: String,
    discounts: Vec<Discount<MAX>>,
}

/// What the program does with an adopted object: here, it relies on discounts being discounts.
fn use_it<const MAX: u8>(sales: &ArchivedSales<MAX>) -> u32 {
    let prices = sales.discounts.iter().map(|discount| u32::from(PRICES[usize::from(discount.0)]));
    prices.sum::<u32>() + sales.customer.len() as u32
}

/// How many rounds it takes until the use of an adopted object panics, if it ever does.
fn fuzz<const MAX: u8>(count: u32) -> graven::Result<Option<usize>> {
    let discounts = [0, 5, 10, 100].map(Discount::<MAX>).into();
    let specimen = Specimen::new(&Sales { customer: "a customer with a long name".into(), discounts })?;
    let panics = |data: Vec<u8>| {
        specimen
            .adopt(&data)
            .is_ok_and(|sales| catch_unwind(|| std::hint::black_box(use_it(&*sales))).is_err())
    };
    Ok(rounds(1, count).position(panics))
}

fn main() -> graven::Result<()> {
    std::panic::set_hook(Box::new(|_| {})); // panics are counted here
    let found = fuzz::<255>(20_000)?;
    let right = fuzz::<100>(20_000)?;
    println!("a check that accepts everything: found in round {found:?}; a right one: {right:?}");
    assert!(found.is_some() && right.is_none());
    Ok(())
}
