//! The tables beside the tree: a sample of each, what breaks them, and reading whatever is there.

use crate::model::builder::{Builder, Location, NodeId};
use crate::model::error::CheckError;
use crate::model::facts::{DistanceMatrix, InitiatorEntry, MemoryAttribute, MemoryTier};
use crate::model::memattrs::Initiator;
use crate::model::read::Topo;
use crate::model::records::NONE;
use crate::model::set::Set;
use crate::model::types::Type;

use super::{exercise, refuses, sample};

/// Two matrices, values with initiators of both kinds and without any, two kinds of processors, and the rest.
pub(super) fn facts(builder: &mut Builder, nodes: Vec<NodeId>, device: NodeId) {
    builder.distances(
        Some("NUMALatency"),
        DistanceMatrix::FROM_OS | DistanceMatrix::LATENCY,
        nodes.clone(),
        [10, 21, 22, 10],
    );
    let all = vec![nodes[0], device, nodes[1]];
    builder.distances(
        None,
        DistanceMatrix::BANDWIDTH | DistanceMatrix::HETEROGENEOUS,
        all,
        (1..10).collect::<Vec<_>>(),
    );
    for (node, value) in nodes.iter().zip([100, 200]) {
        let near = Location::Cpuset((0..4).collect());
        builder.memory_value(MemoryAttribute::BANDWIDTH, *node, Some(near), value);
        builder.memory_value(MemoryAttribute::BANDWIDTH, *node, Some(Location::Object(device)), value / 2);
    }
    let wear = builder.memory_attribute("Wear", MemoryAttribute::LOWER_FIRST);
    builder.memory_value(wear, nodes[1], None, 7);
    builder.cpu_kind((0..3).collect(), None, [("CoreType".into(), "IntelCore".into())]);
    builder.cpu_kind((4..7).collect(), None, [("CoreType".into(), "IntelAtom".into())]);
    builder.memory_tier(MemoryTier::DRAM, (0..2).collect(), [("Speed".into(), "slow".into())]);
    builder.pci_locality(0, 0, 31, (0..4).collect());
    builder.support("discovery.pu");
    builder.support("discovery.numa");
    builder.flags(1);
}

