//! Changing a topology that was adopted: deserialize, restrict, write again.
//!
//! A segment is read-only to all who adopt it, and nobody writes to it. Who needs another topology makes one of it,
//! and what a process has to say of objects it keeps beside, in a [`UserData`].
//!
//! ```sh
//! cargo run -p graven-topology --example restrict
//! ```

use std::error::Error;

use graven::{Adopted, Segment};
use graven_topology::{RestrictOptions, Set, Topo, Topology, Type, UserData, synthetic};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let [whole, half] = ["whole.grv", "half.grv"].map(|name| directory.path().join(name));

    // Somebody writes a topology.
    let machine = synthetic("pack:2 [numa(memory=64GiB)] l3:2(size=32MiB) core:4 pu:2")?;
    let summary = graven::write(&whole, &machine)?;
    println!("written:    {} PUs, {} bytes", machine.count(Type::Pu), summary.length);

    // We adopt it, read-only, and check it once.
    let adopted: Adopted<Topology> = Segment::read(&whole)?.root::<Topology>()?;
    adopted.check()?;
    let package = adopted.by_type(Type::Package).last().ok_or("no package")?;
    let cpuset = package.cpuset().ok_or("a package has a cpuset")?;
    println!("adopted:    package {} has PUs {cpuset}", package.logical_index());

    // What we know of its objects is ours, not the segment's.
    let mut workers: UserData<String> = UserData::new();
    for core in adopted.by_type(Type::Core) {
        workers.insert(&core, format!("worker {}", core.logical_index()));
    }

    // A copy of our own, without all but that package and its memory.
    let copy: Topology = adopted.deserialize()?;
    assert_eq!(copy, machine);
    let rest = copy.restrict(&cpuset, RestrictOptions::new().remove_cpuless())?;
    assert_eq!(rest.count(Type::Pu), 16);
    assert_eq!(rest.count(Type::NumaNode), 1);
    println!("restricted: {} PUs, {} GiB", rest.count(Type::Pu), rest.root().total_memory() >> 30);

    // What would leave nothing is refused, with hwloc's EINVAL and the reason.
    let refused =
        rest.restrict(&Set::from(0..16), RestrictOptions::new()).err().ok_or("nothing would be left")?;
    assert_eq!(refused.errno(), 22);
    println!("refused:    {refused}");

    // Written again, it is adopted like any other; the first segment is what it was.
    graven::write(&half, &rest)?;
    let again: Adopted<Topology> = Segment::read(&half)?.root::<Topology>()?;
    again.check()?;
    assert_eq!(again.digest(), rest.digest());
    assert_eq!(adopted.digest(), machine.digest());

    // Objects kept their gp_index: what was said of a core is said of it in the new segment.
    workers.retain_objects(&*again);
    assert_eq!(workers.len(), 8);
    for (core, worker) in workers.iter(&*again) {
        let cpuset = core.cpuset().ok_or("a core has a cpuset")?;
        println!("again:      core {} (PUs {cpuset}) is for {worker}", core.logical_index());
        assert_eq!(*worker, format!("worker {}", core.logical_index() + 8));
    }
    Ok(())
}
