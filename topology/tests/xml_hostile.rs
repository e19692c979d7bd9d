//! hwloc XML that is none: a test per error, and files made to harm.

#[path = "support/xml.rs"]
mod xml_support;

use std::fmt::Write;

use graven_topology::xml::{self, XmlError};
use graven_topology::{Topo, Type};

use xml_support::*;

/// `parse` must refuse `$text` with an error that matches, and say where.
macro_rules! refuses {
    ($($name:ident: $text:expr => $pattern:pat $(if $guard:expr)?,)*) => {$(
        #[test]
        fn $name() {
            let text: String = $text.into();
            let error = xml::parse(&text).expect_err("this is no topology");
            assert!(matches!(&error, $pattern $(if $guard)?), "{error:?}");
            assert!(error.to_string().len() < 400, "{error}");
        }
    )*};
}

refuses! {
    nothing_is_refused: "" => XmlError::Truncated { .. },
    white_space_is_refused: " \n " => XmlError::Truncated { .. },
    what_is_no_xml_is_refused: "machine" => XmlError::Syntax { .. },
    another_document_is_refused: "<svg/>" => XmlError::NotTopology { found, .. } if found == "svg",
    a_topology_without_object_is_refused: "<topology version=\"2.0\"/>" => XmlError::NoObject { .. },
    a_future_format_is_refused: "<topology version=\"3.1\"/>" => XmlError::Version { found, .. } if found == "3.1",
    a_format_that_is_no_number_is_refused: "<topology version=\"x\"/>" => XmlError::Version { .. },
    two_machines_are_refused: beside("<object type=\"Machine\"/>") => XmlError::UnexpectedElement { .. },
    tags_that_cross_are_refused: "<topology><object type=\"Machine\"></topology></object>"
        => XmlError::Syntax { at, .. } if at.line == 1,
    a_character_that_no_xml_has_is_refused: beside("<info name=\"a\u{0}\" value=\"b\"/>")
        => XmlError::Syntax { message, .. } if message == "U+0000 is no character of XML",
    the_number_of_such_a_character_is_refused: beside("<info name=\"a&#xfffe;\" value=\"b\"/>")
        => XmlError::Syntax { message, .. } if message == "U+FFFE is no character of XML",
    such_a_character_in_a_text_is_refused: beside("<userdata length=\"1\">\u{1}</userdata>")
        => XmlError::Syntax { message, .. } if message == "U+0001 is no character of XML",
    such_a_character_is_refused_where_nothing_is_read: beside("<!-- \u{b} -->")
        => XmlError::Syntax { at, message } if message == "U+000B is no character of XML" && at.column > 5,
    the_number_of_such_a_character_in_a_text_is_refused: beside("<userdata length=\"1\">&#xffff;</userdata>")
        => XmlError::Syntax { message, .. } if message == "U+FFFF is no character of XML",
    a_number_of_no_character_in_a_text_is_refused: beside("<userdata length=\"1\">&#xd800;</userdata>")
        => XmlError::Entity { name, .. } if name == "#xd800",
    a_second_document_is_refused: beside("") + "<topology/>" => XmlError::Syntax { .. },
    text_behind_the_document_is_refused: beside("") + "x" => XmlError::Syntax { .. },
    an_attribute_without_quotes_is_refused: inside("<object type=Core/>") => XmlError::Syntax { at, .. } if at.line > 4,
    an_attribute_twice_is_refused: inside("<object type=\"Misc\" type=\"Misc\"/>")
        => XmlError::DuplicateAttribute { attribute, .. } if attribute == "type",
    an_object_without_type_is_refused: inside("<object os_index=\"1\"/>")
        => XmlError::MissingAttribute { attribute: "type", at } if at.element == "object" && at.line == 10,
    an_unknown_type_is_refused: inside("<object type=\"Kern\"/>") => XmlError::Value { value, expected: "a type of object", .. } if value == "Kern",
    an_unknown_element_in_an_object_is_refused: inside("<object type=\"Misc\"><thing/></object>")
        => XmlError::UnexpectedElement { found, .. } if found == "thing",
    infos_behind_children_are_refused: inside("<info name=\"a\" value=\"b\"/>") => XmlError::UnexpectedElement { .. },
    a_normal_object_below_a_device_is_refused:
        inside("<object type=\"Bridge\" gp_index=\"70\"><object type=\"Core\" gp_index=\"71\"/></object>")
        => XmlError::Misplaced { child: Type::Core, parent: Type::Bridge, .. },
    anything_below_a_misc_object_is_refused:
        inside("<object type=\"Misc\" gp_index=\"70\"><object type=\"OSDev\" gp_index=\"71\"/></object>")
        => XmlError::Misplaced { child: Type::OsDevice, parent: Type::Misc, .. },
    a_root_that_is_no_machine_is_refused: "<topology version=\"2.0\"><object type=\"PU\"/></topology>"
        => XmlError::Misplaced { child: Type::Pu, .. },
    an_object_without_sets_is_refused: inside("<object type=\"Core\" gp_index=\"70\"/>") => XmlError::Sets { ty: Type::Core, .. },
    a_device_with_a_cpuset_is_refused: inside("<object type=\"Misc\" gp_index=\"70\" cpuset=\"0x1\"/>")
        => XmlError::Sets { ty: Type::Misc, .. },
    an_os_index_out_of_range_is_refused: inside("<object type=\"Misc\" os_index=\"4294967296\"/>")
        => XmlError::Value { attribute, value, at, .. } if attribute == "os_index" && value == "4294967296" && at.element == "object",
    a_negative_memory_is_refused: inside("<object type=\"Misc\" local_memory=\"-1\"/>") => XmlError::Value { .. },
    a_gp_index_out_of_range_is_refused: inside("<object type=\"Misc\" gp_index=\"18446744073709551616\"/>")
        => XmlError::Value { .. },
    a_set_that_is_none_is_refused: inside("<object type=\"Core\" cpuset=\"0xg\"/>") => XmlError::Value { attribute, .. } if attribute == "cpuset",
    a_cache_of_another_level_is_refused: inside(&format!("<object type=\"L2Cache\" depth=\"3\" {} gp_index=\"70\"/>", sets("0x1", "0x1")))
        => XmlError::CacheType { ty: Type::L2Cache, level: 3, .. },
    a_cache_of_no_known_kind_is_refused: inside("<object type=\"L2Cache\" depth=\"2\" cache_type=\"3\"/>") => XmlError::Value { .. },
    a_bus_that_is_none_is_refused: inside("<object type=\"PCIDev\" pci_busid=\"0:0\"/>") => XmlError::Value { .. },
    a_bus_out_of_range_is_refused: inside("<object type=\"PCIDev\" pci_busid=\"0000:100:00.0\"/>") => XmlError::Value { .. },
    a_speed_that_is_no_number_is_refused: inside("<object type=\"PCIDev\" pci_link_speed=\"NaN\"/>") => XmlError::Value { .. },
    a_bridge_from_nowhere_is_refused: inside("<object type=\"Bridge\" bridge_type=\"2-1\"/>") => XmlError::Value { .. },
    a_gp_index_used_twice_is_refused: inside("<object type=\"Misc\" gp_index=\"900\"/>")
        => XmlError::Duplicate { attribute: "gp_index", value: 900, .. },
    a_processor_named_twice_is_refused: file("2.0", &(pus() + &pus().replace("1\"/>", "2\"/>")), "")
        => XmlError::Duplicate { attribute: "os_index", value: 0, .. },
    siblings_that_claim_one_processor_are_refused: file("2.0", &format!("{0}{1}", pus(), format_args!("<object type=\"Core\" {} gp_index=\"70\"/>", sets("0x3", "0x1"))), "")
        => XmlError::Build(_),
    a_machine_without_processors_is_refused: file("2.0", "", "") => XmlError::Build(_),
    distances_to_nowhere_are_refused: beside("<distances2 type=\"PU\" nbobjs=\"2\" kind=\"5\" indexing=\"os\">\
        <indexes length=\"4\">0 9 </indexes><u64values length=\"8\">1 2 3 4 </u64values></distances2>")
        => XmlError::UnknownObject { ty: Type::Pu, index: 9, .. },
    distances_of_too_few_values_are_refused: beside("<distances2 type=\"PU\" nbobjs=\"2\" kind=\"5\" indexing=\"os\">\
        <indexes length=\"4\">0 1 </indexes><u64values length=\"8\">1 2 3 </u64values></distances2>")
        => XmlError::Count { expected: 4, found: 3, .. },
    distances_of_too_many_values_are_refused: beside("<distances2 type=\"PU\" nbobjs=\"2\" kind=\"5\" indexing=\"os\">\
        <indexes length=\"4\">0 1 </indexes><u64values length=\"8\">1 2 3 4 5 6 7</u64values></distances2>")
        => XmlError::Count { expected: 4, found: 5, .. },
    distances_of_more_objects_than_memory_are_refused: beside("<distances2 type=\"PU\" nbobjs=\"4294967296\" kind=\"5\" indexing=\"os\"/>")
        => XmlError::TooMany { .. },
    distances_of_words_are_refused: beside("<distances2 type=\"PU\" nbobjs=\"2\" kind=\"5\" indexing=\"os\"><indexes>0 one</indexes></distances2>")
        => XmlError::Value { value, .. } if value == "one",
    distances_of_no_type_are_refused: beside("<distances2 nbobjs=\"2\" kind=\"5\" indexing=\"os\"/>")
        => XmlError::MissingAttribute { attribute: "type", .. },
    distances_of_groups_by_os_index_are_refused: beside("<distances2 type=\"Group\" nbobjs=\"2\" kind=\"5\" indexing=\"os\"/>")
        => XmlError::Value { attribute, .. } if attribute == "indexing",
    distances_of_an_object_to_itself_as_another_are_refused: beside("<distances2 type=\"PU\" nbobjs=\"2\" kind=\"5\" indexing=\"os\">\
        <indexes length=\"4\">0 0 </indexes><u64values length=\"8\">1 2 3 4 </u64values></distances2>") => XmlError::Build(_),
    a_memory_value_of_nobody_is_refused: beside("<memattr name=\"x\" flags=\"1\"><memattr_value target_obj_type=\"NUMANode\" \
        target_obj_gp_index=\"9999\" value=\"1\"/></memattr>") => XmlError::UnknownObject { index: 9999, .. },
    a_memory_value_of_another_type_is_refused: beside("<memattr name=\"x\" flags=\"1\"><memattr_value target_obj_type=\"Core\" \
        target_obj_gp_index=\"900\" value=\"1\"/></memattr>") => XmlError::UnknownObject { ty: Type::Core, index: 900, .. },
    a_memory_value_from_nowhere_is_refused: beside("<memattr name=\"Bandwidth\" flags=\"5\"><memattr_value target_obj_type=\"NUMANode\" \
        target_obj_gp_index=\"900\" value=\"1\"/></memattr>") => XmlError::MissingAttribute { attribute: "initiator_cpuset", .. },
    other_flags_than_the_default_ones_are_refused: beside("<memattr name=\"Bandwidth\" flags=\"6\"/>") => XmlError::Build(_),
    stored_capacities_are_refused: beside("<memattr name=\"Capacity\" flags=\"1\"><memattr_value target_obj_type=\"NUMANode\" \
        target_obj_gp_index=\"900\" value=\"1\"/></memattr>") => XmlError::Build(_),
    a_kind_of_no_processors_is_refused: beside("<cpukind/>") => XmlError::MissingAttribute { attribute: "cpuset", .. },
    a_tier_of_no_nodes_is_refused: beside("<memtier kinds=\"1\"/>") => XmlError::MissingAttribute { attribute: "nodeset", .. },
    a_locality_of_no_bus_is_refused: beside("<pci_locality domain=\"0x0\" bus_min=\"x\" bus_max=\"0x1\" cpuset=\"0x1\"/>")
        => XmlError::Value { attribute, .. } if attribute == "bus_min",
    an_entity_is_refused: inside("<object type=\"Misc\" name=\"&who;\"/>") => XmlError::Entity { .. },
    an_entity_in_text_is_refused: inside("<object type=\"Misc\" gp_index=\"70\"><userdata>&who;</userdata></object>") => XmlError::Entity { .. },
    an_entity_bomb_is_refused: "<!DOCTYPE topology [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>\
        <topology version=\"2.0\"><object type=\"Machine\" name=\"&c;\"/></topology>" => XmlError::Dtd { .. },
    deep_nesting_is_refused: beside("").replace("<object type=\"PU\" os_index=\"0\"", &("<object type=\"Misc\">".repeat(100_000) + "<object type=\"PU\" os_index=\"0\""))
        => XmlError::TooMany { what: "elements in each other", limit: 512, .. },
    deep_nesting_of_unknown_elements_is_refused: beside(&"<a>".repeat(100_000)) => XmlError::TooMany { what: "elements in each other", .. },
    many_attributes_are_refused: inside(&(0..100_000).fold("<object type=\"Misc\"".to_owned(), |mut text, n| { let _ = write!(text, " a{n}=\"\""); text }))
        => XmlError::Truncated { .. } | XmlError::Syntax { .. } | XmlError::TooMany { .. },
    many_attributes_that_end_are_refused: inside(&((0..100_000).fold("<object type=\"Misc\"".to_owned(), |mut text, n| { let _ = write!(text, " a{n}=\"\""); text }) + "/>"))
        => XmlError::TooMany { what: "attributes", .. },
    a_tower_of_groups_is_refused: {
        let tower: String = (0..300).map(|n| format!("<object type=\"Group\" {} dont_merge=\"1\" gp_index=\"{}\">", sets("0xf", "0x1"), 1000 + n)).collect();
        file("2.0", &(tower + &pus() + &"</object>".repeat(300)), "")
    } => XmlError::Build(_),
    a_set_of_millions_of_words_is_refused: inside(&format!("<object type=\"Core\" cpuset=\"{}\"/>", ",".repeat(2_000_000)))
        => XmlError::Value { value, .. } if value.len() < 100,
}

