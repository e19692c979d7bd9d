//! What elements beside the objects call objects by.

use std::collections::BTreeMap;

use crate::model::builder::NodeId;
use crate::model::types::Type;

use super::error::{LineColumn, XmlError};

/// The objects that a reference may name.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) by_gp_index: BTreeMap<u64, (Type, usize)>,
    pub(super) by_os_index: BTreeMap<(Type, u32), usize>,
}

/// The objects when all are known; what hwloc would have taken out is `None`.
pub(super) struct Objects {
    pub(super) names: Names,
    pub(super) ids: Vec<Option<NodeId>>,
}

impl Objects {
    fn resolve(
        &self,
        position: Option<usize>,
        error: impl FnOnce() -> XmlError,
    ) -> Result<Option<NodeId>, XmlError> {
        let position = position.ok_or_else(error)?;
        Ok(self.ids.get(position).copied().flatten())
    }

    /// The object with this gp_index, which must be of type `ty`.
    pub(super) fn by_gp_index(
        &self,
        ty: Type,
        index: u64,
        at: impl FnOnce() -> LineColumn,
    ) -> Result<Option<NodeId>, XmlError> {
        let found = self.names.by_gp_index.get(&index).filter(|(found, _)| *found == ty);
        self.resolve(found.map(|(_, position)| *position), || XmlError::UnknownObject { at: at(), ty, index })
    }

    /// The processing unit or NUMA node with this os_index.
    pub(super) fn by_os_index(
        &self,
        ty: Type,
        index: u64,
        at: impl FnOnce() -> LineColumn,
    ) -> Result<Option<NodeId>, XmlError> {
        let small = u32::try_from(index).ok();
        let found = small.and_then(|small| self.names.by_os_index.get(&(ty, small)));
        self.resolve(found.copied(), || XmlError::UnknownObject { at: at(), ty, index })
    }
}
