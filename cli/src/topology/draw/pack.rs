//! Boxes in rows, and in columns, which are rows turned.

use std::ops::Range;

/// Width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Size {
    pub(super) width: u64,
    pub(super) height: u64,
}

impl Size {
    pub(super) fn new(width: u64, height: u64) -> Size {
        Size { width, height }
    }

    pub(super) fn turned(self) -> Size {
        Size::new(self.height, self.width)
    }

    /// Both beside each other, with a gap if there are both.
    pub(super) fn beside(self, other: Size, gap: u64) -> Size {
        let gap = if self.width > 0 && other.width > 0 { gap } else { 0 };
        Size::new(self.width + gap + other.width, self.height.max(other.height))
    }

    /// One above the other, with a gap if there are both.
    pub(super) fn above(self, other: Size, gap: u64) -> Size {
        self.turned().beside(other.turned(), gap).turned()
    }

    /// How wide a picture of the usual shape, 16 to 10, is that shows all of it.
    pub(super) fn cost(self) -> u64 {
        self.width.max(self.height * 16 / 10)
    }
}

/// Boxes in rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    sizes: Vec<Size>,
    rows: Vec<(Range<usize>, Size)>,
    /// What they take together.
    pub(super) size: Size,
    /// Whether all are equally wide, and so stand in columns too.
    equal: bool,
    gap: u64,
}

/// Rows are tried up to this length.
const LONGEST: usize = 64;

impl Rows {
    fn collect(sizes: &[Size], gap: u64, fits: impl Fn(usize, u64) -> bool) -> Rows {
        let mut rows: Vec<(Range<usize>, Size)> = Vec::new();
        for (index, &size) in sizes.iter().enumerate() {
            match rows.last_mut() {
                Some((row, total)) if fits(row.len() + 1, total.width + gap + size.width) => {
                    row.end += 1;
                    *total = total.beside(size, gap);
                }
                _ => rows.push((index..index + 1, size)),
            }
        }
        let total = rows.iter().fold(Size::default(), |total, (_, row)| total.above(*row, gap));
        let equal = sizes.windows(2).all(|pair| pair[0].width == pair[1].width);
        Rows { sizes: sizes.to_vec(), rows, size: total, equal, gap }
    }

    /// Rows that are as wide as `limit` allows.
    pub(super) fn within(limit: u64, sizes: &[Size], gap: u64) -> Rows {
        Rows::collect(sizes, gap, |_, width| width <= limit)
    }

    /// Rows of so many.
    pub(super) fn of(number: usize, sizes: &[Size], gap: u64) -> Rows {
        Rows::collect(sizes, gap, |length, _| length <= number)
    }

    /// What they cost together with what else stands beside them: more if places of the last row are empty.
    fn cost(&self, beside: Size) -> u64 {
        let longest = self.rows.iter().map(|(row, _)| row.len()).max().unwrap_or(0);
        let places = (longest * self.rows.len()) as u64;
        self.size.beside(beside, self.gap).cost() * places / (self.sizes.len() as u64).max(1)
    }

    /// The costs of rows of one, two, and so on.
    pub(super) fn costs(sizes: &[Size], beside: Size, gap: u64) -> impl Iterator<Item = u64> {
        let numbers = 1..=sizes.len().min(LONGEST);
        numbers.map(move |number| Rows::of(number, sizes, gap).cost(beside))
    }

    /// The rows that come nearest to the usual shape, together with what else stands beside them.
    pub(super) fn shapely(sizes: &[Size], beside: Size, gap: u64) -> Rows {
        let widest = sizes.iter().map(|size| size.width).max().unwrap_or(0);
        let mut limit = 0;
        let limits = sizes.iter().take(LONGEST).map(|size| {
            limit += size.width + gap;
            widest.max(limit - gap)
        });
        let regular = (1..=sizes.len().min(LONGEST)).map(|number| Rows::of(number, sizes, gap));
        let rows = regular.chain(limits.map(|limit| Rows::within(limit, sizes, gap)));
        rows.min_by_key(|rows| (rows.cost(beside), rows.rows.len())).unwrap_or_default()
    }

