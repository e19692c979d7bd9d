//! Internet addresses. rkyv keeps their fields private, so each is measured on a mirror of its declaration.
//!
//! Source: SPEC 5.10; rkyv `net.rs`.

use alloc::borrow::Cow;
use rkyv::{
    net::{
        ArchivedIpAddr, ArchivedIpv4Addr, ArchivedIpv6Addr, ArchivedSocketAddr, ArchivedSocketAddrV4,
        ArchivedSocketAddrV6,
    },
    primitive::{ArchivedU16, ArchivedU32},
};

use super::{
    Shape,
    enums::{enum_of, variant},
    refine::layout,
    structs::fields,
};

#[repr(C)]
struct V4Mirror {
    ip: ArchivedIpv4Addr,
    port: ArchivedU16,
}

#[repr(C)]
struct V6Mirror {
    ip: ArchivedIpv6Addr,
    port: ArchivedU16,
    flowinfo: ArchivedU32,
    scope_id: ArchivedU32,
}

#[repr(C)]
struct OctetsMirror<const N: usize> {
    octets: [u8; N],
}

macro_rules! same {
    ($ty:ty, $mirror:ty) => {
        assert!(size_of::<$ty>() == size_of::<$mirror>(), "rkyv changed one of its addresses");
        assert!(align_of::<$ty>() == align_of::<$mirror>(), "rkyv changed one of its addresses");
    };
}

layout!([] ArchivedIpv4Addr => "Ipv4Addr", {
    same!(ArchivedIpv4Addr, OctetsMirror<4>);
    fields!(OctetsMirror<4>: "octets", octets, [u8; 4];)
}, [[u8; 4]]);
layout!([] ArchivedIpv6Addr => "Ipv6Addr", {
    same!(ArchivedIpv6Addr, OctetsMirror<16>);
    fields!(OctetsMirror<16>: "octets", octets, [u8; 16];)
}, [[u8; 16]]);
layout!([] ArchivedIpAddr => "IpAddr", {
    enum_of!(ArchivedIpAddr: ArchivedIpv4Addr, ArchivedIpv6Addr);
    Shape::Enum { variants: Cow::Borrowed(&[
        variant!("V4", 0, ArchivedIpv4Addr),
        variant!("V6", 1, ArchivedIpv6Addr),
    ]) }
}, [ArchivedIpv4Addr, ArchivedIpv6Addr]);

layout!([] ArchivedSocketAddrV4 => "SocketAddrV4", {
    same!(ArchivedSocketAddrV4, V4Mirror);
    fields!(V4Mirror: "ip", ip, ArchivedIpv4Addr; "port", port, ArchivedU16;)
}, [ArchivedIpv4Addr, ArchivedU16]);
layout!([] ArchivedSocketAddrV6 => "SocketAddrV6", {
    same!(ArchivedSocketAddrV6, V6Mirror);
    fields!(V6Mirror:
        "ip", ip, ArchivedIpv6Addr;
        "port", port, ArchivedU16;
        "flowinfo", flowinfo, ArchivedU32;
        "scope_id", scope_id, ArchivedU32;
    )
}, [ArchivedIpv6Addr, ArchivedU16, ArchivedU32, ArchivedU32]);
layout!([] ArchivedSocketAddr => "SocketAddr", {
    enum_of!(ArchivedSocketAddr: ArchivedSocketAddrV4, ArchivedSocketAddrV6);
    Shape::Enum { variants: Cow::Borrowed(&[
        variant!("V4", 0, ArchivedSocketAddrV4),
        variant!("V6", 1, ArchivedSocketAddrV6),
    ]) }
}, [ArchivedSocketAddrV4, ArchivedSocketAddrV6]);
