//! How errors look where a program prints their `Debug`: `main` that returns one, `unwrap`, a failed test.

/// Makes the `Debug` of error types their `Display` in its alternate form: the message, on several lines where there
/// is more to say.
#[doc(hidden)]
#[macro_export]
macro_rules! debug_as_display {
    ($($error:ty),* $(,)?) => {$(
        impl ::core::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::write!(f, "{self:#}")
            }
        }
    )*};
}
