//! Wrappers for fields: `#[rkyv(with = …)]`.

mod archive;
mod hash;
mod tree;

use std::fmt;
use std::marker::PhantomData;

use graven_format::layout::Layout;
use rkyv::rancor::Source;
use rkyv::with::{Identity, MapKV};
use rkyv::{Archive, Serialize};

use self::archive::Keys;
use crate::write::stream::Serializer;
use crate::{Cause, Error, Result};

/// Archives a map or a set by its *archived* keys: lookups in the archive find every key, whatever its type.
///
/// rkyv places an entry of a hash map by the hash of the key before archiving, and looks it up by that of the archived
/// key; entries of a B-tree are in the order of the keys before archiving. Where the two differ, nothing is found:
///
/// | keys | why |
/// |---|---|
/// | `IpAddr`, `SocketAddr` and their kin | the standard library hashes them as integers |
/// | arrays, `Vec`, boxed and shared slices of integers of two or four bytes | it hashes them as one run of bytes |
/// | structs, tuples, enums, options with one of these inside | |
/// | keys that are archived by a wrapper, as paths `AsString` | the archived key is another type, with its own hash and order |
/// | keys with a `Hash` or `Ord` of their own | |
///
/// With this wrapper an entry is where the archived key's own `Hash` or `Ord` says, so all of them are found.
/// `#[graven::object]` puts it on every field that spells such a map; with `#[derive(Layout)]` a field that needs it is
/// a compile error. The archived type is the same as without it; lookups cost the same. It takes `HashMap`, `HashSet`,
/// `BTreeMap`, `BTreeSet`, and with the feature `indexmap-2` `IndexMap` and `IndexSet`.
///
/// Entries of hash maps are written in the order of their hashes, so that equal values are equal bytes: the standard
/// library iterates in another order in every process, and where entries collide the order decides who lies where.
///
/// `ArchivedKeys<K, V>` archives keys by the wrapper `K` and values by `V`, as rkyv's `MapKV<K, V>` does. Inside other
/// containers write `#[rkyv(with = graven::rkyv::with::Map<graven::with::ArchivedKeys>)]`, or give the map a struct of
/// its own.
///
/// Cost: writing archives each key into memory first, as an object of its own, and checks it. While a map is written, all
/// its keys are there as they are archived, each with whatever it points to: a text that many keys share is there once for
/// each. To that come about 56 bytes per entry. Then it sorts, O(n log n) for hash maps, O(n) for B-trees whose order is
/// the same.
///
/// # Errors
/// Writing a map of which two keys are archived as equal ones is an error: lookups would find one of them only. So is a
/// key that cannot be written as an object, or whose `Archive` and `Serialize` do not make what its layout says.
///
/// # Panics
/// The standard library may, where it sorts: if the `Ord` of a B-tree's archived keys is no total order.
///
/// # Examples
/// ```
/// # use graven_store as graven;
/// use std::{collections::HashMap, net::Ipv4Addr};
///
/// #[derive(rkyv::Archive, rkyv::Serialize)]
/// struct Routes {
///     #[rkyv(with = graven::with::ArchivedKeys)]
///     gateways: HashMap<Ipv4Addr, u32>,
/// }
///
/// let routes = Routes { gateways: HashMap::from([([10, 0, 0, 1].into(), 7)]) };
/// let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&routes)?;
/// let routes = rkyv::access::<ArchivedRoutes, rkyv::rancor::BoxedError>(&bytes)?;
/// let gateway = graven::with::archived(&Ipv4Addr::new(10, 0, 0, 1), |key| routes.gateways.get(key))?;
/// assert_eq!(gateway.unwrap(), &7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 6.3 (hash maps, index maps, B-trees).
pub struct ArchivedKeys<K = Identity, V = Identity>(PhantomData<(K, V)>);

impl<K, V> fmt::Debug for ArchivedKeys<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchivedKeys")
    }
}

