//! Nobody would check where the pointers of an opaque type lead.

#[graven::object]
struct OnField {
    #[layout(opaque = "text/1")]
    text: String,
}

#[graven::object]
#[layout(opaque = "list/1")]
struct OnType {
    list: Vec<u32>,
}

fn main() {}
