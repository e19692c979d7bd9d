//! Types with a derived layout: of every shape, opaque, archived as others, under other names.

use super::*;

#[graven::object]
#[rkyv(derive(Hash, PartialEq, Eq))]
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Color {
    Red = 3,
    Green = 200,
    Blue,
}

const BASE: u8 = 40;

#[graven::object]
#[repr(u8)]
enum Shapes<T> {
    Unit = BASE,
    Tuple(u8, u64, T),
    #[cfg(any())]
    Never(Missing),
    Named {
        r#type: T,
        wide: u128,
        #[cfg(any())]
        never: Missing,
        small: u8,
    } = 250,
}

#[graven::object]
struct Everything<'a, T, const N: usize>
where
    T: Clone + 'a,
{
    small: u8,
    #[cfg(any())]
    never: Missing,
    r#match: [T; N],
    color: Color,
    shape: Shapes<T>,
    raw: r#Raw,
    unit: Unit,
    empty: Empty,
    tuple: Tuple,
    #[rkyv(with = AsOwned)]
    text: std::borrow::Cow<'static, str>,
    life: PhantomData<&'a T>,
}

#[graven::object]
struct r#Raw {
    r#fn: u16,
}
#[graven::object]
pub(crate) struct Unit;
#[graven::object]
pub(crate) struct Empty {}
#[graven::object]
struct Tuple(u8, u64);

