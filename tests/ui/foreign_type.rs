//! An archived type without a layout is an error that says what to write.

mod elsewhere {
    #[derive(graven::Archive, graven::Serialize, graven::Deserialize)]
    pub struct Foreign {
        pub inside: u32,
    }
}

#[graven::object]
struct Holds {
    small: u8,
    foreign: elsewhere::Foreign,
}

#[graven::object]
enum HoldsMany {
    Many(Vec<Option<elsewhere::Foreign>>),
}

fn main() {}
