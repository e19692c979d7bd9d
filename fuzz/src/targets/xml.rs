//! Arbitrary bytes as hwloc's XML: what is imported is sound, and survives export and import.
//!
//! What has to hold: nothing panics; what is imported passes `check`; its export is imported, passes `check` too, and
//! exports to the same text. A file that contradicts itself may take one more round to settle.

use graven_topology::{Bits, Topo, Topology, xml};

pub fn run(data: &[u8]) {
    let topology = match xml::read(data) {
        Ok(topology) => topology,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    topology.check().unwrap_or_else(|error| panic!("imported, but {error}"));
    let text = match xml::to_string(&topology) {
        Ok(text) => text,
        // Sets whose text would be too long: the one thing that an export may refuse.
        Err(error) => return assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}"),
    };
    let again = import(&text);
    let second = xml::to_string(&again).expect("it could be exported before");
    assert_eq!(topology.object_count(), again.object_count(), "{text}");
    // As hwloc does, the allowed nodes are cut to the nodes that the root says it has, before those are cut to the ones
    // that have objects: where the two differ, it takes a second import.
    let settled = [
        (topology.allowed_cpuset(), topology.root().cpuset()),
        (topology.allowed_nodeset(), topology.root().nodeset()),
    ];
    if settled
        .iter()
        .all(|(allowed, own)| allowed.zip(*own).is_none_or(|(allowed, own)| allowed.is_included_in(&own)))
    {
        assert_eq!(text, second, "the second export differs");
    } else {
        assert_eq!(second, xml::to_string(&import(&second)).expect("as before"), "the third export differs");
    }
}

/// What was exported is imported.
fn import(text: &str) -> Topology {
    let topology =
        xml::parse(text).unwrap_or_else(|error| panic!("exported, but not imported: {error}\n{text}"));
    topology.check().unwrap_or_else(|error| panic!("imported again, but {error}\n{text}"));
    topology
}
