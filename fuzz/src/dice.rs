//! Chance that is in the input: what is dear is done with some inputs, and with the same input always.

use graven_format::checksum;

/// A row of throws that the data decides.
pub struct Dice(u64);

impl Dice {
    pub fn of(data: &[u8]) -> Dice {
        Dice(checksum(data))
    }

    /// A number below `sides`.
    pub fn throw(&mut self, sides: u64) -> u64 {
        let thrown = self.0 % sides;
        self.0 /= sides;
        thrown
    }

    /// True for one in so many inputs.
    pub fn one_in(&mut self, sides: u64) -> bool {
        self.throw(sides) == 0
    }
}
