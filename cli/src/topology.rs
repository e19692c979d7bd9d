//! The commands on topologies, a module each.
//!
//! | module | owns |
//! |---|---|
//! | [`adopt`] | the topology in a segment |
//! | `tree` | topologies as texts |

pub mod adopt;
mod demo;
pub mod distances;
pub mod draw;
pub mod show;
mod tree;
mod write;
pub mod xml;

use std::io::Write;

use clap::Subcommand;

use crate::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum TopologyCommand {
    Demo(demo::Demo),
    Write(write::Write),
    Show(show::Show),
    Xml(xml::Xml),
    Draw(draw::Draw),
    Distances(distances::Distances),
    #[command(hide = true)]
    DemoReader(demo::Reader),
}

impl TopologyCommand {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match self {
            TopologyCommand::Demo(it) => it.run(out),
            TopologyCommand::Write(it) => it.run(out),
            TopologyCommand::Show(it) => it.run(out),
            TopologyCommand::Xml(it) => it.run(out),
            TopologyCommand::Draw(it) => it.run(out),
            TopologyCommand::Distances(it) => it.run(out),
            TopologyCommand::DemoReader(it) => it.run(out),
        }
    }
}
