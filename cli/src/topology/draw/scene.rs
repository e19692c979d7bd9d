//! Which objects are drawn, and what is said of them and of the whole.

use std::ops::Range;

use graven_topology::attributes::OsDevice;
use graven_topology::{Bits, ChildKind, ObjectRef, Topo, Type};

use super::label::{Label, important, label, tooltip};
use crate::text::{count, printable, short};

/// How many boxes there may be unless all are wanted.
const BOXES: usize = 3000;
/// How deep they may nest unless all are wanted.
const DEPTH: u32 = 48;
/// How many children of one object are drawn: the first of these numbers with which there are few enough boxes.
const CHILDREN: [usize; 7] = [usize::MAX, 64, 32, 16, 8, 4, 3];
/// From how many processing units on labels are short.
const DENSE: u32 = 64;
/// As many devices without anything below them are drawn as one, if they are of one model.
const ALIKE: usize = 3;
/// Kinds of processors in the legend.
const KINDS: usize = 8;

/// What is to be drawn.
pub(super) struct Scene {
    /// The boxes, a parent before its children.
    pub(super) tiles: Vec<Tile>,
    /// What the picture is of.
    pub(super) title: String,
    /// What stands below the picture.
    pub(super) legend: Vec<(Option<Tint>, String)>,
    /// Whether there is so much that it must be small.
    pub(super) dense: bool,
}

/// A box.
pub(super) struct Tile {
    pub(super) what: What,
    pub(super) tint: Option<Tint>,
    pub(super) label: Label,
    /// Speed of the link to it.
    pub(super) speed: Option<String>,
    pub(super) tooltip: String,
    /// Its normal, memory, I/O and misc children, which follow each other.
    pub(super) children: [Range<usize>; 4],
}

/// What a box stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// An object of this type.
    Object(Type),
    /// Objects that are left out.
    More,
}

/// A colour that is not the type's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tint {
    /// Of this kind of processors.
    Kind(usize),
    /// Not allowed.
    Forbidden,
}

/// Chooses what is drawn; everything if `full`.
pub(super) fn scene<T: Topo>(topology: &T, full: bool) -> Scene {
    let interesting = if full { None } else { Some(interesting(topology)) };
    let mut chosen = None;
    for most in CHILDREN {
        let choice = Choice { topology, interesting: interesting.as_deref(), most };
        let items = choice.items();
        let fits = full || items.len() <= BOXES;
        chosen = Some(items);
        if fits {
            break;
        }
    }
    let items = chosen.unwrap_or_default();
    let drawn =
        |ty| items.iter().filter(|item| item.object().is_some_and(|object| object.ty() == ty)).count();
    let dense = drawn(Type::Pu) > DENSE as usize;
    let objects = items.iter().filter(|item| item.object().is_some()).count();
    let devices = interesting.as_ref().map_or(0, |interesting| {
        let dull = |object: &ObjectRef<'_, T>| !interesting[object.index() as usize];
        topology.objects().filter(dull).count()
    });
    let others = (topology.object_count() as usize).saturating_sub(objects + devices);
    let tiles: Vec<Tile> = items.iter().map(|item| item.tile(topology, dense)).collect();
    let host = topology.infos().chain(topology.root().infos()).find(|(name, _)| *name == "HostName");
    let title =
        host.map_or("Topology".to_owned(), |(_, host)| format!("Topology of {}", short(printable(host))));
    let legend = legend(topology, &tiles, devices, others);
    Scene { tiles, title, legend, dense }
}

/// A box, before it is known how much is to be said.
enum Item<'a, T> {
    Object(ObjectRef<'a, T>, [Range<usize>; 4]),
    /// How many objects are left out here, and what they are.
    More(usize, Type),
}

