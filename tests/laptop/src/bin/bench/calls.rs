//! How quickly a call is set up, and how late sound is.

use crate::delay::{Delays, measure_delays};
use crate::exchange::{EXTENSION, MODEMS, call_out, start, wait_until_free};
use crate::messages::FAR_NUMBER;
use crate::phone::Phone;
use crate::stand::Stand;
use crate::transcript::{self, Entry, Origin, What};
use anyhow::{Context, Result};
use laptop_tests::clock::now;
use laptop_tests::table::{Row, Target, quantile};
use modem_sim::core::Control;
use std::time::{Duration, Instant};

const CALLS: usize = 10;
/// Each call has its own phase between the clocks of modem and phone.
const CALLS_WITH_SOUND: usize = 4;
const SOUND_TARGET_MS: f64 = 40.0;

async fn with_phone() -> Result<(Stand, Origin, Phone)> {
    let stand = start(2).await?;
    let origin = stand.origin().await?;
    let mut phone = Phone::open(stand.account(EXTENSION)?).await?;
    phone.register().await?;
    Ok((stand, origin, phone))
}

pub(crate) async fn measure() -> Result<Vec<Row>> {
    let (stand, origin, mut phone) = with_phone().await?;
    let mut rows = Vec::new();
    for (name, modem, prefix) in MODEMS.into_iter().take(2) {
        let (outgoing, incoming) = set_up(&stand, &mut phone, (modem, prefix), origin).await?;
        rows.push(Row::median(format!("call out, {name}: INVITE → ATD, p50"), &outgoing));
        rows.push(Row::median(format!("call in, {name}: RING → INVITE, p50"), &incoming));
    }
    Ok(rows)
}

pub(crate) async fn measure_sound() -> Result<Vec<Row>> {
    let (stand, origin, mut phone) = with_phone().await?;
    let mut rows = Vec::new();
    for (name, modem, prefix) in MODEMS.into_iter().take(2) {
        let mut delays = Delays::default();
        for _ in 0..CALLS_WITH_SOUND {
            delays.extend(measure_delays(&stand, &mut phone, (modem, prefix), origin).await?);
        }
        rows.push(sound_row(format!("sound, {name}: modem → phone, max"), &delays.to_phone));
        rows.push(sound_row(format!("sound, {name}: phone → modem, max"), &delays.to_modem));
    }
    Ok(rows)
}

fn sound_row(what: String, delays: &[Duration]) -> Row {
    let note = format!("p50 {:.1} ms n {}", quantile(delays, 50).as_secs_f64() * 1e3, delays.len());
    Row::millis(what, quantile(delays, 100)).note(note).target(Target::AtMost(SOUND_TARGET_MS))
}

/// The times of calls out and of calls in.
async fn set_up(
    stand: &Stand,
    phone: &mut Phone,
    (modem, prefix): (&str, &str),
    origin: Origin,
) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut outgoing, mut incoming) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let begin = now();
        let (call, talk) = call_out(phone, prefix).await.with_context(|| stand.lab.log())?;
        let dials = |entry: &Entry| matches!(&entry.what, What::FromHost(text) if text.starts_with("ATD"));
        outgoing.push(last(stand, modem, origin, dials)?.saturating_duration_since(begin));
        phone.hang_up(call).await?;
        talk.stop()?;
        wait_until_free(stand, modem).await?;

        stand.lab.sim.call(modem, FAR_NUMBER).await?;
        let rang = phone.ring().await.with_context(|| stand.lab.log())?;
        let rings = |entry: &Entry| matches!(&entry.what, What::FromModem(text) if text.contains("RING"));
        incoming.push(rang.saturating_duration_since(last(stand, modem, origin, rings)?));
        stand.lab.sim.control(modem, Control::Hangup).await?;
        wait_until_free(stand, modem).await?;
    }
    Ok((outgoing, incoming))
}

/// When the last entry of this kind was logged.
fn last(stand: &Stand, modem: &str, origin: Origin, is_it: impl Fn(&Entry) -> bool) -> Result<Instant> {
    let entries = transcript::read(&stand.lab.sim)?;
    let found = entries.iter().rev().find(|entry| entry.modem == modem && is_it(entry));
    Ok(origin.instant(found.context("the transcript does not show the call")?.at))
}
