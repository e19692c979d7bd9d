//! A program without `unsafe` exports a value, starts itself with the descriptor as its standard input, and reads it there.
#![forbid(unsafe_code)]

use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use graven::{Export, Segment};

#[graven::object]
struct Route {
    to: String,
    hops: Vec<u32>,
}

#[test]
fn a_value_is_handed_to_another_program_and_read_there_without_unsafe() {
    if std::env::var_os("GRAVEN_TEST_CHILD").is_some() {
        let segment = Segment::map_sealed(std::io::stdin()).unwrap();
        let routes = segment.root::<Vec<Route>>().unwrap();
        println!("\n@{} {}", routes[1].to, routes[1].hops.iter().map(|hop| hop.to_native()).sum::<u32>());
        std::process::exit(0);
    }
    let route = |to: &str, hops: &[u32]| Route { to: to.into(), hops: hops.into() };
    let export = Export::new(&vec![route("here", &[]), route("there", &[1, 2, 39])]).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "a_value_is_handed_to_another_program_and_read_there_without_unsafe",
        "--nocapture",
    ]);
    child.env("GRAVEN_TEST_CHILD", "").stdin(Stdio::from(export.as_fd().try_clone_to_owned().unwrap()));
    let output = child.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("\n@there 42\n"), "{said}");
}
