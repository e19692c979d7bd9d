//! What importer and exporter say to each other: the messages as data.
//!
//! Nothing is trusted of either: what does not fit the table of a message is none.
//!
//! Source: SPEC 18.2.

use graven_format::directory::check_name;

use super::permit::Access;

/// The first bytes of every message but news.
const MAGIC: [u8; 4] = *b"grx1";
const OPEN: u8 = 1;
const FETCH: u8 = 2;
const GIVEN: u8 = 3;
const REFUSED: u8 = 4;

/// What tells that something changed: a message of one byte.
pub(super) const NEWS: [u8; 1] = [1];

/// The bytes of a request before the name.
const REQUEST: usize = 12;
/// The bytes of an answer.
pub(super) const ANSWER: usize = 32;
/// The longest request: a longer message is none.
pub(super) const LONGEST: usize = REQUEST + 255;

/// What an importer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Repeated in the answer.
    pub(super) number: u32,
    pub(super) what: Asked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The first request of a connection: what the name leads to.
    Open { access: Access, name: String },
    /// Each further one: what the same name leads to now.
    Fetch,
}

/// What an exporter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The request's.
    pub(super) number: u32,
    pub(super) what: Answered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// One descriptor comes with the answer.
    Given { kind: Kind, generation: u64, length: u64 },
    /// None does, and the connection ends.
    Refused(Refusal),
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Segment,
    Memory,
}

/// Why nothing is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no such name.
    NoName,
    /// The permit does not let this user.
    Denied,
    /// Importers only read it.
    ReadOnly,
    /// The message was no request.
    Malformed,
    /// The exporter could not open it for the importer.
    Failed,
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (what, access, name) = match &self.what {
            Asked::Open { access: Access::Read, name } => (OPEN, 1, name.as_str()),
            Asked::Open { access: Access::Write, name } => (OPEN, 2, name.as_str()),
            Asked::Fetch => (FETCH, 0, ""),
        };
        let mut bytes = Vec::with_capacity(REQUEST + name.len());
        bytes.extend(MAGIC);
        bytes.extend([what, access, 0, 0]);
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes
    }

    /// The request that a message is.
    pub(super) fn decode(bytes: &[u8]) -> Option<Request> {
        let (head, name) = bytes.split_first_chunk::<REQUEST>()?;
        let name = std::str::from_utf8(name).ok()?;
        let [magic @ .., what, access, 0, 0, n0, n1, n2, n3] = *head else { return None };
        let what = match (what, access) {
            (OPEN, 1 | 2) => {
                check_name(name).ok()?;
                let access = if access == 1 { Access::Read } else { Access::Write };
                Asked::Open { access, name: name.to_owned() }
            }
            (FETCH, 0) if name.is_empty() => Asked::Fetch,
            _ => return None,
        };
        (magic == MAGIC).then_some(Request { number: u32::from_le_bytes([n0, n1, n2, n3]), what })
    }
}

