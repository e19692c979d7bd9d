//! Where boxes stand: sizes from the leaves up, then places from the root down.
//!
//! Nothing recurses, as a topology may be as deep as it likes: in the scene a parent stands before its children.

use std::collections::HashMap;
use std::ops::Range;

use graven_topology::Type;

use super::pack::{Rows, Size};
use super::scene::{Scene, Tile, What};
use crate::picture;

/// As many processing units of a core stand in one row.
const THREADS: usize = 4;
/// Size of a bridge.
const HUB: u64 = 10;
/// From a bridge to what is behind it.
const LINK: u64 = 34;
/// Around the whole.
const MARGIN: u64 = 8;
/// Of the font of link speeds.
pub(super) const SPEED_FONT: u32 = 8;

/// Sizes that depend on how much there is to draw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metrics {
    pub(super) font: u32,
    /// Of a line of text.
    pub(super) line: u64,
    /// Inside of a box.
    pub(super) pad: u64,
    /// Between boxes.
    pub(super) gap: u64,
}

/// A picture without colours.
pub(super) struct Layout {
    pub(super) metrics: Metrics,
    pub(super) size: Size,
    /// A place for each of the scene's boxes.
    pub(super) spots: Vec<Spot>,
    /// Connections of devices, from and to.
    pub(super) links: Vec<[(u64, u64); 2]>,
    /// Speeds of links, with the middle of their line.
    pub(super) speeds: Vec<(u64, u64, String)>,
    /// Lines of the legend: left end and top.
    pub(super) legend: Vec<(u64, u64)>,
}

/// Where a box is and what it says.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) size: Size,
    /// Lines of text from the top.
    pub(super) lines: Vec<String>,
    /// In the middle of the box, which has nothing else in it.
    pub(super) centered: bool,
}

/// How a box and what belongs to it stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrangement {
    /// Around it.
    Frame,
    /// Above it, as wide.
    Bar,
    /// To the left of it, with lines.
    Hub,
}

impl Arrangement {
    fn of(what: What) -> Arrangement {
        match what {
            What::Object(Type::Bridge) => Arrangement::Hub,
            What::Object(ty) if ty.is_cache() || ty == Type::MemCache => Arrangement::Bar,
            _ => Arrangement::Frame,
        }
    }
}

/// What is known of a box before it has a place.
#[derive(Default)]
struct Measured {
    size: Size,
    /// Of its title.
    head: u64,
    normal: Rows,
    memory: Rows,
    io: Rows,
    misc: Rows,
}

/// Lays a scene out.
pub(super) fn layout(scene: &Scene) -> Layout {
    let metrics = match scene.dense {
        false => Metrics { font: 11, line: 15, pad: 6, gap: 6 },
        true => Metrics { font: 9, line: 12, pad: 4, gap: 4 },
    };
    let sizer = Sizer::new(scene, metrics);
    let measured = sizer.measure();
    let legend_line = metrics.line + 2;
    let legend_width =
        scene.legend.iter().map(|(_, text)| sizer.width(text) + legend_line + 4).max().unwrap_or(0);
    let root = measured.first().map_or(Size::default(), |root| root.size);
    let width = root.width.max(legend_width);
    let mut picture = Picture {
        scene,
        metrics,
        measured: &measured,
        spots: Vec::new(),
        links: Vec::new(),
        speeds: Vec::new(),
    };
    picture.place(Size::new(width, root.height));
    let Picture { mut spots, links, speeds, .. } = picture;
    sizer.choose_titles(&mut spots);
    let below = MARGIN + root.height + metrics.gap;
    let legend: Vec<(u64, u64)> =
        (0..scene.legend.len() as u64).map(|line| (MARGIN, below + line * legend_line)).collect();
    let height = below + legend.len() as u64 * legend_line + MARGIN;
    Layout { metrics, size: Size::new(width + 2 * MARGIN, height), spots, links, speeds, legend }
}

struct Sizer<'a> {
    scene: &'a Scene,
    metrics: Metrics,
    /// Width of the widest title of each type whose objects are to be of one size.
    widths: HashMap<Type, u64>,
}