#[test]
fn derived_types_are_where_and_what_their_layout_says() {
    let all = |shape| Everything::<u32, 2> {
        small: 1,
        r#match: [2, 3],
        color: Color::Blue,
        shape,
        raw: r#Raw { r#fn: 4 },
        unit: Unit,
        empty: Empty {},
        tuple: Tuple(5, 6),
        text: "seven".into(),
        life: PhantomData,
    };
    let expected = |shape: &str| {
        format!(
            "(small: 1, match: [2, 3], color: Blue, shape: {shape}, raw: (fn: 4), unit: (), empty: (), \
             tuple: (0: 5, 1: 6), text: \"seven\", life: ())"
        )
    };
    reads(all(Shapes::Unit), &expected("Unit"));
    reads(all(Shapes::Tuple(7, 8, 9)), &expected("Tuple(0: 7, 1: 8, 2: 9)"));
    reads(
        all(Shapes::Named { r#type: 7, wide: 8, small: 9 }),
        &expected("Named(type: 7, wide: 8, small: 9)"),
    );
    let tags = |ty: &Type<TypeRef>| match &ty.shape {
        Shape::Enum { variants } => variants.iter().map(|variant| variant.tag).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(tags(ArchivedColor::TYPE), [3, 200, 201]);
    assert_eq!(tags(<ArchivedShapes<Archived<u8>>>::TYPE), [40, 41, 250]);
}

/// Another crate's type, as far as this file knows.
mod foreign {
    use super::*;

    #[derive(Clone, Copy, rkyv::Portable, rkyv::bytecheck::CheckBytes)]
    #[bytecheck(crate = rkyv::bytecheck)]
    #[repr(C)]
    pub(crate) struct Stamp(pub(crate) [u8; 6]);

    impl Archive for Stamp {
        type Archived = Stamp;
        type Resolver = ();
        fn resolve(&self, _: (), out: rkyv::Place<Stamp>) {
            // SAFETY: six bytes without padding.
            unsafe { out.write_unchecked(*self) }
        }
    }
    impl<S: rkyv::rancor::Fallible + ?Sized> Serialize<S> for Stamp {
        fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
            Ok(())
        }
    }
    impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Stamp, D> for Stamp {
        fn deserialize(&self, _: &mut D) -> Result<Stamp, D::Error> {
            Ok(*self)
        }
    }

    pub(crate) struct Remote {
        hidden: u32,
        pub(crate) open: String,
    }
    impl Remote {
        pub(crate) fn new(hidden: u32, open: &str) -> Self {
            Remote { hidden, open: open.into() }
        }
        pub(crate) fn hidden(&self) -> &u32 {
            &self.hidden
        }
    }
}

#[graven::object]
struct Stamped {
    small: u8,
    #[layout(opaque = "stamp/1")]
    at: foreign::Stamp,
    #[layout(allow_usize)]
    count: usize,
}

#[graven::object]
#[layout(opaque = "secret/2")]
struct Secret {
    low: u8,
    high: u32,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(remote = foreign::Remote, archived = RemoteInside)]
#[expect(dead_code, reason = "stands for the remote type, never made")]
struct RemoteProxy {
    #[rkyv(getter = foreign::Remote::hidden)]
    hidden: u32,
    open: String,
}

#[derive(Archive, Serialize, graven::Layout)]
struct HasRemote {
    first: u8,
    #[rkyv(with = RemoteProxy)]
    remote: foreign::Remote,
}

#[test]
fn foreign_and_opaque_types_are_what_their_attributes_say() {
    let stamped = Stamped { small: 1, at: foreign::Stamp([1, 2, 3, 4, 5, 255]), count: 3 };
    reads(stamped, "(small: 1, at: stamp/1 [01, 02, 03, 04, 05, ff], count: 3)");
    let at_3 =
        if Payload::NATIVE.unaligned { "[01, 02, 00, 00, 00]" } else { "[01, 00, 00, 00, 02, 00, 00, 00]" };
    let at_3 = if Payload::NATIVE.big_endian {
        at_3.replace("02, 00, 00, 00", "00, 00, 00, 02")
    } else {
        at_3.into()
    };
    reads(Secret { low: 1, high: 2 }, &format!("secret/2 {at_3}"));
    assert!(ArchivedSecret::TYPE.invariants);
    let remote = HasRemote { first: 1, remote: foreign::Remote::new(2, "three") };
    reads(remote, "(first: 1, remote: (hidden: 2, open: \"three\"))");
    assert_eq!(RemoteInside::TYPE.name, "RemoteProxy");
}

/// Its own archived form.
#[derive(Clone, Copy, Archive, Serialize, rkyv::Portable, rkyv::bytecheck::CheckBytes, graven::Layout)]
#[bytecheck(crate = rkyv::bytecheck)]
#[rkyv(as = Point)]
#[repr(C)]
struct Point {
    x: rend::f32_le,
    y: rend::f32_le,
}

#[derive(Archive, Serialize, rkyv::Portable, graven::Layout)]
#[rkyv(as = Grid<T::Archived>, archive_bounds(T: Archive))]
#[repr(C)]
struct Grid<T> {
    corner: Point,
    left: T,
    right: T,
}

/// A hand-written archived type, and a type that is archived as it.
#[derive(Clone, Copy, rkyv::Portable, graven::Layout)]
#[layout(portable)]
#[repr(u8)]
#[expect(dead_code, reason = "written through `Switch`")]
enum PortableSwitch {
    Off = 1,
    On(u8) = 7,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(as = PortableSwitch)]
#[layout(skip)]
#[repr(u8)]
enum Switch {
    Off = 1,
    On(u8) = 7,
}

/// A generic archived type, and a generic type that is archived as it.
#[derive(rkyv::Portable, graven::Layout)]
#[layout(portable)]
#[repr(C)]
struct PortableTwo<T> {
    one: T,
    two: T,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(as = PortableTwo<T::Archived>, archive_bounds(T: Archive))]
struct Two<T> {
    one: T,
    two: T,
}

/// A hand-written archived type that the type archived as it describes.
#[derive(rkyv::Portable)]
#[repr(C)]
struct Parts {
    a: rkyv::primitive::ArchivedU16,
    b: rkyv::string::ArchivedString,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(as = Parts)]
struct Whole {
    a: u16,
    b: String,
}

#[test]
fn types_archived_as_themselves_or_as_others_are_where_and_what_their_layout_says() {
    let point = Point { x: 1.5.into(), y: rend::f32_le::from_native(-1.0) };
    reads(point, "(x: 1.5, y: -1)");
    reads(Grid { corner: point, left: 3u16, right: 4 }, "(corner: (x: 1.5, y: -1), left: 3, right: 4)");
    reads([Switch::Off, Switch::On(9)], "[Off, On(0: 9)]");
    reads(Two { one: "1".to_string(), two: "2".to_string() }, "(one: \"1\", two: \"2\")");
    reads(Whole { a: 1, b: "two".into() }, "(a: 1, b: \"two\")");
    assert_eq!(Parts::TYPE.name, "Whole");
}

/// Archived forms that rkyv would not have made: the tag has the place of a number, and the tags have another order.
#[derive(rkyv::Portable)]
#[repr(C, u8)]
#[expect(dead_code, reason = "measured, never made")]
enum ArchivedApart {
    Second(u8, rkyv::primitive::ArchivedU32) = 4,
    Third,
    First { a: u8 } = 3,
}

#[derive(graven::Layout)]
#[expect(dead_code, reason = "measured, never made")]
#[repr(u8)]
enum Apart {
    First { a: u8 } = 3,
    Second(u8, u32),
    Third,
}

/// Behind generics, where nothing is measured before it is used. Names of ours that are types of the program's.
#[graven::object]
enum Names<__N, __F0> {
    __V0(__N, __F0, u32),
    Named { found: __Tag0, field0: u8, tag: u16, this: __N },
    Opaque(#[layout(opaque = "tag/1")] u8, __Tag0),
}

#[graven::object]
struct __Tag0(#[layout(opaque = "tag/0")] u8);

#[test]
fn what_is_measured_is_the_archived_type_itself_whoever_wrote_it() {
    let Shape::Enum { variants } = &ArchivedApart::TYPE.shape else { unreachable!() };
    let places = |number: usize| {
        let fields = variants[number].fields.iter().map(|field| field.offset as usize);
        (variants[number].tag, fields.collect::<Vec<_>>())
    };
    // Behind the tag comes the union of the variants, aligned for all of them.
    let start = align_of::<rkyv::primitive::ArchivedU32>();
    assert_eq!(places(0), (3, vec![start]));
    assert_eq!(places(1), (4, vec![start, 2 * start]));
    assert_eq!(places(2), (5, vec![]));
    assert_eq!(Schema::of::<ArchivedApart>().check_sound(), Ok(()));

    let names: Vec<Names<u8, u16>> = vec![
        Names::__V0(1, 2, 3),
        Names::Named { found: __Tag0(4), field0: 5, tag: 6, this: 7 },
        Names::Opaque(8, __Tag0(9)),
    ];
    let expected = "[__V0(0: 1, 1: 2, 2: 3), Named(found: (0: tag/0 [04]), field0: 5, tag: 6, this: 7), \
                    Opaque(0: tag/1 [08], 1: (0: tag/0 [09]))]";
    reads(names, expected);
}

mod elsewhere {
    //! graven and rkyv under other names.
    pub(crate) use ::graven as stone;
    use stone::rkyv::with::InlineAsBox;

    #[stone::object(crate = crate::derived::elsewhere::stone)]
    #[rkyv(attr(derive(Debug)))]
    pub(crate) struct Renamed {
        pub(crate) a: Vec<Renamed>,
        pub(crate) b: u8,
    }

    #[derive(stone::Archive, stone::Serialize, stone::Layout)]
    #[rkyv(crate = stone::rkyv)]
    #[layout(crate = stone)]
    pub(crate) struct AlsoRenamed<'a> {
        #[rkyv(with = InlineAsBox)]
        pub(crate) borrowed: &'a str,
    }
}

#[test]
fn graven_may_have_another_name() {
    let renamed = |a| elsewhere::Renamed { a, b: 1 };
    reads(renamed(vec![renamed(vec![])]), "(a: [(a: [], b: 1)], b: 1)");
    reads(elsewhere::AlsoRenamed { borrowed: "text" }, "(borrowed: \"text\")");
}
