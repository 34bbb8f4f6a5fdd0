//! Identities that the hardware, the SIM and the network carry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::redact;

/// Why a text is not the identity that it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdentityError {
    /// The text has too few or too many digits.
    #[error("{what} has {length} digits, expected {expected}")]
    Length {
        /// The name of the identity.
        what: &'static str,
        /// How many characters were found.
        length: usize,
        /// How many are right, in words.
        expected: &'static str,
    },
    /// The text holds something else than decimal digits.
    #[error("{what} holds a character that is not a digit")]
    NotADigit {
        /// The name of the identity.
        what: &'static str,
    },
    /// The last digit does not agree with the others (ISO/IEC 7812-1 annex B, Luhn).
    #[error("{what} has a wrong check digit")]
    CheckDigit {
        /// The name of the identity.
        what: &'static str,
    },
}

/// The identity of a modem: fifteen digits, the last one a check digit (TS 23.003 §6.2.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Imei(String);

impl Imei {
    /// Completes the fourteen digits of type allocation code and serial number with their check digit.
    ///
    /// # Errors
    /// When `digits` is not made of fourteen decimal digits.
    pub fn with_check_digit(digits: &str) -> Result<Self, ParseIdentityError> {
        check_digits("IMEI without check digit", digits, 14..=14, "14")?;
        let check = (0..=9u8)
            .map(|digit| format!("{digits}{digit}"))
            .find(|candidate| is_luhn(candidate))
            .ok_or(ParseIdentityError::CheckDigit { what: "IMEI" })?;
        Ok(Self(check))
    }
}

impl FromStr for Imei {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        check_digits("IMEI", text, 15..=15, "15")?;
        if !is_luhn(text) {
            return Err(ParseIdentityError::CheckDigit { what: "IMEI" });
        }
        Ok(Self(text.to_owned()))
    }
}

/// The identity of a SIM card: 18 to 20 digits (ITU-T E.118; TS 102 221 §13.2).
///
/// The check digit is not verified: some operators print cards that break it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Iccid(String);

impl FromStr for Iccid {
    type Err = ParseIdentityError;

    /// Accepts the filler `F` that modems leave at the end of an ICCID with an odd number of digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim().trim_end_matches(['F', 'f']);
        check_digits("ICCID", digits, 18..=20, "18 to 20")?;
        Ok(Self(digits.to_owned()))
    }
}

/// The identity of a subscription: 14 or 15 digits (TS 23.003 §2.2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Imsi(String);

impl Imsi {
    /// The mobile country code: the first three digits (ITU-T E.212).
    #[must_use]
    pub fn mcc(&self) -> u16 {
        leading_number(&self.0, 3)
    }
}

impl FromStr for Imsi {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        check_digits("IMSI", text, 14..=15, "14 or 15")?;
        Ok(Self(text.to_owned()))
    }
}

/// The identity of a network: three digits of country and two or three of network (TS 23.003 §12.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Plmn(String);

impl Plmn {
    /// The mobile country code.
    #[must_use]
    pub fn mcc(&self) -> u16 {
        leading_number(&self.0, 3)
    }

    /// The mobile network code as written: `01` and `001` are different networks.
    #[must_use]
    pub fn mnc(&self) -> &str {
        self.0.get(3..).unwrap_or_default()
    }
}

impl FromStr for Plmn {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        check_digits("PLMN", text, 5..=6, "5 or 6")?;
        Ok(Self(text.to_owned()))
    }
}

/// What all identities share: full text on demand, redacted otherwise.
macro_rules! impl_identity {
    ($($name:ident),*) => {$(
        impl $name {
            /// The digits, in full.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                redact::debug(f, stringify!($name), &self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdentityError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(identity: $name) -> Self {
                identity.0
            }
        }
    )*};
}

impl_identity!(Imei, Iccid, Imsi, Plmn);

fn check_digits(
    what: &'static str,
    text: &str,
    lengths: std::ops::RangeInclusive<usize>,
    expected: &'static str,
) -> Result<(), ParseIdentityError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseIdentityError::NotADigit { what });
    }
    if !lengths.contains(&text.len()) {
        return Err(ParseIdentityError::Length { what, length: text.len(), expected });
    }
    Ok(())
}

/// Whether the digits of `text` agree with their check digit (ISO/IEC 7812-1 annex B).
fn is_luhn(text: &str) -> bool {
    let digits = text.chars().rev().filter_map(|digit| digit.to_digit(10));
    let sum: u32 = digits.enumerate().map(|(place, digit)| weigh(place, digit)).sum();
    sum.is_multiple_of(10)
}

fn weigh(place: usize, digit: u32) -> u32 {
    match (place % 2, digit) {
        (0, _) => digit,
        (_, 0..=4) => digit * 2,
        (_, _) => digit * 2 - 9,
    }
}

fn leading_number(text: &str, digits: usize) -> u16 {
    text.get(..digits).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imei_needs_fifteen_digits_and_a_right_check_digit() {
        assert_eq!("490154203237518".parse::<Imei>().unwrap().as_str(), "490154203237518");
        assert_eq!("490154203237517".parse::<Imei>(), Err(ParseIdentityError::CheckDigit { what: "IMEI" }));
        assert!(matches!("4901542032375180".parse::<Imei>(), Err(ParseIdentityError::Length { length: 16, .. })));
        assert_eq!("49015420323751A".parse::<Imei>(), Err(ParseIdentityError::NotADigit { what: "IMEI" }));
        assert_eq!(Imei::with_check_digit("49015420323751").unwrap().as_str(), "490154203237518");
    }

    #[test]
    fn an_iccid_loses_its_filler() {
        let iccid: Iccid = "8933150319000000123F".parse().unwrap();
        assert_eq!(iccid.to_string(), "8933150319000000123");
        assert!("89331503190000".parse::<Iccid>().is_err());
    }

    #[test]
    fn a_subscription_and_a_network_know_their_country() {
        assert_eq!("208011234567890".parse::<Imsi>().unwrap().mcc(), 208);
        let plmn: Plmn = "310410".parse().unwrap();
        assert_eq!((plmn.mcc(), plmn.mnc()), (310, "410"));
        assert!("2080".parse::<Plmn>().is_err());
    }

    #[test]
    fn debug_shows_no_identity() {
        let imsi: Imsi = "208011234567890".parse().unwrap();
        let plmn: Plmn = "20801".parse().unwrap();
        assert_eq!(format!("{imsi:?} {plmn:?}"), "Imsi(…7890) Plmn(…)");
    }
}