impl Answer {
    pub(super) fn encode(&self) -> [u8; ANSWER] {
        let (what, detail, generation, length) = match self.what {
            Answered::Given { kind, generation, length } => {
                let kind = match kind {
                    Kind::Segment => 1,
                    Kind::Memory => 2,
                };
                (GIVEN, kind, generation, length)
            }
            Answered::Refused(why) => {
                let why = match why {
                    Refusal::NoName => 1,
                    Refusal::Denied => 2,
                    Refusal::ReadOnly => 3,
                    Refusal::Malformed => 4,
                    Refusal::Failed => 5,
                };
                (REFUSED, why, 0, 0)
            }
        };
        let mut bytes = [0; ANSWER];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&[what, detail]);
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&generation.to_le_bytes());
        bytes[24..].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// The answer that a message is.
    pub(super) fn decode(bytes: &[u8]) -> Option<Answer> {
        let bytes: &[u8; ANSWER] = bytes.try_into().ok()?;
        let number = |at: usize| {
            let (number, _) = bytes.get(at..)?.split_first_chunk::<8>()?;
            Some(u64::from_le_bytes(*number))
        };
        let (generation, length) = (number(16)?, number(24)?);
        let kind = || match bytes[5] {
            1 => Some(Kind::Segment),
            2 => Some(Kind::Memory),
            _ => None,
        };
        let refusal = || match bytes[5] {
            1 => Some(Refusal::NoName),
            2 => Some(Refusal::Denied),
            3 => Some(Refusal::ReadOnly),
            4 => Some(Refusal::Malformed),
            5 => Some(Refusal::Failed),
            _ => None,
        };
        let what = match bytes[4] {
            GIVEN if generation > 0 && length > 0 => Answered::Given { kind: kind()?, generation, length },
            REFUSED if (generation, length) == (0, 0) => Answered::Refused(refusal()?),
            _ => return None,
        };
        let zeros = bytes[6..8] == [0; 2] && bytes[12..16] == [0; 4];
        let asked = u32::try_from(number(8)?).ok()?;
        (zeros && bytes[..4] == MAGIC).then_some(Answer { number: asked, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of the tables in the specification. [S18.2] [S18.2a]
    #[test]
    fn messages_have_the_bytes_of_their_tables_and_nothing_else_is_one() {
        let open =
            Request { number: 0x0403_0201, what: Asked::Open { access: Access::Write, name: "né".into() } };
        assert_eq!(open.encode(), b"grx1\x01\x02\0\0\x01\x02\x03\x04n\xc3\xa9");
        let fetch = Request { number: 7, what: Asked::Fetch };
        assert_eq!(fetch.encode(), b"grx1\x02\0\0\0\x07\0\0\0");
        for request in [open, fetch] {
            let bytes = request.encode();
            assert_eq!(Request::decode(&bytes), Some(request));
            // Every byte is fixed, but for the number, the name, and reading for writing.
            for at in (0..6).chain(6..8) {
                for bit in 0..8 {
                    let mut other = bytes.clone();
                    other[at] ^= 1 << bit;
                    let access = at == 5 && matches!(other[5], 1 | 2) && other[4] == OPEN;
                    assert_eq!(Request::decode(&other).is_some(), access, "byte {at}, bit {bit}");
                }
            }
            for cut in 0..REQUEST {
                assert_eq!(Request::decode(&bytes[..cut]), None);
            }
        }
        assert_eq!(Request::decode(b"grx1\x02\0\0\0\x07\0\0\0n"), None, "a name where there is none");
        assert_eq!(Request::decode(b"grx1\x01\x01\0\0\x07\0\0\0\xff"), None, "no UTF-8");
        assert_eq!(Request::decode(b"grx1\x01\x01\0\0\x07\0\0\0a\nb"), None, "no name");
        let long = |length| [&b"grx1\x01\x01\0\0\x07\0\0\0"[..], &vec![b'a'; length]].concat();
        assert!(Request::decode(&long(255)).is_some() && Request::decode(&long(256)).is_none());
        assert_eq!(long(255).len(), LONGEST);

        let given = Answer {
            number: 0x0403_0201,
            what: Answered::Given { kind: Kind::Memory, generation: 0x0a09, length: 5000 },
        };
        let table = b"grx1\x03\x02\0\0\x01\x02\x03\x04\0\0\0\0\x09\x0a\0\0\0\0\0\0\x88\x13\0\0\0\0\0\0";
        assert_eq!(given.encode(), *table);
        let kinds = [Kind::Segment, Kind::Memory];
        let why = [Refusal::NoName, Refusal::Denied, Refusal::ReadOnly, Refusal::Malformed, Refusal::Failed];
        let answers = kinds.map(|kind| Answered::Given { kind, generation: 1, length: u64::MAX });
        for what in answers.into_iter().chain(why.map(Answered::Refused)) {
            let bytes = Answer { number: 9, what }.encode();
            assert_eq!(Answer::decode(&bytes), Some(Answer { number: 9, what }));
            for at in [0, 1, 2, 3, 4, 6, 7, 12, 13, 14, 15] {
                let mut other = bytes;
                other[at] ^= 0x10;
                assert_eq!(Answer::decode(&other), None, "byte {at}");
            }
            let mut other = bytes;
            other[5] = 6;
            assert_eq!(Answer::decode(&other), None);
            assert_eq!(Answer::decode(&bytes[..31]), None);
            assert_eq!(Answer::decode(&[&bytes[..], &[0]].concat()), None);
        }
        let mut none = given.encode();
        none[16..24].fill(0);
        assert_eq!(Answer::decode(&none), None, "generation 0");
        let mut none = given.encode();
        none[24..].fill(0);
        assert_eq!(Answer::decode(&none), None, "no bytes");
    }
}
