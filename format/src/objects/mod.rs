//! What is in objects: whether it is what their types say, and reading it.

pub(crate) mod damage;
pub(crate) mod validate;
pub(crate) mod value;
