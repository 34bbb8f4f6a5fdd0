//! Dates as short messages carry them.

/// Seven semi-octet pairs: year, month, day, hour, minute, second, zone in quarters of an hour (TS 23.040 §9.2.3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub [u8; 7]);

impl Timestamp {
    /// Returns the UTC time of `unix_seconds`.
    #[must_use]
    pub fn from_unix(unix_seconds: u64) -> Self {
        let civil = Civil::from_unix(unix_seconds);
        Self([civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second, 0].map(swapped_bcd))
    }

    /// Renders `26/11/22,10:00:00+00`, the form of TS 27.005 text mode.
    #[must_use]
    pub fn to_text(self) -> String {
        let [year, month, day, hour, minute, second, zone] = self.0.map(|octet| (octet & 0x0f) * 10 + (octet >> 4));
        let sign = if self.0[6] & 0x08 == 0 { '+' } else { '-' };
        let zone = if sign == '-' { zone.wrapping_sub(80) } else { zone };
        format!("{year:02}/{month:02}/{day:02},{hour:02}:{minute:02}:{second:02}{sign}{zone:02}")
    }
}

/// Proleptic Gregorian date of a time in UTC; the year is of the century.
pub(crate) struct Civil {
    pub(crate) year: u8,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

impl Civil {
    pub(crate) fn from_unix(unix_seconds: u64) -> Self {
        // Days are counted from 0000-03-01, so that a leap day ends a year.
        let days = unix_seconds / 86_400 + 719_468;
        let era_day = days % 146_097;
        let era_year = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
        let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
        let shifted_month = (5 * year_day + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = era_year + days / 146_097 * 400 + u64::from(month <= 2);
        let small = |value: u64| u8::try_from(value).unwrap_or(0);
        Self {
            year: small(year % 100),
            month: small(month),
            day: small(year_day - (153 * shifted_month + 2) / 5 + 1),
            hour: small(unix_seconds / 3_600 % 24),
            minute: small(unix_seconds / 60 % 60),
            second: small(unix_seconds % 60),
        }
    }
}

fn swapped_bcd(value: u8) -> u8 {
    (value % 10) << 4 | (value / 10 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        assert_eq!(Timestamp::from_unix(1_795_348_805).to_text(), "26/11/22,12:00:05+00");
        assert_eq!(Timestamp::from_unix(951_782_400).to_text(), "00/02/29,00:00:00+00");
    }
}
