//! A draft is of one name and one publish: it cannot be exchanged for that of another.

fn swapped(one: &mut graven::Owner, other: &mut graven::Owner) -> graven::Result<u64> {
    one.publish_with(|one| {
        other.publish_with(|other| {
            std::mem::swap(one, other);
            Ok(())
        })?;
        Ok(())
    })
}

fn kept(owner: &mut graven::Owner) -> graven::Result<u64> {
    let mut draft = None;
    owner.publish_with(|new| {
        draft = Some(new);
        Ok(())
    })
}

fn main() {}