/// [`ArchivedKeys`], where what is wanted is that equal values are equal bytes.
///
/// # Examples
/// ```
/// # use graven_store as graven;
/// use std::collections::HashMap;
///
/// #[derive(rkyv::Archive, rkyv::Serialize)]
/// struct Ports {
///     #[rkyv(with = graven::with::Sorted)]
///     by_name: HashMap<String, u16>,
/// }
///
/// let ports = |names: [&str; 3]| Ports { by_name: names.map(|name| (name.to_string(), name.len() as u16)).into() };
/// let bytes = |ports: Ports| rkyv::to_bytes::<rkyv::rancor::Error>(&ports).unwrap().into_vec();
/// assert_eq!(bytes(ports(["ssh", "http", "dns"])), bytes(ports(["dns", "ssh", "http"])));
/// ```
pub type Sorted = ArchivedKeys;

/// Calls `look` with a key as it is archived, which is what maps of such keys are looked up by.
///
/// Strings, integers and the like need none of this: an archived map is looked up by `&str` and rkyv's integers. And
/// `get_with` of an archived map, which takes the key of the program, finds only keys that hash alike: see
/// [`ArchivedKeys`]. Cost: the key is archived into memory of its own; who looks the same key up often keeps it archived.
///
/// # Errors
/// As [`Writer::put`](crate::Writer::put) of the key: [`Cause::Serialize`], also if what its `Archive` and `Serialize` make
/// is not valid; [`Cause::TooLarge`], [`Cause::Overaligned`], [`Cause::Unwritable`].
///
/// # Examples
/// ```
/// # use graven_store as graven;
/// use std::{collections::HashMap, net::IpAddr};
///
/// #[derive(rkyv::Archive, rkyv::Serialize)]
/// struct Routes {
///     #[rkyv(with = graven::with::ArchivedKeys)]
///     gateways: HashMap<IpAddr, String>,
/// }
///
/// let (here, there): (IpAddr, IpAddr) = ("127.0.0.1".parse()?, "10.0.0.1".parse()?);
/// let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&Routes { gateways: [(here, "lo".into())].into() })?;
/// let routes = rkyv::access::<ArchivedRoutes, rkyv::rancor::BoxedError>(&bytes)?;
///
/// let gateway = |address: IpAddr| graven::with::archived(&address, |key| routes.gateways.get(key));
/// assert_eq!(gateway(here)?.unwrap(), "lo");
/// assert!(gateway(there)?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn archived<K, R>(key: &K, look: impl FnOnce(&K::Archived) -> R) -> Result<R>
where
    K: Archive<Archived: Layout> + for<'s> Serialize<Serializer<'s>>,
{
    let keys = Keys::<Identity, K>::archive(&mut std::iter::once(key)).map_err(Error::new)?;
    Ok(look(keys.get(0).archived()))
}

/// What `#[graven::object]` writes a field with in the place of a wrapper of rkyv's.
#[doc(hidden)]
pub trait Instead {
    type With;
}

impl<K, V> Instead for MapKV<K, V> {
    type With = ArchivedKeys<K, V>;
}

/// Keys that cannot be archived, as an error of whoever writes the map.
fn refuse<E: Source>(cause: Cause) -> E {
    E::new(Error::new(cause))
}

/// Two keys of one map are one key when they are archived.
#[derive(Debug)]
struct EqualKeys {
    key: &'static str,
}

impl EqualKeys {
    fn of<K>() -> EqualKeys {
        EqualKeys { key: std::any::type_name::<K>() }
    }
}

impl fmt::Display for EqualKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EqualKeys { key } = self;
        write!(
            f,
            "two keys of a map (`{key}`) are equal once they are archived: lookups would find one of them only"
        )
    }
}

impl std::error::Error for EqualKeys {}

/// Entries per bucket, as in rkyv's own impls for these types.
const LOAD_FACTOR: (usize, usize) = (7, 8);
