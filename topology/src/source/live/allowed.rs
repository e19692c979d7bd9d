//! Which processors and NUMA nodes this process may use: the cpuset of its control group.
//!
//! `/proc/self/mountinfo` says where the hierarchy with the cpuset controller is mounted (version 2, version 1,
//! or the cpuset filesystem before both), `/proc/self/cgroup` which group of it the process is in. A group that
//! says nothing of cpusets has those of the group above it. Where there is no mountinfo, as in the dumps that
//! hwloc-gather-topology makes, `/proc/mounts` and `/proc/self/cpuset` say the same.
//!
//! Source: Linux, Documentation/admin-guide/cgroup-v2.rst (cpuset), cgroup-v1/cpusets.rst; proc(5), cgroups(7).

use crate::model::set::{CpuSet, NodeSet, Set};

use super::files::{Files, one_line};

/// The kernel's limit for the path of a file.
const PATH_LIMIT: usize = 4096;

/// What the control group says; `None` if it says nothing.
#[derive(Default)]
pub(super) struct Allowed {
    pub(super) cpus: Option<CpuSet>,
    pub(super) nodes: Option<NodeSet>,
    /// The group's name within its hierarchy.
    pub(super) group: Option<String>,
}

impl Allowed {
    pub(super) fn read(files: &Files<'_>) -> Self {
        let (long, short) = ("proc/self/mountinfo", "proc/mounts");
        let (name, parse): (_, fn(&str) -> _) =
            if files.exists(long) { (long, Mount::parse) } else { (short, Mount::parse_short) };
        let mounts = files.start(name, u64::MAX);
        let Some(mount) = mounts.lines().filter_map(parse).find(|mount: &Mount| mount.has_cpusets(files))
        else {
            return Self::default();
        };
        let groups = files.start("proc/self/cgroup", u64::MAX);
        let group = mount.hierarchy.group(&groups).map(str::to_owned);
        // The nearest group upward that has cpusets.
        let nearest = files.line("proc/self/cpuset");
        let Some(group) = group.or_else(|| nearest.clone()) else { return Self::default() };
        let directories = mount.directories(&group);
        let set = |names: &[&str]| {
            let file =
                |directory: &String| names.iter().find_map(|name| files.list(&format!("{directory}/{name}")));
            // In version 1 a new group has empty sets, and then nobody may be in it.
            directories.iter().filter_map(file).find(|set| *set != Set::new())
        };
        let (cpus, nodes) = match mount.hierarchy {
            Hierarchy::Two => (set(&["cpuset.cpus.effective"]), set(&["cpuset.mems.effective"])),
            Hierarchy::One => (
                set(&["cpuset.effective_cpus", "cpuset.cpus"]),
                set(&["cpuset.effective_mems", "cpuset.mems"]),
            ),
            Hierarchy::Bare => (set(&["effective_cpus", "cpus"]), set(&["effective_mems", "mems"])),
        };
        Self { cpus, nodes, group: nearest.or_else(|| one_line(&group)) }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Hierarchy {
    /// The unified one.
    Two,
    /// One with cpusets, its files named `cpuset.cpus`.
    One,
    /// The same, its files named `cpus`: the cpuset filesystem, or the mount option `noprefix`.
    Bare,
}

impl Hierarchy {
    /// The group that the process is in, from lines `number:controllers:group`.
    fn group(self, groups: &str) -> Option<&str> {
        groups.lines().find_map(|line| {
            let (_, line) = line.split_once(':')?;
            let (controllers, group) = line.split_once(':')?;
            let found = match self {
                Self::Two => controllers.is_empty(),
                Self::One | Self::Bare => controllers.split(',').any(|name| name == "cpuset"),
            };
            (found && group.starts_with('/')).then_some(group)
        })
    }
}

/// A mount of control groups.
struct Mount {
    hierarchy: Hierarchy,
    /// Which group of the hierarchy is visible at the mount point.
    top: String,
    point: String,
}

impl Mount {
    /// From a line of mountinfo: `id parent device root point options [field]... - type source options`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (top, point) = (mount.next()?, mount.next()?);
        let mut filesystem = filesystem.split(' ');
        Self::new(top, point, filesystem.next()?, filesystem.nth(1).unwrap_or(""))
    }

    /// From a line of mounts: `source point type options`.
    fn parse_short(line: &str) -> Option<Self> {
        let mut fields = line.split(' ').skip(1);
        Self::new("/", fields.next()?, fields.next()?, fields.next().unwrap_or(""))
    }

    fn new(top: &str, point: &str, ty: &str, options: &str) -> Option<Self> {
        let option = |wanted: &str| options.split(',').any(|option| option == wanted);
        let hierarchy = match ty {
            "cgroup2" => Hierarchy::Two,
            "cgroup" if option("cpuset") && option("noprefix") => Hierarchy::Bare,
            "cgroup" if option("cpuset") => Hierarchy::One,
            "cpuset" => Hierarchy::Bare,
            _ => return None,
        };
        Some(Self { hierarchy, top: unescape(top), point: unescape(point) })
    }

    /// The unified hierarchy has cpusets unless an older one has taken them.
    fn has_cpusets(&self, files: &Files<'_>) -> bool {
        let controllers = || files.text(&format!("{}/cgroup.controllers", self.root()));
        self.hierarchy != Hierarchy::Two
            || controllers().is_ok_and(|names| names.split_whitespace().any(|name| name == "cpuset"))
    }

    fn root(&self) -> &str {
        self.point.trim_matches('/')
    }

    /// The directories of the group and of those above it, as far as they are mounted, upward.
    fn directories(&self, group: &str) -> Vec<String> {
        // A group outside of what is mounted (a namespace) is written with `..`: then the top is what we see.
        let below = match self.top.as_str() {
            "/" => Some(group),
            top => group.strip_prefix(top).filter(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        let below =
            below.filter(|below| below.len() <= PATH_LIMIT && below.split('/').all(|part| part != ".."));
        let below = below.unwrap_or("");
        let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
        let mut directories: Vec<String> = Vec::new();
        for len in (0..=parts.len()).rev() {
            let mut directory = self.root().to_owned();
            for part in &parts[..len] {
                directory.push('/');
                directory.push_str(part);
            }
            directories.push(directory);
        }
        directories
    }
}

/// mountinfo writes space, tab, newline and backslash as `\040` and so on.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                out.push(char::from(code));
                rest = after.get(3..).unwrap_or("");
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out + rest
}
