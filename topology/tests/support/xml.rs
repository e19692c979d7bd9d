//! Small XML files to test with.

#![allow(dead_code)] // Each test uses some of these.

use graven_topology::{Topology, xml};

/// The four sets of an object, all given.
pub(crate) fn sets(cpuset: &str, nodeset: &str) -> String {
    format!(
        r#"cpuset="{cpuset}" complete_cpuset="{cpuset}" nodeset="{nodeset}" complete_nodeset="{nodeset}""#
    )
}

/// A file of format `version` whose machine has processors 0 to 3, node 0 and `inside`, with `beside` behind it.
pub(crate) fn file(version: &str, inside: &str, beside: &str) -> String {
    let sets = sets("0xf", "0x1");
    let memory =
        format!(r#"<object type="NUMANode" os_index="0" {sets} gp_index="900" local_memory="1024"/>"#);
    format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"{version}\">\n\
         <object type=\"Machine\" os_index=\"0\" {sets} gp_index=\"901\">\n{memory}\n{inside}\n</object>\n{beside}\n</topology>\n"
    )
}

/// Processors 0 to 3 as children.
pub(crate) fn pus() -> String {
    (0..4)
        .map(|pu| {
            format!(
                "<object type=\"PU\" os_index=\"{pu}\" {} gp_index=\"{pu}1\"/>\n",
                sets(&format!("{:#x}", 1 << pu), "0x1")
            )
        })
        .collect()
}

pub(crate) fn read(text: &str) -> Topology {
    xml::parse(text)
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{text}", std::error::Error::source(&error)))
}

pub(crate) fn inside(inside: &str) -> String {
    file("2.0", &(pus() + inside), "")
}

pub(crate) fn beside(beside: &str) -> String {
    file("2.0", &pus(), beside)
}
