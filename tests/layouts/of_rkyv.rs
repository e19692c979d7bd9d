//! The types that rkyv archives, one family a test.

use super::derived::Color;
use super::*;

#[test]
fn numbers_are_where_and_what_their_layout_says() {
    reads(0xfeu8, "254");
    reads(-2i8, "-2");
    reads(0xfedcu16, "65244");
    reads(-1234i16, "-1234");
    reads(0xfedc_ba98u32, "4275878552");
    reads(i32::MIN, "-2147483648");
    reads(u64::MAX - 1, "18446744073709551614");
    reads(-1i64, "-1");
    reads(u128::MAX, "340282366920938463463374607431768211455");
    reads(i128::MIN, "-170141183460469231731687303715884105728");
    reads(1.5f32, "1.5");
    reads(-2.25f64, "-2.25");
    reads('ü', "ü");
    reads(true, "true");
    reads(NonZeroU8::MAX, "255");
    reads(NonZeroI8::MIN, "-128");
    reads(NonZeroU16::MAX, "65535");
    reads(NonZeroI16::MIN, "-32768");
    reads(NonZeroU32::MAX, "4294967295");
    reads(NonZeroI32::MIN, "-2147483648");
    reads(NonZeroU64::MAX, "18446744073709551615");
    reads(NonZeroI64::MIN, "-9223372036854775808");
    reads(NonZeroU128::MIN, "1");
    reads(NonZeroI128::MAX, "170141183460469231731687303715884105727");
    // Cut to the offset width by rkyv; small values are the same.
    reads(1000usize, "1000");
    reads(-1000isize, "-1000");
    reads(NonZeroUsize::MIN, "1");
    reads(NonZeroIsize::new(-5).unwrap(), "-5");
}

#[test]
fn numbers_that_name_their_byte_order_keep_it_in_every_build() {
    reads(rend::u32_be::from_native(0x0102_0304), "16909060");
    reads(rend::u32_le::from_native(0x0102_0304), "16909060");
    reads(rend::i16_be::from_native(-2), "-2");
    reads(rend::f64_be::from_native(0.5), "0.5");
    reads(rend::char_be::from_native('x'), "x");
    reads(rend::NonZeroI64_be::new(-3).unwrap(), "-3");
    let order = |ty: &Type<TypeRef>| matches!(ty.shape, Shape::Number { big_endian: true, .. });
    assert!(order(rend::unaligned::u128_ube::TYPE) && !order(rend::unaligned::u128_ule::TYPE));
    assert_eq!(rend::unaligned::u128_ube::TYPE.align, 1);
    assert_eq!(rend::unaligned::NonZeroU16_ule::TYPE.size, 2);
}

#[test]
fn containers_are_where_and_what_their_layout_says() {
    reads(vec![1u32, 2, 3], "[1, 2, 3]");
    reads(Vec::<u64>::new(), "[]");
    reads(
        vec![vec![String::from("a"), "b".repeat(100)], vec![]],
        &format!("[[\"a\", \"{}\"], []]", "b".repeat(100)),
    );
    reads(VecDeque::from([1u16, 2]), "[1, 2]");
    reads([[1u8, 2], [3, 4]], "[[1, 2], [3, 4]]");
    reads([(); 3], "[(), (), ()]");
    for len in [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 63, 64, 65, 300, 5_000] {
        let text: String = "añ€𝄞b".chars().cycle().take(len).collect();
        reads(text.clone(), &format!("{text:?}"));
    }
    reads(CString::new("c string").unwrap(), "\"c string\"");
    reads(vec![CString::default()], "[\"\"]");
}

