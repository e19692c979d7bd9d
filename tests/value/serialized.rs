//! Values written by serde, within limits.

use super::*;

#[test]
fn values_serialize_as_the_derives_of_serde_would() {
    let segment = segment_of(&All::sample(2));
    let written = serde_json::to_string(&segment.value("").unwrap()).unwrap();
    assert!(written.contains(&format!(r#""wide":{},"#, u128::MAX - 1)), "{written}");
    let all: serde_json::Value = serde_json::from_str(&written).unwrap();
    let expected = json!({
        "truth": true,
        "numbers": [200, 65535, 1u64 << 60],
        "floats": [1.5, -2.25],
        "letter": "😀",
        "nonzero": 77,
        "unit": null,
        "c": c"c string".to_bytes(),
        "boxed": 99,
        "boxed_slice": [7, 8],
        "twice": text(9),
        "some_box": 5,
        "no_string": null,
        "options": 3,
        "ok": { "Ok": 4 },
        "err": { "Err": text(12) },
        "nothing": [],
        "again": text(20),
        "weak": text(20),
        "gone": null,
        "by_name": { "": 0, "a": 1 },
        "by_number": { "0": "value number 0", "7919": "value number 1" },
        "by_truth": { "true": 1 },
        "empty": {},
        "index": { "im0": 0, "im1": 1 },
        "indices": [0, 1u64 << 33 ^ 1],
        "tree": { "bt000": 0, "bt001": 1, "bt002": 2, "bt003": 3, "bt004": 4, "bt005": 5 },
        "branches": [-7, -6],
        "took": { "secs": 5, "nanos": 123 },
        "niche_box": 6,
        "niche_nan": null,
        "events": [
            "Unit",
            { "Tuple": [1, 2, text(10)] },
            { "Named": { "id": 5, "x": 0.5, "tags": [text(2), text(22)] } },
            { "Nested": { "a": 1, "b": 2, "c": text(9) } },
        ],
        "node": {
            "name": "root",
            "children": [
                { "name": "child number one", "children": [] },
                { "name": "c2", "children": [{ "name": "g", "children": [] }] },
            ],
        },
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&all[name], value, "{name}");
    }

    // Keys that JSON does not have.
    let pairs = segment_of(&BTreeMap::from([((1u8, 2u8), 'a')]));
    assert_eq!(serde_json::to_value(pairs.value("").unwrap()).unwrap(), json!([[[1, 2], "a"]]));
    let floats = segment_of(&[f64::NAN, f64::INFINITY, 1.0]);
    assert_eq!(serde_json::to_value(floats.value("").unwrap()).unwrap(), json!([null, null, 1.0]));
}

#[test]
fn serializing_ends_at_its_limits_with_the_place() {
    let segment = segment_of(&All::sample(6));
    let all = segment.value("").unwrap();
    let error = |limits| serde_json::to_string(&all.with_limits(limits)).unwrap_err().to_string();
    let enough = Limits::default();
    for (limits, end) in [
        (Limits { depth: 1, ..enough }, "more than 1 values"),
        (Limits { elements: 100, ..enough }, "more than 100 values"),
        (Limits { bytes: 50, ..enough }, "more than 50 bytes of text"),
    ] {
        let error = error(limits);
        let end = end.replace("more than 1 values", "values inside each other deeper than 1");
        assert!(error.ends_with(&end), "{error}");
    }
    let deep = error(Limits { depth: 4, ..enough });
    assert!(
        deep.starts_with("events[2].Named") || deep.contains("values inside each other deeper"),
        "{deep}"
    );
    assert!(deep.starts_with("nested") || deep.contains('['), "{deep}");
}

#[cfg(not(feature = "pointer_width_16"))]
#[test]
fn a_list_that_is_ten_thousand_deep_is_read_step_by_step_and_serialized_to_a_depth() {
    #[graven::object]
    struct Link {
        number: u32,
        next: Option<Box<Link>>,
    }
    let list = (0..10_000).fold(None, |next, number| Some(Box::new(Link { number, next })));
    let writing = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        let bytes = bytes_of(&list);
        let mut list = list;
        while let Some(link) = list {
            list = link.next;
        }
        bytes
    });
    let segment = Segment::from_bytes(writing.unwrap().join().unwrap()).unwrap();
    // A small stack.
    let reading = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
        let (mut value, mut links) = (segment.value("").unwrap(), 0);
        while let Some(link) = value.option().unwrap() {
            (value, links) = (link.field("next").unwrap(), links + 1);
        }
        assert_eq!(links, 10_000);
        let error = serde_json::to_string(&segment.value("").unwrap()).unwrap_err().to_string();
        assert!(error.ends_with("values inside each other deeper than 128"), "{error}");
    });
    reading.unwrap().join().unwrap();
}
