//! Network interfaces and OpenFabrics devices.

use crate::model::attributes::OsDevice;
use crate::model::builder::Node;

use super::super::files::Files;
use super::forest::os_device;

/// More than a device has of ports, and of addresses for each.
const LIMIT: usize = 1024;

pub(super) fn network(files: &Files<'_>, name: &str, path: &str) -> Node {
    let mut node = os_device(name, OsDevice::NETWORK);
    if let Some(address) = files.line(&format!("{path}/address")) {
        node = node.info("Address", address);
    }
    // Which port of an OpenFabrics device this is, from 1. Older kernels have dev_id, in hexadecimal.
    if files.exists(&format!("{path}/device/infiniband")) {
        let port = files.number::<u32>(&format!("{path}/dev_port"));
        if let Some(port) = port.or_else(|| files.hexadecimal(&format!("{path}/dev_id"))) {
            node = node.info("Port", (u64::from(port) + 1).to_string());
        }
    }
    node
}

pub(super) fn infiniband(files: &Files<'_>, name: &str, path: &str) -> Option<Node> {
    // Not devices but a way between the processors of a machine.
    if name.starts_with("scif") {
        return None;
    }
    let mut node = os_device(name, OsDevice::NETWORK | OsDevice::OPENFABRICS);
    // The leading part that is made of these characters.
    let value = |file: String, characters: &str| {
        let text = files.line(&file)?;
        let end = text.find(|c| !characters.contains(c)).unwrap_or(text.len());
        Some(text[..end].to_owned()).filter(|text| !text.is_empty())
    };
    const GUID: &str = "0123456789abcdefx:";
    let mut info = |name: String, value: Option<String>| node.infos.extend(value.map(|value| (name, value)));
    info("NodeGUID".to_owned(), value(format!("{path}/node_guid"), GUID));
    info("SysImageGUID".to_owned(), value(format!("{path}/sys_image_guid"), GUID));
    for port in files.numbered(&format!("{path}/ports"), "", "").into_iter().take(LIMIT) {
        let file = |name: &str| format!("{path}/ports/{port}/{name}");
        // `4: ACTIVE`.
        let state = value(file("state"), "0123456789");
        if state.is_none() {
            continue;
        }
        info(format!("Port{port}State"), state);
        info(format!("Port{port}LID"), value(file("lid"), "0123456789abcdefx"));
        info(format!("Port{port}LMC"), value(file("lid_mask_count"), "0123456789"));
        for index in files.numbered(&file("gids"), "", "").into_iter().take(LIMIT) {
            let gid = value(file(&format!("gids/{index}")), GUID);
            // Without its second half it is not set.
            let gid =
                gid.filter(|gid| gid.get(20..).is_some_and(|half| half.chars().any(|c| !"0:".contains(c))));
            info(format!("Port{port}GID{index}"), gid);
        }
    }
    Some(node)
}
