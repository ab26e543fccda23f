//! Names from users become path segments only through a slug.

use crate::{Error, Result};

/// Longest slug, in bytes; longer names are cut and told apart by a hash.
pub const MAX_SLUG: usize = 80;

/// A path segment for a user's name: lower-case `a-z 0-9 . _ -`, at most [`MAX_SLUG`] bytes.
///
/// Runs of other characters become one `-`; leading and trailing separators go, so `../x` is `x`.
/// A name that loses characters outside ASCII, or is cut, gets eight hexadecimal digits of its
/// FNV-1a hash appended: different names keep different slugs.
///
/// # Errors
/// `Invalid` for a name that is empty, blank, or holds control characters.
///
/// ```
/// use emberlens::storage::names::slug;
/// assert_eq!(slug("ResNet 18 (lr=0.1)").unwrap(), "resnet-18-lr-0.1");
/// assert_eq!(slug("../x").unwrap(), "x");
/// assert!(slug("  ").is_err() && slug("a\nb").is_err());
/// ```
pub fn slug(name: &str) -> Result<String> {
    if name.trim().is_empty() {
        return Err(Error::invalid(
            "name",
            format!("{name:?}"),
            "it is empty",
            "give a name with at least one visible character",
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "name",
            format!("{name:?}"),
            "it holds control characters",
            "give a name of visible characters",
        ));
    }
    let mut slug = String::with_capacity(name.len());
    for character in name.chars() {
        match character.to_ascii_lowercase() {
            kept @ ('a'..='z' | '0'..='9' | '_') => slug.push(kept),
            '.' if !slug.is_empty() && !slug.ends_with(['.', '-']) => slug.push('.'),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    let mut slug = slug.trim_matches(['.', '-']).to_owned();
    let lossy = !name.is_ascii() || slug.len() > MAX_SLUG || slug.is_empty();
    if lossy {
        let hash = format!("{:08x}", fnv1a(name.as_bytes()));
        slug.truncate(MAX_SLUG - hash.len() - 1);
        let kept = slug.trim_matches(['.', '-']);
        slug = if kept.is_empty() {
            format!("n-{hash}")
        } else {
            format!("{kept}-{hash}")
        };
    }
    Ok(slug)
}

/// 32-bit FNV-1a (Fowler, Noll, Vo): stable across versions, unlike the standard hasher.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_outside_ascii_stay_apart() {
        let (one, two) = (slug("学習").unwrap(), slug("評価").unwrap());
        assert_ne!(one, two);
        assert!(one.is_ascii());
    }

    #[test]
    fn long_names_that_differ_at_the_end_stay_apart() {
        let (one, two) = ("x".repeat(300) + "1", "x".repeat(300) + "2");
        assert_ne!(slug(&one).unwrap(), slug(&two).unwrap());
        assert_eq!(slug(&one).unwrap().len(), MAX_SLUG);
    }

    proptest! {
        #[test]
        fn a_slug_is_one_harmless_segment(name in "\\PC{1,200}") {
            if let Ok(slug) = slug(&name) {
                prop_assert!(!slug.is_empty() && slug.len() <= MAX_SLUG);
                prop_assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)));
                prop_assert!(slug != "." && slug != ".." && !slug.starts_with('.'));
                prop_assert_eq!(super::slug(&slug).unwrap(), slug);
            }
        }
    }
}
