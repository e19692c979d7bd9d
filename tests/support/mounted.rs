//! File systems of a test's own, which end with its process.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Bytes of a small one: the least that both mkfs.btrfs and mkfs.xfs take.
const SIZE: u64 = 300 << 20;

/// Mounts a new file system of that kind at `at`, for this process and those it starts. `scratch` is an empty directory
/// for its disk. The error says what there is not here, for the test to say that it is SKIPPED.
pub(crate) fn mounted(kind: &str, at: &Path, scratch: &Path) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("mounting a file system needs root".into());
    }
    let of = |errno: nix::Error| format!("{kind}: {errno}");
    unshare(CloneFlags::CLONE_NEWNS).map_err(of)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(of)?;
    let plain = |kind: &str, at: &Path, options: &str| {
        mount(Some(kind), at, Some(kind), MsFlags::empty(), Some(options)).map_err(of)
    };
    match kind {
        "tmpfs" => plain(kind, at, "size=64m"),
        "overlay" => {
            // Above another tmpfs, as overlayfs refuses to be its own upper layer.
            plain("tmpfs", scratch, "size=64m")?;
            let [lower, upper, work] = ["lower", "upper", "work"].map(|name| scratch.join(name));
            for dir in [&lower, &upper, &work] {
                fs::create_dir(dir).expect("in an empty directory");
            }
            let show = |path: &Path| path.display().to_string();
            plain(
                kind,
                at,
                &format!("lowerdir={},upperdir={},workdir={}", show(&lower), show(&upper), show(&work)),
            )
        }
        _ => {
            let disk = scratch.join("disk");
            fs::File::create(&disk).and_then(|file| file.set_len(SIZE)).expect("room");
            run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&disk))?;
            run(Command::new("mount").args(["-o", "loop"]).arg(&disk).arg(at))
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Fills the disk below a directory: the file that does it.
pub(crate) fn fill(directory: &Path) -> fs::File {
    use nix::fcntl::{FallocateFlags, fallocate};
    let file = fs::File::create(directory.join("filler")).expect("still room");
    let (mut at, mut piece) = (0, 64 << 20);
    while piece >= 4096 {
        match fallocate(&file, FallocateFlags::empty(), at, piece) {
            Ok(()) => at += piece,
            Err(_) => piece /= 2,
        }
    }
    nix::unistd::syncfs(&file).expect("a file of it");
    file
}
