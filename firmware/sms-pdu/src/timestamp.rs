//! The time at which a service centre received a message (TS 23.040 §9.2.3.11).

use crate::reader::{ParseError, Reader};

/// A date and time of day, as the clock of the service centre showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime {
    /// 2000 to 2099.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// A time stamp of a service centre; the parts of it that make no sense are `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceCentreTimestamp {
    /// Local time at the service centre.
    pub local: Option<DateTime>,
    /// How far that is ahead of UTC, in quarters of an hour.
    pub offset_quarter_hours: Option<i8>,
}

const SECONDS_PER_DAY: i64 = 86_400;
const SECONDS_PER_QUARTER: i64 = 900;
/// Days from 1 March of the year 0 to 1 January 1970, in the proleptic Gregorian calendar.
const DAYS_TO_EPOCH: i64 = 719_468;
const DAYS_PER_400_YEARS: i64 = 146_097;

impl ServiceCentreTimestamp {
    /// Tells the instant in seconds since 1970 UTC; `None` when the date is not one.
    ///
    /// An offset that makes no sense counts as none: an hour of error is better than no time.
    #[must_use]
    pub fn unix_seconds(&self) -> Option<i64> {
        let local = self.local?;
        let days = days_since_epoch(i64::from(local.year), i64::from(local.month), i64::from(local.day));
        let time = i64::from(local.hour) * 3600 + i64::from(local.minute) * 60 + i64::from(local.second);
        let offset = i64::from(self.offset_quarter_hours.unwrap_or(0)) * SECONDS_PER_QUARTER;
        Some(days * SECONDS_PER_DAY + time - offset)
    }

    /// Builds the stamp of an instant, as a service centre `offset_quarter_hours` ahead of UTC writes it.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64, offset_quarter_hours: i8) -> Self {
        let shifted = seconds.saturating_add(i64::from(offset_quarter_hours) * SECONDS_PER_QUARTER);
        let (days, time) = (shifted.div_euclid(SECONDS_PER_DAY), shifted.rem_euclid(SECONDS_PER_DAY));
        let local = date(days).and_then(|(year, month, day)| {
            let hour = u8::try_from(time / 3600).ok()?;
            let minute = u8::try_from(time / 60 % 60).ok()?;
            let second = u8::try_from(time % 60).ok()?;
            DateTime { year, month, day, hour, minute, second }.valid()
        });
        Self { local, offset_quarter_hours: Some(offset_quarter_hours) }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, ParseError> {
        let [year, month, day, hour, minute, second, zone] = reader.array(field)?;
        Ok(Self {
            local: date_time([year, month, day, hour, minute, second]),
            offset_quarter_hours: quarter_hours(zone),
        })
    }

    /// Writes the seven octets; a time that is `None` becomes octets that are no time either.
    pub(crate) fn encode(&self) -> [u8; 7] {
        let zone = self.offset_quarter_hours.map_or(0xFF, |offset| {
            let sign = if offset < 0 { 0x08 } else { 0 };
            bcd(offset.unsigned_abs().min(79)) | sign
        });
        let Some(local) = self.local else { return [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, zone] };
        let year = u8::try_from(local.year.saturating_sub(2000)).unwrap_or(u8::MAX);
        [bcd(year), bcd(local.month), bcd(local.day), bcd(local.hour), bcd(local.minute), bcd(local.second), zone]
    }
}

impl DateTime {
    fn valid(self) -> Option<Self> {
        let is_valid = (2000..=2099).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        is_valid.then_some(self)
    }
}

fn date_time(octets: [u8; 6]) -> Option<DateTime> {
    let [year, month, day, hour, minute, second] = octets.map(swapped_bcd);
    let year = 2000 + u16::from(year?);
    DateTime { year, month: month?, day: day?, hour: hour?, minute: minute?, second: second? }.valid()
}

/// The third bit of the first digit is the sign.
fn quarter_hours(octet: u8) -> Option<i8> {
    let magnitude = i8::try_from(swapped_bcd(octet & !0x08)?).ok()?;
    Some(if octet & 0x08 == 0 { magnitude } else { -magnitude })
}

fn swapped_bcd(octet: u8) -> Option<u8> {
    let (tens, units) = (octet & 0x0F, octet >> 4);
    (tens < 10 && units < 10).then_some(tens * 10 + units)
}

fn bcd(value: u8) -> u8 {
    let value = value % 100;
    ((value % 10) << 4) | (value / 10)
}

fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts days with years that begin in March, so that the leap day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_400_YEARS + day_of_era - DAYS_TO_EPOCH
}

/// The reverse of [`days_since_epoch`]; `None` when the year is far from ours.
fn date(days: i64) -> Option<(u16, u8, u8)> {
    let days = days.checked_add(DAYS_TO_EPOCH)?;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_400_YEARS), days.rem_euclid(DAYS_PER_400_YEARS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some((u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(octets: [u8; 7]) -> ServiceCentreTimestamp {
        ServiceCentreTimestamp::parse(&mut Reader::new(&octets), "time").unwrap()
    }

    #[test]
    fn times_are_read_with_their_offset() {
        // The expected seconds come from `date -u -d ... +%s`.
        let table = [
            ([0x99, 0x30, 0x92, 0x51, 0x61, 0x95, 0x80], Some(4_078_473_419), Some(8)),
            ([0x62, 0x80, 0x10, 0x21, 0x00, 0x00, 0x00], Some(1_785_585_600), Some(0)),
            ([0x62, 0x80, 0x10, 0x21, 0x00, 0x00, 0x4A], Some(1_785_585_600 + 24 * 900), Some(-24)),
            ([0x42, 0x20, 0x92, 0x00, 0x00, 0x00, 0x00], Some(1_709_164_800), Some(0)),
            ([0x32, 0x20, 0x92, 0x00, 0x00, 0x00, 0x00], None, Some(0)),
            ([0x62, 0x31, 0x10, 0x21, 0x00, 0x00, 0x00], None, Some(0)),
            ([0xFF; 7], None, None),
            ([0x62, 0x80, 0x10, 0x21, 0x00, 0x00, 0xF0], Some(1_785_585_600), None),
        ];
        for (octets, seconds, offset) in table {
            let stamp = parse(octets);
            assert_eq!((stamp.unix_seconds(), stamp.offset_quarter_hours), (seconds, offset), "{octets:02X?}");
        }
    }

    proptest! {
        #[test]
        fn instants_come_back(seconds in 946_800_000i64..4_102_300_000, offset in -79i8..=79) {
            let stamp = ServiceCentreTimestamp::from_unix_seconds(seconds, offset);
            prop_assert_eq!(parse(stamp.encode()), stamp);
            prop_assert_eq!(stamp.unix_seconds(), Some(seconds));
        }

        #[test]
        fn no_instant_panics(seconds in any::<i64>(), offset in any::<i8>()) {
            ServiceCentreTimestamp::from_unix_seconds(seconds, offset).encode();
        }

        #[test]
        fn no_octets_panic(octets in any::<[u8; 7]>()) {
            let stamp = parse(octets);
            prop_assert_eq!(stamp.unix_seconds().is_some(), stamp.local.is_some());
        }
    }
}
