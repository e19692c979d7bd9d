//! The picture as text.

use std::fmt::{self, Write as _};

use graven_topology::Type;

use super::layout::{Layout, SPEED_FONT};
use super::scene::{Scene, Tint, What};
use crate::picture::{FONTS, Markup};

/// The picture of a scene that was laid out.
pub(super) fn svg(scene: &Scene, layout: &Layout) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_svg(scene, layout, &mut out);
    out
}

fn write_svg(scene: &Scene, layout: &Layout, out: &mut String) -> fmt::Result {
    let (width, height, font) = (layout.size.width, layout.size.height, layout.metrics.font);
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\" font-size=\"{font}\">"
    )?;
    writeln!(out, "<title>{}</title>", Markup(&scene.title))?;
    writeln!(out, "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>")?;
    for (tile, spot) in scene.tiles.iter().zip(&layout.spots) {
        let (class, (fill, stroke)) = match tile.what {
            What::Object(ty) => (ty.name(), tile.tint.map_or(colours(ty), tint)),
            What::More => ("more", ("#ffffff", "#999999")),
        };
        let dashed = match tile.what {
            What::Object(Type::Group) | What::More => " stroke-dasharray=\"4 3\"",
            What::Object(_) => "",
        };
        writeln!(out, "<g class=\"{class}\"><title>{}</title>", Markup(&tile.tooltip))?;
        writeln!(
            out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\" stroke=\"{stroke}\"{dashed}/>",
            spot.x, spot.y, spot.size.width, spot.size.height
        )?;
        let lines = spot.lines.len() as u64;
        // A leaf may be higher than its text.
        let slack = spot.size.height.saturating_sub(lines * layout.metrics.line);
        let top = spot.y + if spot.centered { slack / 2 } else { 2 };
        for (number, line) in (0..).zip(&spot.lines) {
            let y = top + number * layout.metrics.line + u64::from(font) + 1;
            match spot.centered {
                true => {
                    let x = spot.x + spot.size.width / 2;
                    writeln!(
                        out,
                        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>",
                        Markup(line)
                    )?;
                }
                false => {
                    let x = spot.x + layout.metrics.pad;
                    writeln!(out, "<text x=\"{x}\" y=\"{y}\">{}</text>", Markup(line))?;
                }
            }
        }
        writeln!(out, "</g>")?;
    }
    if !layout.links.is_empty() {
        out.write_str("<path class=\"links\" fill=\"none\" stroke=\"#666666\" d=\"")?;
        for [(x, y), (to_x, to_y)] in &layout.links {
            write!(out, "M{x} {y}L{to_x} {to_y}")?;
        }
        out.write_str("\"/>\n")?;
    }
    for (x, y, speed) in &layout.speeds {
        writeln!(
            out,
            "<text class=\"speed\" x=\"{x}\" y=\"{y}\" font-size=\"{SPEED_FONT}\" fill=\"#666666\" \
             text-anchor=\"middle\">{}</text>",
            Markup(speed)
        )?;
    }
    for ((colour, text), (x, y)) in scene.legend.iter().zip(&layout.legend) {
        let (side, mut x) = (layout.metrics.line - 2, *x);
        out.write_str("<g class=\"legend\">")?;
        if let Some(colour) = colour {
            let (fill, stroke) = tint(*colour);
            write!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" fill=\"{fill}\" stroke=\"{stroke}\"/>"
            )?;
            x += side + 6;
        }
        let y = y + u64::from(font);
        writeln!(out, "<text x=\"{x}\" y=\"{y}\" fill=\"#444444\">{}</text></g>", Markup(text))?;
    }
    out.write_str("</svg>\n")
}

/// Fill and outline of the boxes of a type.
fn colours(ty: Type) -> (&'static str, &'static str) {
    match ty {
        Type::Machine => ("#fcfcfa", "#555555"),
        Type::Package => ("#ecebe4", "#77756a"),
        Type::Die => ("#f6f5ef", "#8d8b7e"),
        Type::Group => ("#fbfaf5", "#8d8b7e"),
        Type::Core => ("#d8d7cf", "#77756a"),
        Type::Pu => ("#ffffff", "#8a8a8a"),
        Type::L5Cache | Type::L4Cache | Type::L3Cache => ("#bfd8ee", "#5f8db5"),
        Type::L2Cache => ("#d0e3f3", "#6f9ac0"),
        Type::L1Cache => ("#e1eef8", "#80a8ca"),
        Type::L1iCache | Type::L2iCache | Type::L3iCache => ("#e6f3f1", "#7fb0aa"),
        Type::NumaNode => ("#f6d9cf", "#b77b66"),
        Type::MemCache => ("#fae8c8", "#b9935a"),
        Type::Bridge => ("#ffffff", "#666666"),
        Type::PciDevice => ("#dcedd3", "#7d9c6e"),
        Type::OsDevice => ("#f4f3c9", "#a3a05c"),
        Type::Misc => ("#f0e2f3", "#9a7da3"),
    }
}

/// The same for boxes that stand out.
fn tint(tint: Tint) -> (&'static str, &'static str) {
    const KINDS: [(&str, &str); 5] = [
        ("#d5ecc8", "#6f9b5a"),
        ("#fbdca8", "#b3873f"),
        ("#f5c3b8", "#b36a58"),
        ("#dccdf0", "#7e69a0"),
        ("#c8e9ea", "#569a9c"),
    ];
    match tint {
        Tint::Kind(index) => KINDS[index % KINDS.len()],
        Tint::Forbidden => ("#f2a59c", "#a8443a"),
    }
}