/// A file that says little must not make much of it: here each of many objects would have each of many nodes.
#[test]
fn sets_that_would_be_copied_to_many_objects_are_refused() {
    let words = format!("0x{}1", "55555555,".repeat(20_000));
    let memory =
        format!("<object type=\"NUMANode\" os_index=\"1\" {} gp_index=\"800\"/>", sets(&words, &words));
    let cores: String = (0..1000)
        .map(|n| format!("<object type=\"Core\" {} gp_index=\"{}\"/>", sets("0x1", "0x1"), 1000 + n))
        .collect();
    let text =
        file("2.0", &(memory + &pus() + &cores), "").replacen(&sets("0xf", "0x1"), &sets("0xf", &words), 1);
    let error = xml::parse(&text).unwrap_err();
    assert!(matches!(error, XmlError::TooMany { what: "runs of sets copied to objects", .. }), "{error:?}");
}

#[test]
fn many_values_of_one_target_and_many_kinds_of_processors_are_refused() {
    let values: String = (0..2000)
        .map(|n| format!("<memattr_value target_obj_type=\"NUMANode\" target_obj_gp_index=\"900\" value=\"1\" initiator_cpuset=\"{:#x}\"/>", n + 1))
        .map(|value| value.replace("initiator_cpuset=\"0x", "initiator_cpuset=\"0x1,0x"))
        .collect();
    let error = xml::parse(&beside(&format!("<memattr name=\"Latency\" flags=\"6\">{values}</memattr>")))
        .unwrap_err();
    assert!(matches!(error, XmlError::Build(_)), "{error:?}");
    let error = xml::parse(&beside(&"<cpukind cpuset=\"0x1\"/>".repeat(2000))).unwrap_err();
    assert!(matches!(error, XmlError::TooMany { what: "kinds of processors", .. }), "{error:?}");
    let error = xml::parse(&beside(&"<memtier nodeset=\"0x1\"/>".repeat(2000))).unwrap_err();
    assert!(matches!(error, XmlError::TooMany { what: "memory tiers", .. }), "{error:?}");
}

