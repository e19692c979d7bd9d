//! Declarations that the derives take as they are: names that generated code has as well, lints, `Self`, numbers that
//! are not archived. No warning comes of any.
#![deny(warnings)]

use std::collections::HashMap;
use std::marker::PhantomData;
use std::net::IpAddr;

use graven::layout::{Layout, Shape};
use graven::rkyv::api::high::HighDeserializer;
use graven::rkyv::rancor::{BoxedError, Fallible};
use graven::rkyv::with::{ArchiveWith, DeserializeWith, Map, SerializeWith, Skip};
use graven::rkyv::{Archived, Place};
use graven::with::ArchivedKeys;
use graven::{Archive, Deserialize, Segment, Serialize, Serializer};

#[graven::object]
struct Tag(u8);
#[graven::object]
struct Discriminant(u8);
#[graven::object]
struct VariantNode(u8);

/// Paths of another form than rkyv's own names; a name of rkyv's that it does not take, as that variant has no fields.
#[graven::object]
#[allow(unused_qualifications)]
enum Html {
    Open(self::Tag),
    Node(crate::VariantNode),
    Other(self::Discriminant),
    Unit,
    OfUnit(VariantUnit),
}
#[graven::object]
struct VariantUnit(u8);

/// In structs the names are free.
#[graven::object]
struct Names {
    tag: Tag,
    discriminant: Discriminant,
    serializer: u8,
    deserializer: u8,
    context: u8,
    value: VariantNode,
}

#[allow(non_camel_case_types)]
#[graven::object]
pub(crate) enum Policy {
    Required,
    Discouraged_DO_NOT_USE { seldom: u8 },
}

#[graven::object]
#[allow(non_camel_case_types, nonstandard_style)]
pub(crate) struct lower_Case {
    pub(crate) camelCase: u8,
}

#[graven::object]
pub(crate) enum Mixed {
    #[allow(non_camel_case_types)]
    By_Variant,
    ByField {
        #[allow(non_snake_case)]
        camelCase: u8,
    },
}

#[graven::object]
#[allow(clippy::large_enum_variant)]
pub(crate) enum Large {
    Small(u8),
    Large([u64; 64]),
}

#[graven::object]
pub(crate) struct Old {
    #[deprecated]
    pub(crate) a: u8,
    #[deprecated(note = "long ago")]
    pub(crate) b: Vec<String>,
    pub(crate) c: u8,
}

#[allow(deprecated)]
mod old {
    #[graven::object]
    #[deprecated]
    #[allow(deprecated)]
    pub(crate) struct Type(pub(crate) u8);

    #[graven::object]
    #[allow(deprecated)]
    pub(crate) enum Variant {
        Now,
        #[deprecated]
        Then(#[deprecated] u8),
    }
}

#[graven::object]
struct Buffer {
    data: [u8; Self::LENGTH],
    pairs: [Pair<{ Buffer::LENGTH }>; Self::LENGTH / 4],
}
#[graven::object]
struct Pair<const N: usize>([u8; N]);

impl Buffer {
    const LENGTH: usize = 8;
}

/// A wrapper of the program's own, which says what the field is archived as.
struct AsU64;
impl ArchiveWith<usize> for AsU64 {
    type Archived = Archived<u64>;
    type Resolver = ();
    fn resolve_with(field: &usize, (): (), out: Place<Self::Archived>) {
        Archive::resolve(&(*field as u64), (), out);
    }
}
impl<S: Fallible + ?Sized> SerializeWith<usize, S> for AsU64 {
    fn serialize_with(_: &usize, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}
impl<D: Fallible + ?Sized> DeserializeWith<Archived<u64>, usize, D> for AsU64 {
    fn deserialize_with(field: &Archived<u64>, _: &mut D) -> Result<usize, D::Error> {
        Ok(field.to_native() as usize)
    }
}

#[graven::object]
struct Cached {
    id: u64,
    #[rkyv(with = Skip)]
    slot: Option<usize>,
    #[rkyv(with = AsU64)]
    count: usize,
    #[rkyv(with = Map<AsU64>)]
    counts: Vec<usize>,
}

/// What is not there is not refused.
#[graven::object]
struct Configured {
    #[cfg(any())]
    absent: (usize, Missing),
    #[cfg_attr(all(), rkyv(with = Skip))]
    skipped: usize,
    /// Neither wrapper is said twice, whichever there is.
    #[cfg_attr(all(), rkyv(with = Skip))]
    index: HashMap<IpAddr, u8>,
    #[cfg_attr(all(), rkyv(with = ArchivedKeys))]
    keyed: HashMap<IpAddr, u8>,
    #[cfg_attr(all(), doc = "Written by its archived keys all the same.")]
    documented: HashMap<IpAddr, u8>,
    #[cfg_attr(any(), rkyv(with = Skip))]
    plain: HashMap<u32, u8>,
    present: u8,
}

/// There are no keys in a marker.
#[derive(Archive, Serialize, Deserialize, graven::Layout)]
struct Marked {
    marker: PhantomData<HashMap<IpAddr, u8>>,
    value: u8,
}

/// Types that are private, in fields of types that are not; and in a circle.
pub mod visible {
    #![allow(missing_docs)]

