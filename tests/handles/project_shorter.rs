//! A projection returns what lies in the value, or what lives for ever: nothing that its closure borrows.

fn local(adopted: &graven::Adopted<String>) -> graven::Part<str> {
    let owned = String::from("gone soon");
    adopted.project(|_| owned.as_str())
}

fn made_inside(adopted: &graven::Adopted<String>) -> graven::Part<String> {
    adopted.project(|text| &text.to_string())
}

fn smuggled_out(adopted: &graven::Adopted<String>) {
    let mut out = "";
    adopted.project(|text| {
        out = text.as_str();
        text
    });
    println!("{out}");
}

fn main() {}