#[test]
fn a_huge_attribute_is_read_once_and_quoted_in_part() {
    let name = "n".repeat(10_000_000);
    let topology = read(&inside(&format!("<object type=\"Misc\" gp_index=\"70\" name=\"{name}\"/>")));
    assert_eq!(topology.by_type(Type::Misc).next().unwrap().name().map(str::len), Some(10_000_000));
    let error = xml::parse(&inside(&format!("<object type=\"{name}\"/>"))).unwrap_err();
    assert!(error.to_string().len() < 200);
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_with_their_offset() {
    let mut bytes = beside("").into_bytes();
    bytes[30] = 0xff;
    assert!(matches!(xml::read(&bytes[..]), Err(XmlError::NotUtf8 { offset: 30 })));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let error = xml::read(std::fs::File::open(directory.path()).unwrap()).unwrap_err();
    assert!(std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("directory")));
}

/// A file with one of everything.
fn everything() -> String {
    let inside = pus()
        + "<object type=\"Bridge\" gp_index=\"70\" bridge_type=\"0-1\" bridge_pci=\"0000:[00-05]\"><object type=\"PCIDev\" gp_index=\"71\" \
           pci_busid=\"0000:00:02.0\" pci_type=\"0200 [8086:1521] [0000:0000] 01\" pci_link_speed=\"0.5\"><info name=\"a\" value=\"&lt;b&gt;\"/>\
           <object type=\"OSDev\" gp_index=\"72\" name=\"eth0\" osdev_type=\"2\"/></object></object>\n<!-- a note --><object type=\"Misc\" gp_index=\"73\"/>";
    file(
        "2.0",
        &inside,
        "<distances2 type=\"PU\" nbobjs=\"2\" kind=\"5\" name=\"x\" indexing=\"os\"><indexes length=\"4\">0 1 </indexes>\
         <u64values length=\"8\">1 2 3 4 </u64values></distances2><support name=\"discovery.pu\"/>\
         <memattr name=\"Latency\" flags=\"6\"><memattr_value target_obj_type=\"NUMANode\" target_obj_gp_index=\"900\" value=\"1\" \
         initiator_cpuset=\"0x1\"/></memattr><cpukind cpuset=\"0x3\" forced_efficiency=\"1\"><info name=\"a\" value=\"b\"/></cpukind>\
         <memtier kinds=\"1\" nodeset=\"0x1\"/><pci_locality domain=\"0x0\" bus_min=\"0x0\" bus_max=\"0x1\" cpuset=\"0x3\"/>",
    )
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let text = everything();
    read(&text);
    let end = text.trim_end().len();
    for cut in (0..end).filter(|&cut| text.is_char_boundary(cut)) {
        let error = xml::parse(&text[..cut]).expect_err("the end is missing");
        assert!(matches!(error, XmlError::Truncated { .. } | XmlError::Syntax { .. }), "{cut}: {error}");
    }
}

#[test]
fn a_file_with_any_byte_changed_is_read_or_refused_without_panic() {
    let text = everything();
    let mut read = 0;
    const BYTES: [u8; 9] = [b'"', b'<', b'>', b'&', b'0', b'9', b'x', b' ', b'/'];
    for position in 0..text.len() {
        for byte in [BYTES[position % 9], BYTES[(position + 4) % 9]] {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = byte;
            if let Ok(topology) = xml::read(&bytes[..]) {
                topology.check().unwrap();
                read += 1;
            }
        }
    }
    assert!(read > 500, "{read}");
}

#[test]
fn an_error_is_printed_by_its_message_and_what_caused_it() {
    let without = file("2.0", "", "").replace("0xf", "0x0");
    let error = xml::parse(&without).unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "the file was read, but describes no topology: not a topology: there is no PU"
    );
}
