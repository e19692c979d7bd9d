//! Keys of hash maps that hash otherwise when they are archived, where `Layout` is derived.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use graven::{
    Archive, Deserialize, Layout, Serialize,
    rkyv::with::{AsBox, AsString, Identity, Map, MapKV},
};

#[derive(Archive, Serialize, Deserialize, Layout)]
struct Spelled {
    address: HashMap<Ipv4Addr, u32>,
    words: HashSet<[u16; 4]>,
    numbers: HashMap<Vec<u32>, u32>,
    tuple: HashMap<(u8, Option<SocketAddr>), u32>,
    inside: Vec<HashMap<String, HashMap<Box<[i32]>, u8>>>,
    shared: Arc<HashMap<IpAddr, u32>>,
}

#[derive(Archive, Serialize, Deserialize, Layout, PartialEq, Eq, Hash)]
#[rkyv(derive(PartialEq, Eq, Hash))]
struct Endpoint {
    address: IpAddr,
    port: u16,
}

#[derive(Archive, Serialize, Deserialize, Layout, PartialEq, Eq, Hash)]
#[rkyv(derive(PartialEq, Eq, Hash))]
enum Place {
    Nowhere,
    At(Endpoint),
}

type Address = IpAddr;

#[derive(Archive, Serialize, Deserialize, Layout)]
struct Behind {
    structure: HashMap<Endpoint, u32>,
    enumeration: HashMap<Place, u32>,
    alias: HashMap<Address, u32>,
}

#[derive(Archive, Serialize, Deserialize, Layout)]
struct Wrapped {
    #[rkyv(with = MapKV<AsString, Identity>)]
    sizes: HashMap<PathBuf, u32>,
    #[rkyv(with = Map<MapKV<AsString, AsString>>)]
    links: Vec<BTreeMap<PathBuf, PathBuf>>,
}

// No wrapper reaches there.
#[graven::object]
struct Object {
    shared: Arc<HashMap<IpAddr, u32>>,
}

// All of these are fine.
#[derive(Archive, Serialize, Deserialize, Layout)]
struct Fine {
    #[rkyv(with = graven::with::ArchivedKeys)]
    address: HashMap<Ipv4Addr, u32>,
    #[rkyv(with = Map<graven::with::ArchivedKeys>)]
    many: Vec<HashMap<Endpoint, u32>>,
    #[rkyv(with = MapKV<Identity, AsString>)]
    paths: HashMap<u32, PathBuf>,
    #[rkyv(with = MapKV<AsBox, Identity>)]
    boxed: HashMap<u32, u32>,
    tree: BTreeMap<Ipv4Addr, u32>,
    values: HashMap<String, Vec<u16>>,
    bytes: HashMap<[u8; 6], HashSet<Option<(char, Box<str>)>>>,
}

fn main() {}