impl<T: Topo> Item<'_, T> {
    fn object(&self) -> Option<ObjectRef<'_, T>> {
        match self {
            Item::Object(object, _) => Some(*object),
            Item::More(..) => None,
        }
    }

    fn tile(&self, topology: &T, dense: bool) -> Tile {
        match self {
            Item::Object(object, children) => {
                let pci = object.pci().or(object.bridge().filter(|bridge| !bridge.host).map(|b| b.upstream));
                let speed = pci.map(|pci| pci.link_speed()).filter(|speed| (0.05..1e4).contains(speed));
                let speed = speed
                    .map(|speed| if speed < 9.95 { format!("{speed:.1}") } else { format!("{speed:.0}") });
                Tile {
                    what: What::Object(object.ty()),
                    tint: tint(topology, object),
                    label: label(object, dense),
                    speed,
                    tooltip: tooltip(object),
                    children: children.clone(),
                }
            }
            Item::More(number, ty) => {
                let titles = vec![format!("… {}", count(*number as u64, &format!("more {ty}")))];
                Tile {
                    what: What::More,
                    tint: None,
                    label: Label { titles, needed: 0, second: None },
                    speed: None,
                    tooltip: "Left out; --full draws all".to_owned(),
                    children: [0..0, 0..0, 0..0, 0..0],
                }
            }
        }
    }
}

struct Choice<'a, T> {
    topology: &'a T,
    /// Which objects are drawn at all, by index.
    interesting: Option<&'a [bool]>,
    /// How many children of one object.
    most: usize,
}

impl<'a, T: Topo> Choice<'a, T> {
    /// The boxes, breadth first.
    fn items(&self) -> Vec<Item<'a, T>> {
        let none = || [0..0, 0..0, 0..0, 0..0];
        let mut items = vec![Item::Object(self.topology.root(), none())];
        // Where each level of boxes ends.
        let (mut level, mut end, mut next) = (0, 1, 0);
        while next < items.len() {
            if next == end {
                (level, end) = (level + 1, items.len());
            }
            if let Item::Object(object, _) = items[next] {
                let mut children = none();
                for kind in ChildKind::ALL {
                    let first = items.len();
                    self.children(&object, kind, level, &mut items);
                    children[kind as usize] = first..items.len();
                }
                items[next] = Item::Object(object, children);
            }
            next += 1;
        }
        items
    }

    fn children(&self, parent: &ObjectRef<'a, T>, kind: ChildKind, level: u32, items: &mut Vec<Item<'a, T>>) {
        let drawn =
            |object: &ObjectRef<'a, T>| self.interesting.is_none_or(|list| list[object.index() as usize]);
        let list: Vec<ObjectRef<'a, T>> = parent.children(kind).filter(drawn).collect();
        let Some(interesting) = list.first() else { return };
        let ty = interesting.ty();
        let limited = self.interesting.is_some();
        // With few children each there may still be many in all.
        if limited && (level >= DEPTH || (self.most <= CHILDREN[CHILDREN.len() - 1] && items.len() >= BOXES))
        {
            items.push(Item::More(list.len(), ty));
            return;
        }
        let mut some = Vec::new();
        for run in list.chunk_by(|a, b| limited && alike(a, b)) {
            if run.len() >= ALIKE && limited && alike(&run[0], &run[1]) {
                some.extend([Item::Object(run[0], [0..0, 0..0, 0..0, 0..0]), Item::More(run.len() - 1, ty)]);
            } else {
                some.extend(run.iter().map(|object| Item::Object(*object, [0..0, 0..0, 0..0, 0..0])));
            }
        }
        if some.len() > self.most {
            // The first ones, and the last one.
            let hidden = some.splice(self.most - 2..some.len() - 1, []);
            let hidden = hidden.map(|item| if let Item::More(number, _) = item { number } else { 1 }).sum();
            some.insert(self.most - 2, Item::More(hidden, ty));
        }
        items.extend(some);
    }
}