    /// Columns, as rows of turned boxes, that fit beside a box of this size.
    pub(super) fn columns(sizes: &[Size], beside: Size, gap: u64) -> Rows {
        let turned: Vec<Size> = sizes.iter().map(|size| size.turned()).collect();
        let highest = turned.iter().map(|size| size.width).max().unwrap_or(0);
        let mut limit = 0;
        let limits = turned.iter().map(|size| {
            limit += size.width + gap;
            highest.max(limit - gap)
        });
        let mut limits: Vec<u64> = limits.collect();
        // A column as high as what it stands beside costs nothing.
        limits.push(highest.max(beside.height));
        let step = limits.len().div_ceil(LONGEST).max(1);
        let some = limits.iter().rev().step_by(step);
        let columns = some.map(|&limit| Rows::within(limit, &turned, gap));
        let cost = |columns: &Rows| columns.size.turned().beside(beside, gap).cost();
        columns.min_by_key(|columns| (cost(columns), columns.rows.len())).unwrap_or_default()
    }

    /// What columns take together.
    pub(super) fn turned_size(&self) -> Size {
        self.size.turned()
    }

    /// Where each box stands, and how large it becomes where there is this much room: rows are filled.
    pub(super) fn fill(&self, width: u64) -> Vec<(u64, u64, Size)> {
        let mut places = Vec::with_capacity(self.sizes.len());
        let spare =
            |row: &Range<usize>, total: Size| width.saturating_sub(total.width) / (row.len() as u64).max(1);
        let least = self.rows.iter().map(|(row, total)| spare(row, *total)).min().unwrap_or(0);
        let mut y = 0;
        for (row, total) in &self.rows {
            // Unequal ones fill each row by itself, but do not become out of proportion.
            let more = match (self.equal, self.rows.len() == self.sizes.len()) {
                (_, true) => spare(row, *total),
                (true, _) => least,
                _ => spare(row, *total).min(total.width / row.len() as u64 / 3),
            };
            let mut x = 0;
            for (index, size) in self.sizes[row.clone()].iter().enumerate() {
                let mut own = size.width + more;
                let left = width.saturating_sub(x + own);
                // What division left over.
                if index + 1 == row.len() && left < row.len() as u64 {
                    own += left;
                }
                places.push((x, y, Size::new(own, total.height)));
                x += own + self.gap;
            }
            y += total.height + self.gap;
        }
        places
    }

    /// The same for columns: none becomes higher, and all of a column are as wide as the widest.
    pub(super) fn fill_turned(&self) -> Vec<(u64, u64, Size)> {
        let mut places = Vec::with_capacity(self.sizes.len());
        let mut x = 0;
        for (column, total) in &self.rows {
            let mut y = 0;
            for size in &self.sizes[column.clone()] {
                places.push((x, y, Size::new(total.height, size.width)));
                y += size.width + self.gap;
            }
            x += total.height + self.gap;
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_boxes_stand_in_as_many_columns_as_make_the_usual_shape() {
        let sizes = [Size::new(92, 115); 8];
        let rows = Rows::shapely(&sizes, Size::default(), 4);
        assert_eq!(rows.size, Size::new(4 * 92 + 3 * 4, 2 * 115 + 4));
        let places = rows.fill(rows.size.width + 9);
        assert_eq!(places[0], (0, 0, Size::new(94, 115)));
        // The last of a row takes what division left.
        assert_eq!(places[3], (3 * 98, 0, Size::new(95, 115)));
        assert_eq!(places[4], (0, 119, Size::new(94, 115)));
    }

    #[test]
    fn no_box_overlaps_another_or_leaves_its_room() {
        let sizes: Vec<Size> = (1..40).map(|n| Size::new(n * 37 % 91 + 5, n * 53 % 47 + 5)).collect();
        let rows = Rows::shapely(&sizes, Size::new(30, 30), 3);
        let columns = Rows::columns(&sizes, Size::new(30, 30), 3);
        let room = Size::new(rows.size.width + 17, rows.size.height);
        for (places, room) in [(rows.fill(room.width), room), (columns.fill_turned(), columns.turned_size())]
        {
            assert_eq!(places.len(), sizes.len());
            for (index, &(x, y, size)) in places.iter().enumerate() {
                assert!(size.width >= sizes[index].width && size.height >= sizes[index].height);
                assert!(x + size.width <= room.width && y + size.height <= room.height, "{index}");
                for &(left, top, other) in &places[..index] {
                    let apart = x >= left + other.width
                        || left >= x + size.width
                        || y >= top + other.height
                        || top >= y + size.height;
                    assert!(apart, "{index}");
                }
            }
        }
    }

    #[test]
    fn nothing_takes_no_room() {
        assert_eq!(Rows::shapely(&[], Size::default(), 4).size, Size::default());
        assert_eq!(Rows::columns(&[], Size::default(), 4).turned_size(), Size::default());
    }
}
