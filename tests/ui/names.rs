//! Names that rkyv's derives give to types and variables of their own.

#[graven::object]
struct Tag(u8);
#[graven::object]
struct ArchivedVariantPair(u8);
#[graven::object]
struct VariantNode(u8);

mod discriminants {
    #[graven::object]
    pub struct Discriminant(u8);
}
use discriminants as Discriminant;

#[graven::object]
enum Types {
    Open(Vec<Option<Tag>>),
    Node(VariantNode),
    Other(Discriminant::Discriminant),
    Pair(u8, #[rkyv(with = ArchivedVariantPair)] u8),
}

#[graven::object]
enum Fields {
    Named { serializer: u8 },
    Both { a: u8, deserializer: u8 },
}

fn main() {
    let _ = Fields::Named { serializer: 1 };
}