refuses! {
    a_matrix_of_one_object_is_refused: |t| {
        t.distances.matrices[0].objects.len = 1;
        t.distances.matrices[1].objects.first = 1;
        t.distances.matrices[1].first_value = 1
    } => CheckError::Fact { record: 0, .. },
    a_matrix_with_other_objects_is_refused: |t| t.distances.matrices[1].objects.first = 0
        => CheckError::Run { record: 1, field: "matrix.objects", first: 0, expected: 2, .. },
    a_matrix_beyond_the_values_is_refused: |t| { t.distances.values.pop(); }
        => CheckError::Run { record: 1, field: "matrix.values", .. },
    a_matrix_of_more_values_than_can_be_counted_is_refused: |t| t.distances.matrices[0].objects.len = NONE
        => CheckError::Run { record: 0, .. },
    values_of_no_matrix_are_refused: |t| t.distances.values.push(1)
        => CheckError::Run { record: NONE, field: "matrix.values", .. },
    distances_of_an_object_that_is_not_there_are_refused: |t| t.distances.objects[0] = NONE
        => CheckError::Reference { field: "matrix.object", found: NONE, .. },
    distances_of_an_object_to_itself_as_another_are_refused: |t| t.distances.objects[1] = t.distances.objects[0]
        => CheckError::Fact { record: 0, .. },
    a_matrix_whose_name_is_not_there_is_refused: |t| t.distances.matrices[0].name = 999
        => CheckError::Reference { field: "matrix.name", .. },
    a_missing_default_attribute_is_refused: |t| t.memory_attributes.attributes.truncate(7)
        => CheckError::Fact { record: 7, .. },
    a_default_attribute_of_another_name_is_refused: |t| {
        t.memory_attributes.attributes[2].name = t.memory_attributes.attributes[0].name
    } => CheckError::Fact { record: 2, .. },
    an_attribute_without_order_is_refused: |t| t.memory_attributes.attributes[8].flags = 0
        => CheckError::Fact { record: 8, .. },
    an_attribute_name_used_twice_is_refused: |t| {
        t.memory_attributes.attributes[8].name = t.memory_attributes.attributes[0].name
    } => CheckError::Fact { record: NONE, .. },
    stored_capacities_are_refused: |t| t.memory_attributes.attributes[0].targets.len = 1
        => CheckError::Fact { record: 0, .. },
    targets_of_another_attribute_are_refused: |t| t.memory_attributes.attributes[8].targets.first = 0
        => CheckError::Run { record: 8, field: "attribute.targets", .. },
    a_target_that_is_not_there_is_refused: |t| t.memory_attributes.targets[0].object = NONE
        => CheckError::Reference { field: "target.object", .. },
    a_target_named_twice_is_refused: |t| {
        t.memory_attributes.targets[0].object = t.memory_attributes.targets[1].object
    } => CheckError::Fact { record: 2, .. },
    a_value_from_anywhere_where_it_matters_is_refused: |t| t.memory_attributes.values[0].from = InitiatorEntry::Any
        => CheckError::Fact { record: 0, .. },
    a_value_from_nowhere_is_refused: |t| {
        t.memory_attributes.values[0].from = InitiatorEntry::Cpuset { set: 999 }
    } => CheckError::Reference { field: "value.cpuset", .. },
    a_value_from_an_object_that_is_not_there_is_refused: |t| {
        t.memory_attributes.values[1].from = InitiatorEntry::Object { object: 999 }
    } => CheckError::Reference { field: "value.object", .. },
    values_of_no_target_are_refused: |t| {
        let value = t.memory_attributes.values[4];
        t.memory_attributes.values.push(value)
    } => CheckError::Run { record: NONE, field: "target.values", .. },
    kinds_of_processors_that_overlap_are_refused: |t| t.cpu_kinds[0].cpuset = t.cpu_kinds[1].cpuset
        => CheckError::Fact { record: NONE, .. },
    a_kind_beyond_the_sets_is_refused: |t| t.cpu_kinds[0].cpuset = NONE
        => CheckError::Reference { field: "kind.cpuset", .. },
    kinds_in_another_order_than_their_ranks_are_refused: |t| t.cpu_kinds[0].efficiency = 1
        => CheckError::Fact { record: 0, .. },
    a_kind_without_rank_among_ranked_ones_is_refused: |t| t.cpu_kinds[1].efficiency = NONE
        => CheckError::Fact { record: 1, .. },
    infos_of_a_kind_beyond_their_table_are_refused: |t| t.cpu_kinds[1].infos.len = NONE
        => CheckError::Reference { field: "kind.infos", .. },
    a_tier_beyond_the_sets_is_refused: |t| t.memory_tiers[0].nodeset = NONE
        => CheckError::Reference { field: "tier.nodeset", .. },
    infos_of_a_tier_beyond_their_table_are_refused: |t| t.memory_tiers[0].infos.first = NONE
        => CheckError::Reference { field: "tier.infos", .. },
    a_locality_beyond_the_sets_is_refused: |t| t.pci_localities[0].cpuset = NONE
        => CheckError::Reference { field: "locality.cpuset", .. },
    a_feature_without_name_is_refused: |t| t.support[1] = NONE => CheckError::Reference { field: "support.name", .. },
    a_feature_named_twice_is_refused: |t| t.support[1] = t.support[0] => CheckError::Fact { record: 1, .. },
    a_missing_filter_is_refused: |t| { t.filters.pop(); } => CheckError::Fact { record: 19, .. },
}

/// The same for what is said beside the tree.
pub(super) fn exercise_facts<T: Topo>(topology: &T) {
    let cpuset = (0..2).collect();
    for distances in topology.distances() {
        let _ = (
            distances.name(),
            distances.kind(),
            distances.len(),
            distances.is_empty(),
            distances.object_type(),
        );
        let _ = (distances.objects().count(), distances.values().count(), distances.value(1, NONE));
        if let (Some(from), Some(to)) = (distances.object(0), distances.object(1)) {
            let _ = (distances.between(&from, &to), distances.position(&topology.root()));
        }
    }
    for attribute in topology.memory_attributes() {
        let _ = (
            attribute.name(),
            attribute.flags(),
            topology.memory_attribute_by_name(attribute.name()).is_some(),
        );
        for from in [Initiator::Any, Initiator::Cpuset(&cpuset), Initiator::Object(topology.root())] {
            let _ = (attribute.targets(from).count(), attribute.best_target(from));
            for target in topology.by_type(Type::NumaNode) {
                let _ = (attribute.value(&target, from), attribute.best_initiator(&target));
                let _ = attribute.initiators(&target).count();
            }
        }
    }
    for kind in topology.cpu_kinds() {
        let _ = (kind.efficiency(), kind.forced_efficiency(), kind.infos().count(), kind.cpuset());
    }
    for tier in topology.memory_tiers() {
        let _ = (tier.kinds(), tier.nodeset(), tier.infos().count());
    }
    for locality in topology.pci_localities() {
        let _ = (locality.domain(), locality.buses(), locality.cpuset());
    }
    let _ = (topology.cpu_kind_of(&cpuset), topology.cpu_kind_of(&Set::new()), topology.support().count());
    for object in topology.objects() {
        let _ = (object.core_kind(), object.memory_tier(), topology.filter(object.ty()));
    }
}
