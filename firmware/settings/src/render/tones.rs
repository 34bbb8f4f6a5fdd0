//! What phones hear: dial, ring, busy and congestion tones (ITU-T E.180, supplement 2).

use super::conf::Conf;
use super::{OnChange, RenderError, RenderedFile};
use crate::document::Settings;
use crate::words::Country;

struct Tones {
    zone: &'static str,
    cadence: &'static str,
    dial: &'static str,
    ring: &'static str,
    busy: &'static str,
    congestion: &'static str,
}

/// Zones by country; a country that is absent hears those of the first, the plain European ones.
const ZONES: &[Tones] = &[
    tones("de", "1000,4000", "425", "425/1000,0/4000", "425/480,0/480", "425/240,0/240"),
    tones("be", "1000,3000", "425", "425/1000,0/3000", "425/500,0/500", "425/167,0/167"),
    tones("ch", "1000,4000", "425", "425/1000,0/4000", "425/500,0/500", "425/200,0/200"),
    tones("es", "1500,3000", "425", "425/1500,0/3000", "425/200,0/200", "425/200,0/200,425/200,0/200,425/200,0/600"),
    tones("fr", "1500,3500", "440", "440/1500,0/3500", "440/500,0/500", "440/250,0/250"),
    tones(
        "gb",
        "400,200,400,2000",
        "350+440",
        "400+450/400,0/200,400+450/400,0/2000",
        "400/375,0/375",
        "400/400,0/350,400/225,0/525",
    ),
    tones("it", "1000,4000", "425/200,0/200,425/600,0/1000", "425/1000,0/4000", "425/500,0/500", "425/200,0/200"),
    tones("us", "2000,4000", "350+440", "440+480/2000,0/4000", "480+620/500,0/500", "480+620/250,0/250"),
];

const fn tones(
    zone: &'static str,
    cadence: &'static str,
    dial: &'static str,
    ring: &'static str,
    busy: &'static str,
    congestion: &'static str,
) -> Tones {
    Tones { zone, cadence, dial, ring, busy, congestion }
}

/// Returns the tone zone of a country.
pub(super) fn zone(country: &Country) -> &'static str {
    find(country).zone
}

pub(super) fn file(settings: &Settings) -> Result<RenderedFile, RenderError> {
    let tones = find(&settings.the_box.country);
    let mut conf = Conf::new("indications.conf");
    conf.section("general")?.set("country", tones.zone)?;
    conf.section(tones.zone)?
        .set("description", tones.zone)?
        .set("ringcadence", tones.cadence)?
        .set("dial", tones.dial)?
        .set("ring", tones.ring)?
        .set("busy", tones.busy)?
        .set("congestion", tones.congestion)?
        .set("callwaiting", "440/300,0/10000")?
        .set("dialrecall", tones.dial)?
        .set("record", "1400/500,0/15000")?
        .set("info", "!950/330,!1400/330,!1800/330,0")?
        .set("stutter", tones.dial)?;
    Ok(conf.finish(0o644, OnChange::Reload("indications")))
}

fn find(country: &Country) -> &'static Tones {
    const FIRST: &Tones = match ZONES.first() {
        Some(tones) => tones,
        None => panic!("the table of tones is not empty"),
    };
    let wanted = match country.as_str() {
        "CA" => "us",
        other => other,
    };
    ZONES.iter().find(|tones| tones.zone.eq_ignore_ascii_case(wanted)).unwrap_or(FIRST)
}
