//! Another crate's type in a container: the message says that a struct around it can have it as an opaque field.

mod elsewhere {
    #[derive(graven::Archive, graven::Serialize, graven::Deserialize)]
    pub struct Point(pub f64, pub f64);
}

#[graven::object]
struct Path {
    #[layout(opaque = "point/1")]
    points: Vec<elsewhere::Point>,
}

#[graven::object]
struct Works {
    points: Vec<Around>,
}
#[graven::object]
struct Around(#[layout(opaque = "point/1")] elsewhere::Point);

fn main() {}