impl<'a> Sizer<'a> {
    fn new(scene: &'a Scene, metrics: Metrics) -> Sizer<'a> {
        let mut sizer = Sizer { scene, metrics, widths: HashMap::new() };
        for tile in &scene.tiles {
            if let What::Object(ty) = tile.what
                && uniform(ty)
            {
                let width = sizer.own_width(tile);
                let widest = sizer.widths.entry(ty).or_default();
                *widest = width.max(*widest);
            }
        }
        sizer
    }

    fn width(&self, text: &str) -> u64 {
        picture::width(text, self.metrics.font).into()
    }

    fn own_width(&self, tile: &Tile) -> u64 {
        let title = tile.label.titles.get(tile.label.needed);
        title.into_iter().chain(&tile.label.second).map(|text| self.width(text)).max().unwrap_or(0)
    }

    fn needed_width(&self, tile: &Tile) -> u64 {
        match tile.what {
            What::Object(ty) if uniform(ty) => self.widths.get(&ty).copied().unwrap_or(0),
            _ => self.own_width(tile),
        }
    }

    fn measure(&self) -> Vec<Measured> {
        let mut measured: Vec<Measured> = Vec::new();
        measured.resize_with(self.scene.tiles.len(), Measured::default);
        // The scene is breadth first: a level's children are the next level.
        let (mut levels, mut level) = (Vec::new(), 0..self.scene.tiles.len().min(1));
        while !level.is_empty() {
            let lists = self.scene.tiles[level.clone()].iter().flat_map(|tile| &tile.children);
            let end = lists.map(|list| list.end).max().unwrap_or(0).max(level.end);
            levels.push(level.clone());
            level = level.end..end;
        }
        for level in levels.into_iter().rev() {
            let numbers = self.row_lengths(level.clone(), &measured);
            for index in level {
                let tile = &self.scene.tiles[index];
                let number = numbers.get(&(tile.what, tile.children[0].len())).copied();
                measured[index] = self.measure_one(tile, number, &measured);
            }
        }
        measured
    }

    /// Objects of a level that are alike have rows of one length: the best for all of them together.
    fn row_lengths(&self, level: Range<usize>, done: &[Measured]) -> HashMap<(What, usize), usize> {
        let mut costs: HashMap<(What, usize), Vec<u64>> = HashMap::new();
        for tile in &self.scene.tiles[level] {
            let Some(equal) = self.equal(tile, done) else { continue };
            let sums = costs.entry((tile.what, equal.len())).or_insert_with(|| vec![0; equal.len()]);
            let beside = Size::new(widest(&sizes(tile.children[2].clone(), done)), 0);
            for (sum, cost) in sums.iter_mut().zip(Rows::costs(&equal, beside, self.metrics.gap)) {
                *sum += cost;
            }
        }
        let best = |((what, children), costs): ((What, usize), Vec<u64>)| {
            let threads = what == What::Object(Type::Core) && children <= THREADS;
            let tried = (1..).zip(costs).filter(|(_, cost)| *cost > 0);
            let best = tried.min_by_key(|&(number, cost)| (cost, usize::MAX - number));
            let number = if threads { children } else { best.map_or(1, |(number, _)| number) };
            ((what, children), number)
        };
        costs.into_iter().map(best).collect()
    }

    /// The sizes of normal children, with one width, if they differ by a quarter at most.
    fn equal(&self, tile: &Tile, done: &[Measured]) -> Option<Vec<Size>> {
        let children = tile.children[0].clone();
        let more = |child: &usize| self.scene.tiles[*child].what == What::More;
        let widths = || children.clone().filter(|child| !more(child)).map(|child| done[child].size.width);
        let (least, most) = (widths().min()?, widths().max()?);
        let size = |child: usize| Size::new(most, done[child].size.height);
        (least * 4 >= most * 3).then(|| children.map(size).collect())
    }

    fn measure_one(&self, tile: &Tile, number: Option<usize>, done: &[Measured]) -> Measured {
        let Metrics { line, pad, gap, .. } = self.metrics;
        let [normal, memory, io, misc] = tile.children.clone().map(|list| sizes(list, done));
        let arrangement = Arrangement::of(tile.what);
        if arrangement == Arrangement::Hub {
            let behind: Vec<Size> = io.into_iter().chain(misc).collect();
            // One below the other, as the lines to them need.
            let io =
                Rows::within(u64::MAX, &behind.iter().map(|size| size.turned()).collect::<Vec<_>>(), gap);
            let size = match behind.len() {
                0 => Size::new(HUB, HUB),
                _ => Size::new(HUB + LINK, HUB).beside(io.turned_size(), 0),
            };
            return Measured { size, io, ..Measured::default() };
        }
        let normal = match (self.equal(tile, done), number) {
            (Some(equal), Some(number)) => Rows::of(number, &equal, gap),
            _ => Rows::shapely(&normal, Size::new(widest(&io), 0), gap),
        };
        let io = Rows::columns(&io, normal.size, gap);
        let body = normal.size.beside(io.turned_size(), gap);
        let label = self.needed_width(tile);
        let memory = Rows::within(body.width.max(label), &memory, gap);
        let misc = Rows::within(body.width.max(memory.size.width).max(label), &misc, gap);
        let inner = memory.size.above(body, gap).above(misc.size, gap);
        let head = line * (1 + u64::from(tile.label.second.is_some())) + 4;
        let size = match arrangement {
            Arrangement::Bar => Size::new((label + 2 * pad).max(inner.width), head).above(inner, gap),
            _ if inner.height > 0 => Size::new(label.max(inner.width) + 2 * pad, head + inner.height + pad),
            _ => Size::new(label + 2 * pad, head),
        };
        Measured { size, head, normal, memory, io, misc }
    }

    /// Objects of one type have titles of one form: the longest for which there is room in all.
    fn choose_titles(&self, spots: &mut [Spot]) {
        let chosen = |tile: &Tile, spot: &Spot| {
            let room = spot.size.width.saturating_sub(self.metrics.pad);
            let fits = |title: &String| self.width(title) <= room;
            tile.label.titles.iter().position(fits).unwrap_or(tile.label.needed).min(tile.label.needed)
        };
        let mut versions: HashMap<(Type, usize), usize> = HashMap::new();
        for (tile, spot) in self.scene.tiles.iter().zip(&*spots) {
            if let What::Object(ty) = tile.what {
                let version = versions.entry((form(ty), tile.label.titles.len())).or_default();
                *version = chosen(tile, spot).max(*version);
            }
        }
        for (tile, spot) in self.scene.tiles.iter().zip(spots) {
            let version = match tile.what {
                What::Object(ty) => versions.get(&(form(ty), tile.label.titles.len())).copied().unwrap_or(0),
                What::More => 0,
            };
            let title =
                tile.label.titles.get(version).filter(|_| Arrangement::of(tile.what) != Arrangement::Hub);
            spot.lines = title.into_iter().chain(&tile.label.second).cloned().collect();
        }
    }
}

/// A type whose titles have the same form.
fn form(ty: Type) -> Type {
    match ty {
        Type::L1iCache => Type::L1Cache,
        Type::L2iCache => Type::L2Cache,
        Type::L3iCache => Type::L3Cache,
        _ => ty,
    }
}

fn sizes(children: Range<usize>, done: &[Measured]) -> Vec<Size> {
    done[children].iter().map(|child| child.size).collect()
}

fn widest(sizes: &[Size]) -> u64 {
    sizes.iter().map(|size| size.width).max().unwrap_or(0)
}

/// Whether all boxes of a type get the size that the largest needs.
fn uniform(ty: Type) -> bool {
    !matches!(ty, Type::Bridge | Type::PciDevice | Type::OsDevice | Type::Misc)
}

struct Picture<'a> {
    scene: &'a Scene,
    metrics: Metrics,
    measured: &'a [Measured],
    spots: Vec<Spot>,
    links: Vec<[(u64, u64); 2]>,
    speeds: Vec<(u64, u64, String)>,
}