    #[graven::object]
    #[derive(Debug, PartialEq)]
    #[rkyv(derive(Debug, PartialEq), compare(PartialEq))]
    struct Private(u8);

    #[graven::object]
    #[derive(Debug, PartialEq)]
    pub struct Public<T> {
        private: Vec<Private>,
        circle: Option<Box<Circle>>,
        pub value: T,
    }

    #[graven::object]
    #[derive(Debug, PartialEq)]
    pub struct Circle {
        back: Vec<Public<u8>>,
        private: Private,
    }

    impl Public<u8> {
        pub fn new(value: u8) -> Self {
            let circle = Circle { back: vec![], private: Private(value) };
            Public { private: vec![Private(value)], circle: Some(Box::new(circle)), value }
        }
    }
}

const FIRST: isize = 3;

#[graven::object]
#[repr(u16)]
enum Tags {
    First = FIRST as _,
    Second = 1 << 2,
    Last = 254,
    Behind,
}

#[graven::object]
#[rustfmt::skip]
#[derive(Clone, Copy, Debug, PartialEq)]
enum Many {
    V0, V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14, V15, V16, V17, V18, V19, V20, V21, V22,
    V23, V24, V25, V26, V27, V28, V29, V30, V31, V32, V33, V34, V35, V36, V37, V38, V39, V40, V41, V42, V43,
    V44, V45, V46, V47, V48, V49, V50, V51, V52, V53, V54, V55, V56, V57, V58, V59, V60, V61, V62, V63, V64,
    V65, V66, V67, V68, V69, V70, V71, V72, V73, V74, V75, V76, V77, V78, V79, V80, V81, V82, V83, V84, V85,
    V86, V87, V88, V89, V90, V91, V92, V93, V94, V95, V96, V97, V98, V99, V100, V101, V102, V103, V104,
    V105, V106, V107, V108, V109, V110, V111, V112, V113, V114, V115, V116, V117, V118, V119, V120, V121,
    V122, V123, V124, V125, V126, V127, V128, V129, V130, V131, V132, V133, V134, V135, V136, V137, V138,
    V139, V140, V141, V142, V143, V144, V145, V146, V147, V148, V149, V150, V151, V152, V153, V154, V155,
    V156, V157, V158, V159, V160, V161, V162, V163, V164, V165, V166, V167, V168, V169, V170, V171, V172,
    V173, V174, V175, V176, V177, V178, V179, V180, V181, V182, V183, V184, V185, V186, V187, V188, V189,
    V190, V191, V192, V193, V194, V195, V196, V197, V198, V199, V200, V201, V202, V203, V204, V205, V206,
    V207, V208, V209, V210, V211, V212, V213, V214, V215, V216, V217, V218, V219, V220, V221, V222, V223,
    V224, V225, V226, V227, V228, V229, V230, V231, V232, V233, V234, V235, V236, V237, V238, V239, V240,
    V241, V242, V243, V244, V245, V246, V247, V248, V249, V250, V251, V252, V253, V254, V255,
}

/// Writes it, and hands what is read again to `check`.
fn through<T>(value: &T) -> T
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    T::Archived: Deserialize<T, HighDeserializer<BoxedError>>,
{
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("declared.grv");
    graven::write(&path, value).unwrap();
    Segment::read(&path).unwrap().root::<T>().unwrap().deserialize().unwrap()
}

#[test]
fn names_that_generated_code_has_as_well_are_the_programs() {
    let all = vec![
        Html::Open(Tag(1)),
        Html::Node(VariantNode(2)),
        Html::Other(Discriminant(3)),
        Html::Unit,
        Html::OfUnit(VariantUnit(4)),
    ];
    let all = through(&all);
    assert!(matches!(
        &all[..],
        [
            Html::Open(Tag(1)),
            Html::Node(VariantNode(2)),
            Html::Other(Discriminant(3)),
            Html::Unit,
            Html::OfUnit(VariantUnit(4)),
        ]
    ));
    let (tag, discriminant, value) = (Tag(1), Discriminant(2), VariantNode(3));
    let names = Names { tag, discriminant, serializer: 4, deserializer: 5, context: 6, value };
    let Names { tag, discriminant, serializer, deserializer, context, value } = through(&names);
    assert_eq!((tag.0, discriminant.0, value.0), (1, 2, 3));
    assert_eq!((serializer, deserializer, context), (4, 5, 6));
}

#[test]
fn what_lints_are_told_of_a_type_reaches_what_is_generated() {
    // That this file compiles is the test.
    assert!(matches!(through(&Policy::Required), Policy::Required));
    let policy = Policy::Discouraged_DO_NOT_USE { seldom: 1 };
    assert!(matches!(through(&policy), Policy::Discouraged_DO_NOT_USE { seldom: 1 }));
    assert_eq!(through(&lower_Case { camelCase: 2 }).camelCase, 2);
    let mixed = [Mixed::By_Variant, Mixed::ByField { camelCase: 3 }];
    assert!(matches!(through(&mixed), [Mixed::By_Variant, Mixed::ByField { camelCase: 3 }]));
    assert!(matches!(through(&Large::Small(4)), Large::Small(4)));
    assert!(matches!(through(&Large::Large([5; 64])), Large::Large(numbers) if numbers == [5; 64]));
}

#[test]
#[allow(deprecated)]
fn what_is_deprecated_is_archived_all_the_same() {
    let old = through(&Old { a: 1, b: vec!["2".into()], c: 3 });
    assert_eq!((old.a, old.b, old.c), (1, vec!["2".to_string()], 3));
    assert_eq!(through(&old::Type(4)).0, 4);
    assert!(matches!(through(&old::Variant::Then(5)), old::Variant::Then(5)));
    assert!(matches!(through(&old::Variant::Now), old::Variant::Now));
}

#[test]
fn an_array_may_be_as_long_as_a_constant_of_the_type_says() {
    let buffer = through(&Buffer { data: [1; 8], pairs: [Pair([2; 8]), Pair([3; 8])] });
    assert_eq!((buffer.data, buffer.pairs[1].0), ([1; 8], [3; 8]));
}

#[test]
fn a_usize_may_be_archived_as_something_else() {
    let cached = Cached { id: 1, slot: Some(2), count: 1 << 40, counts: vec![usize::MAX] };
    let Cached { id, slot, count, counts } = through(&cached);
    assert_eq!((id, slot, count, counts), (1, None, 1 << 40, vec![usize::MAX]));
}

#[test]
fn what_the_configuration_leaves_out_is_not_looked_at() {
    let map = || HashMap::from([(IpAddr::from([127, 0, 0, 1]), 3)]);
    let configured = Configured {
        skipped: 1,
        index: map(),
        keyed: map(),
        documented: map(),
        plain: HashMap::from([(1, 2)]),
        present: 2,
    };
    let Configured { skipped, index, keyed, documented, plain, present } = through(&configured);
    assert_eq!((skipped, present), (0, 2));
    assert!(index.is_empty());
    assert_eq!((keyed, documented, plain), (map(), map(), configured.plain));
}

#[test]
fn maps_in_markers_are_not_looked_at() {
    assert_eq!(through(&Marked { marker: PhantomData, value: 3 }).value, 3);
}

#[test]
fn private_types_may_be_fields_of_public_ones_and_lead_back_to_them() {
    let public = visible::Public::new(7);
    assert_eq!(through(&public), public);
}

#[test]
fn every_tag_that_fits_a_byte_is_taken() {
    let Shape::Enum { variants } = &ArchivedTags::TYPE.shape else { unreachable!() };
    assert_eq!(variants.iter().map(|variant| variant.tag).collect::<Vec<_>>(), [3, 4, 254, 255]);
    assert!(matches!(through(&[Tags::First, Tags::Behind]), [Tags::First, Tags::Behind]));
    assert!(matches!(through(&[Tags::Second, Tags::Last]), [Tags::Second, Tags::Last]));

    let Shape::Enum { variants } = &ArchivedMany::TYPE.shape else { unreachable!() };
    assert!(variants.iter().map(|variant| variant.tag).eq(0..=255));
    assert_eq!(through(&[Many::V0, Many::V128, Many::V255]), [Many::V0, Many::V128, Many::V255]);
}