#[test]
fn structs_and_enums_of_rkyv_are_where_and_what_their_layout_says() {
    reads((), "()");
    reads(PhantomData::<String>, "()");
    reads(PhantomPinned, "()");
    reads(ManuallyDrop::new(5u16), "5");
    reads((1u8,), "(0: 1)");
    reads((1u8, 2u64, 3u16), "(0: 1, 1: 2, 2: 3)");
    reads(
        (1u8, 2u16, 3u8, 4u32, 5u8, 6u64, 7u8, String::from("8"), 9u8, 10u128, 11u8, 12u16, 13u8),
        "(0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: \"8\", 8: 9, 9: 10, 10: 11, 11: 12, 12: 13)",
    );
    reads((Some(1u64), None::<u64>, Some(())), "(0: Some(0: 1), 1: None, 2: Some(0: ()))");
    reads(Some(Some(String::from("deep"))), "Some(0: Some(0: \"deep\"))");
    reads((Ok::<u8, u64>(1), Err::<u8, u64>(2)), "(0: Ok(0: 1), 1: Err(0: 2))");
    reads(
        [Bound::Included(1u32), Bound::Excluded(2), Bound::Unbounded],
        "[Included(0: 1), Excluded(0: 2), Unbounded]",
    );
    reads(Range { start: 1u8, end: 2 }, "(start: 1, end: 2)");
    reads(RangeInclusive::new(1u64, 2), "(start: 1, end: 2)");
    reads(RangeFrom { start: 1u8 }, "(start: 1)");
    reads(RangeTo { end: 1u16 }, "(end: 1)");
    reads(RangeToInclusive { end: 1u16 }, "(end: 1)");
    reads(RangeFull, "()");
    reads(Duration::new(u64::MAX, 999_999_999), "18446744073709551615.999999999s");
    reads((1u8, Duration::from_millis(1500)), "(0: 1, 1: 1.500000000s)");
    reads(uuid::Uuid::from_u128(1), "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]");
}

#[test]
fn addresses_are_where_and_what_their_layout_says() {
    let (v4, v6) = (Ipv4Addr::new(1, 2, 3, 4), Ipv6Addr::from_bits(5));
    let octets = "(octets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5])";
    reads(v4, "(octets: [1, 2, 3, 4])");
    reads(v6, octets);
    reads(IpAddr::V4(v4), "V4(0: (octets: [1, 2, 3, 4]))");
    reads(IpAddr::V6(v6), &format!("V6(0: {octets})"));
    let socket = SocketAddrV4::new(v4, 80);
    reads(socket, "(ip: (octets: [1, 2, 3, 4]), port: 80)");
    reads(SocketAddr::V4(socket), "V4(0: (ip: (octets: [1, 2, 3, 4]), port: 80))");
    let socket = SocketAddrV6::new(v6, 81, 82, 83);
    let expected = format!("(ip: {octets}, port: 81, flowinfo: 82, scope_id: 83)");
    reads(socket, &expected);
    reads(SocketAddr::V6(socket), &format!("V6(0: {expected})"));
}

#[test]
fn pointers_are_where_and_what_their_layout_says() {
    reads(Box::new(1u64), "1");
    reads(Box::<str>::from("boxed"), "\"boxed\"");
    reads(Box::<[u16]>::from([1, 2]), "[1, 2]");
    reads(Some(Box::new(Some(Box::new(1u8)))), "Some(0: Some(0: 1))");
    let shared = Rc::new(String::from("a shared string"));
    reads(
        (shared.clone(), shared.clone(), Rc::downgrade(&shared), Weak::<String>::new()),
        "(0: \"a shared string\", 1: \"a shared string\", 2: \"a shared string\", 3: gone)",
    );
    reads(Arc::<[u32]>::from([1, 2]), "[1, 2]");
    let shared = Arc::<str>::from("arc");
    reads((shared.clone(), shared), "(0: \"arc\", 1: \"arc\")");
}

#[test]
fn maps_are_where_and_what_their_layout_says() {
    for len in [0u32, 1, 2, 5, 6, 7, 13, 14, 15, 16, 17, 35, 36, 100, 1000] {
        let pairs = |sorted: bool| {
            let mut pairs: Vec<String> = (0..len).map(|i| format!("{}: {i}", 3 * i)).collect();
            if sorted {
                pairs.sort();
            }
            format!("{{{}}}", pairs.join(", "))
        };
        let units = |sorted: bool| {
            let mut units: Vec<String> = (0..len).map(|i| format!("{i}: ()")).collect();
            if sorted {
                units.sort();
            }
            format!("{{{}}}", units.join(", "))
        };
        reads((0..len).map(|i| (3 * i as u64, i as u16)).collect::<HashMap<_, _>>(), &pairs(true));
        reads((0..len).collect::<HashSet<_>>(), &units(true));
        reads((0..len).map(|i| (3 * i as u16, i as u64)).collect::<IndexMap<_, _>>(), &pairs(false));
        reads((0..len).collect::<IndexSet<_>>(), &units(false));
        reads((0..len).map(|i| (3 * i as u64, i as u16)).collect::<BTreeMap<_, _>>(), &pairs(false));
        reads((0..len).map(|i| (3 * i as u16, i as u64)).collect::<BTreeMap<_, _>>(), &pairs(false));
        reads((0..len).map(|i| (3 * i, i as u128)).collect::<BTreeMap<_, _>>(), &pairs(false));
        reads((0..len).collect::<BTreeSet<_>>(), &units(false));
    }
    let nested = BTreeMap::from([(String::from("a"), HashMap::from([(Color::Red, vec![1u8])]))]);
    reads(nested, "{\"a\": {Red: [1]}}");
}