impl Picture<'_> {
    fn place(&mut self, root: Size) {
        let vacant = Spot { x: MARGIN, y: MARGIN, size: root, lines: Vec::new(), centered: false };
        self.spots = vec![vacant; self.scene.tiles.len()];
        for index in 0..self.scene.tiles.len() {
            match Arrangement::of(self.scene.tiles[index].what) {
                Arrangement::Hub => self.place_behind(index),
                arrangement => self.place_inside(index, arrangement),
            }
        }
    }

    /// Gives these children their places, relative to a corner.
    fn put(&mut self, children: Range<usize>, x: u64, y: u64, places: Vec<(u64, u64, Size)>) {
        for (spot, (dx, dy, size)) in self.spots[children].iter_mut().zip(places) {
            (spot.x, spot.y, spot.size) = (x + dx, y + dy, size);
        }
    }

    fn place_inside(&mut self, index: usize, arrangement: Arrangement) {
        let Metrics { pad, gap, .. } = self.metrics;
        let (tile, measured) = (&self.scene.tiles[index], &self.measured[index]);
        let [normal, memory, io, misc] = tile.children.clone();
        let Spot { mut x, mut y, size, .. } = self.spots[index];
        let mut width = size.width;
        let memory_side = tile.what == What::Object(Type::MemCache);
        if arrangement == Arrangement::Frame {
            self.spots[index].centered = tile.children.iter().all(|list| list.is_empty());
            (x, y, width) = (x + pad, y + measured.head, width.saturating_sub(2 * pad));
        } else if memory_side {
            y += measured.head + gap;
        }
        if !memory.is_empty() {
            self.put(memory, x, y, measured.memory.fill(width));
            y += measured.memory.size.height + gap;
        }
        if arrangement == Arrangement::Bar {
            let bar = &mut self.spots[index];
            (bar.size.height, bar.centered) = (measured.head, true);
            if !memory_side {
                bar.y = y;
                y += measured.head + gap;
            }
        }
        let devices = measured.io.turned_size();
        let body = measured.normal.size.beside(devices, gap).height;
        let mut room = width;
        if !io.is_empty() {
            // Devices stand at the right end, unless there is nothing to the left of them.
            let left = if normal.is_empty() { x } else { (x + width).saturating_sub(devices.width) };
            self.put(io, left, y, measured.io.fill_turned());
            room = room.saturating_sub(devices.width + gap);
        }
        if !normal.is_empty() {
            self.put(normal, x, y, measured.normal.fill(room));
        }
        if body > 0 {
            y += body + gap;
        }
        if !misc.is_empty() {
            self.put(misc, x, y, measured.misc.fill(width));
        }
    }

    /// A bridge, and lines to what is behind it.
    fn place_behind(&mut self, index: usize) {
        let tile = &self.scene.tiles[index];
        let behind = tile.children[2].start.min(tile.children[3].start)..tile.children[3].end;
        let behind = if tile.children[2].is_empty() { tile.children[3].clone() } else { behind };
        let Spot { x, y, .. } = self.spots[index];
        let mut places = self.measured[index].io.fill_turned();
        for (child, place) in behind.clone().zip(&mut places) {
            // Each is as wide as it must be.
            place.2 = self.measured[child].size;
        }
        self.put(behind.clone(), x + HUB + LINK, y, places);
        let hub = &mut self.spots[index];
        hub.size = Size::new(HUB, HUB);
        let (Some(first), Some(last)) = (behind.clone().next(), behind.clone().next_back()) else { return };
        // A bridge first in its list is where its parent's line comes in.
        let middle = y + HUB / 2;
        let trunk = x + HUB + 6;
        let ends = [first, last].map(|child| self.spots[child].y + HUB / 2);
        self.links.push([(x + HUB, middle), (trunk, middle)]);
        if behind.len() > 1 || ends[0] != middle {
            self.links.push([(trunk, middle.min(ends[0])), (trunk, ends[1].max(middle))]);
        }
        for child in behind {
            let (to, at) = (self.spots[child].x, self.spots[child].y + HUB / 2);
            self.links.push([(trunk, at), (to, at)]);
            if let Some(speed) = &self.scene.tiles[child].speed {
                self.speeds.push(((trunk + to) / 2, at.saturating_sub(2), speed.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::draw::scene::scene;
    use graven_topology::{Topology, synthetic, xml};

    fn check(topology: &Topology) {
        let scene = scene(topology, false);
        let layout = layout(&scene);
        let font = layout.metrics.font;
        for (tile, spot) in scene.tiles.iter().zip(&layout.spots) {
            for line in &spot.lines {
                let width = u64::from(picture::width(line, font));
                assert!(width + 4 <= spot.size.width, "{line:?} is wider than {spot:?}");
            }
            let height = spot.lines.len() as u64 * layout.metrics.line;
            assert!(height <= spot.size.height, "{:?} is lower than {height}", tile.what);
        }
        for ((_, line), (x, y)) in scene.legend.iter().zip(&layout.legend) {
            assert!(x + u64::from(picture::width(line, font)) <= layout.size.width, "{line:?}");
            assert!(y + layout.metrics.line <= layout.size.height, "{line:?}");
        }
    }

    #[test]
    fn texts_fit_their_boxes_and_the_picture() {
        let descriptions = [
            "pu:1",
            "package:2 numa:1 l3:2 core:3 pu:2",
            "package:2 l3:12 l2:8 core:1 pu:2",
            "group:3 package:5 [numa] core:7 pu:4",
        ];
        descriptions.iter().for_each(|description| check(&synthetic(description).unwrap()));
    }

    #[test]
    fn texts_fit_their_boxes_and_the_picture_real() {
        let collection = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/topologies");
        let Ok(entries) = std::fs::read_dir(collection) else {
            println!("SKIPPED: no directory of topologies beside the project");
            return;
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|end| end == "xml")) {
            check(&xml::read(std::fs::File::open(path).unwrap()).unwrap());
        }
    }
}