/// Whether two devices are of one model, with nothing below them that would tell them apart.
fn alike<T: Topo>(a: &ObjectRef<'_, T>, b: &ObjectRef<'_, T>) -> bool {
    let leaf = |object: &ObjectRef<'_, T>| ChildKind::ALL.iter().all(|&kind| object.arity(kind) == 0);
    let model = |object: &ObjectRef<'_, T>| object.pci().map(|pci| (pci.class, pci.vendor, pci.device));
    model(a).is_some() && model(a) == model(b) && leaf(a) && leaf(b)
}

/// Which objects are drawn, by index: all but devices that hwloc calls unimportant, and bridges without others.
fn interesting<T: Topo>(topology: &T) -> Vec<bool> {
    let mut interesting = vec![true; topology.object_count() as usize];
    // A parent's index is smaller than its children's.
    for object in topology.objects().rev() {
        let own = match object.ty() {
            Type::Bridge => false,
            Type::PciDevice => object.subtype().is_some() || object.pci().is_some_and(|pci| important(&pci)),
            Type::OsDevice => object.os_device().is_none_or(|device| device.kinds != OsDevice::DMA),
            _ => true,
        };
        let below = || {
            [ChildKind::Io, ChildKind::Misc]
                .into_iter()
                .any(|kind| object.children(kind).any(|child| interesting[child.index() as usize]))
        };
        let drawn = own || below();
        interesting[object.index() as usize] = drawn;
    }
    interesting
}

fn tint<T: Topo>(topology: &T, object: &ObjectRef<'_, T>) -> Option<Tint> {
    let allowed = match object.ty() {
        Type::Pu => topology.allowed_cpuset(),
        Type::NumaNode => topology.allowed_nodeset(),
        _ => None,
    };
    if let (Some(allowed), Some(index)) = (allowed, object.os_index())
        && !allowed.contains(index)
    {
        return Some(Tint::Forbidden);
    }
    if topology.cpu_kind_count() < 2 || !matches!(object.ty(), Type::Core | Type::Pu) {
        return None;
    }
    let kind = topology.cpu_kind_of(&object.cpuset()?).ok()?;
    Some(Tint::Kind(kind.index() as usize))
}

fn legend<T: Topo>(
    topology: &T,
    tiles: &[Tile],
    devices: usize,
    others: usize,
) -> Vec<(Option<Tint>, String)> {
    let mut legend = Vec::new();
    let infos = || topology.infos().chain(topology.root().infos());
    let known = ["HostName", "OSName", "OSRelease", "Architecture"].into_iter().filter_map(|wanted| {
        let (_, value) = infos().find(|(name, _)| *name == wanted)?;
        Some(short(printable(value)))
    });
    let known: Vec<String> = known.collect();
    if !known.is_empty() {
        legend.push((None, known.join(", ")));
    }
    let tinted = |tint| tiles.iter().any(|tile| tile.tint == Some(tint));
    for kind in topology.cpu_kinds().take(KINDS).filter(|kind| tinted(Tint::Kind(kind.index() as usize))) {
        let infos = kind.infos().take(4);
        let infos: Vec<String> = infos
            .map(|(name, value)| format!("{} {}", short(printable(name)), short(printable(value))))
            .collect();
        let text = format!("Processors of kind {}: {}", kind.index(), infos.join(", "));
        legend.push((Some(Tint::Kind(kind.index() as usize)), text));
    }
    if tinted(Tint::Forbidden) {
        legend.push((Some(Tint::Forbidden), "Not allowed".to_owned()));
    }
    let devices = match devices {
        0 => None,
        1 => Some("a device or bridge of little interest".to_owned()),
        number => Some(format!("{number} devices and bridges of little interest")),
    };
    let others = (others > 0).then(|| count(others as u64, "other object"));
    let what: Vec<String> = devices.into_iter().chain(others).collect();
    if !what.is_empty() {
        legend.push((None, format!("Left out: {} (--full draws all)", what.join(", "))));
    }
    legend
}