#[graven::object]
struct Niches {
    #[rkyv(with = WithNiche)]
    boxed: Option<Box<u32>>,
    #[rkyv(with = WithNiche)]
    text: Option<Box<str>>,
    #[rkyv(with = WithNiche)]
    no_text: Option<Box<str>>,
    #[rkyv(with = WithNiche)]
    zero: Option<NonZeroU128>,
    #[rkyv(with = WithNiche)]
    minus: Option<NonZeroI16>,
    #[rkyv(with = NicheInto<NaN>)]
    nan: Option<f32>,
    #[rkyv(with = NicheInto<NaN>)]
    number: Option<f64>,
    #[rkyv(with = NicheInto<Zero>)]
    into_zero: Option<NonZeroU8>,
    #[rkyv(with = NicheInto<Null>)]
    into_null: Option<Box<u16>>,
    #[rkyv(with = NicheInto<Bool>)]
    into_bool: Option<bool>,
    #[rkyv(with = DefaultNiche)]
    default_bool: Option<bool>,
    #[rkyv(with = DefaultNiche)]
    default_zero: Option<NonZeroI64>,
    #[rkyv(with = DefaultNiche)]
    default_null: Option<Box<u16>>,
    #[rkyv(with = MapNiche<AsBox>)]
    mapped: Option<u64>,
    #[rkyv(with = Map<AsBox>)]
    boxes: Vec<u64>,
    #[rkyv(with = AsVec)]
    entries: BTreeMap<u8, u64>,
    #[rkyv(with = Skip)]
    skipped: String,
}

#[test]
fn niches_and_wrappers_are_where_and_what_their_layout_says() {
    let none = Niches {
        boxed: None,
        text: Some("text".into()),
        no_text: None,
        zero: None,
        minus: NonZeroI16::new(-1),
        nan: None,
        number: Some(0.5),
        into_zero: None,
        into_null: None,
        into_bool: None,
        default_bool: None,
        default_zero: None,
        default_null: None,
        mapped: None,
        boxes: vec![1, 2],
        entries: BTreeMap::from([(1, 10), (2, 20)]),
        skipped: "not archived".into(),
    };
    let expected = "(boxed: none, text: some \"text\", no_text: none, zero: none, minus: some -1, nan: none, \
        number: some 0.5, into_zero: none, into_null: none, into_bool: none, default_bool: none, default_zero: none, \
        default_null: none, mapped: none, boxes: [1, 2], entries: [(key: 1, value: 10), (key: 2, value: 20)], \
        skipped: ())";
    reads(none, expected);
    let some = Niches {
        boxed: Some(Box::new(1)),
        text: None,
        no_text: None,
        zero: NonZeroU128::new(2),
        minus: None,
        nan: Some(f32::INFINITY),
        number: None,
        into_zero: NonZeroU8::new(3),
        into_null: Some(Box::new(4)),
        into_bool: Some(false),
        default_bool: Some(true),
        default_zero: NonZeroI64::new(-5),
        default_null: Some(Box::new(6)),
        mapped: Some(7),
        boxes: vec![],
        entries: BTreeMap::new(),
        skipped: String::new(),
    };
    let expected = "(boxed: some 1, text: none, no_text: none, zero: some 2, minus: none, nan: some inf, \
        number: none, into_zero: some 3, into_null: some 4, into_bool: some false, default_bool: some true, \
        default_zero: some -5, default_null: some 6, mapped: some 7, boxes: [], entries: [], skipped: ())";
    reads(some, expected);
}
