//! Passwords: Argon2id in PHC string form (RFC 9106).

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// The shortest password that is accepted, in characters.
pub(super) const SHORTEST: usize = 8;
/// The longest, in bytes: a bound on work that a stranger can ask for.
pub(super) const LONGEST: usize = 256;

/// Why a new password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Weakness {
    /// Fewer than [`SHORTEST`] characters.
    #[error("choose a password of at least {SHORTEST} characters")]
    Short,
    /// More than [`LONGEST`] bytes.
    #[error("choose a password of at most {LONGEST} bytes")]
    Long,
    /// One of those that everybody tries first.
    #[error("this password is one of the first that anybody tries, choose another")]
    Common,
}

const COMMON: &[&str] = &[
    "password",
    "motdepasse",
    "homenichat",
    "12345678",
    "123456789",
    "1234567890",
    "qwertyui",
    "qwertyuiop",
    "azertyui",
    "azertyuiop",
    "iloveyou",
    "password1",
    "11111111",
    "00000000",
    "admin123",
    "administrator",
];

/// Checks a password that somebody wants to set.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn check(username: &str, password: &str) -> Result<(), Weakness> {
    if password.chars().count() < SHORTEST {
        return Err(Weakness::Short);
    }
    if password.len() > LONGEST {
        return Err(Weakness::Long);
    }
    let lower = password.to_lowercase();
    if COMMON.contains(&lower.as_str()) || lower == username.to_lowercase() {
        return Err(Weakness::Common);
    }
    Ok(())
}

/// The PHC string of a password. Takes about 20 ms and 19 MB: call it off the async threads.
///
/// # Errors
/// When the system has no randomness to give.
pub(super) fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// Argon2id of a random text that nobody knows, with the parameters of every other hash: logins under names that do not
/// exist are checked against it, so that time does not tell which names do.
pub(crate) const DECOY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXJhbmRvbXNhbHQ$kZJ8VvzqT0v3YB6v3hQwW2mZ0mGxkq4yQm0m0wq8l2E";

/// Whether `password` belongs to the PHC string `stored`. As slow as [`hash`].
#[must_use]
pub(super) fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|stored| Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_verifies_against_its_own_hash_only() {
        let stored = hash("correct horse").unwrap();
        assert!(verify("correct horse", &stored));
        assert!(!verify("correct hors", &stored));
        assert!(!verify("correct horse", "not a hash"));
    }

    #[test]
    fn the_decoy_costs_what_every_hash_costs() {
        let decoy = PasswordHash::new(DECOY).unwrap();
        let real = hash("correct horse").unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!((decoy.algorithm, decoy.version, decoy.params), (real.algorithm, real.version, real.params));
        assert!(!verify("correct horse", DECOY));
    }

    #[test]
    fn weak_passwords_are_named() {
        for (password, want) in [
            ("short", Err(Weakness::Short)),
            ("Homenichat", Err(Weakness::Common)),
            ("margarete", Err(Weakness::Common)),
            ("blaue Katze", Ok(())),
        ] {
            assert_eq!(check("Margarete", password), want, "{password}");
        }
        assert_eq!(check("x", &"y".repeat(LONGEST + 1)), Err(Weakness::Long));
    }
}
