//! How errors look where a program prints their `Debug`, as `main` and `unwrap` do.

/// Makes `Debug` of errors the message, with those of what caused them behind it.
macro_rules! debug_as_display {
    ($($error:ty),*) => {$(
        impl core::fmt::Debug for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{self}")?;
                core::iter::successors(core::error::Error::source(self), |error| error.source())
                    .try_for_each(|cause| write!(f, ": {cause}"))
            }
        }
    )*};
}

pub(crate) use debug_as_display;
