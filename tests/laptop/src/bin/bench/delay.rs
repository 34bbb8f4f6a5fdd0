//! How long a sample is under way between the modem's tty and the phone's socket.

use crate::exchange::{call_out, wait_until_free};
use crate::phone::Phone;
use crate::sound::{PERIOD_SAMPLES, onsets};
use crate::stand::Stand;
use crate::transcript::{self, Entry, Origin, What};
use anyhow::{Context, Result, ensure};
use modem_sim::core::{Control, Recording};
use std::time::{Duration, Instant};

const TALK: Duration = Duration::from_secs(5);
/// Bursts come each 500 ms, so a delay beyond this is another burst's.
const LONGEST: Duration = Duration::from_millis(450);

/// The delays of bursts.
#[derive(Debug, Default)]
pub(crate) struct Delays {
    pub(crate) to_phone: Vec<Duration>,
    pub(crate) to_modem: Vec<Duration>,
}

impl Delays {
    pub(crate) fn extend(&mut self, other: Self) {
        self.to_phone.extend(other.to_phone);
        self.to_modem.extend(other.to_modem);
    }
}

/// Talks for some seconds through one modem.
pub(crate) async fn measure_delays(
    stand: &Stand,
    phone: &mut Phone,
    (modem, prefix): (&str, &str),
    origin: Origin,
) -> Result<Delays> {
    stand.lab.sim.clear_recording(modem).await?;
    let known = transcript::read(&stand.lab.sim)?.len();
    let (call, talk) = call_out(phone, prefix).await.with_context(|| stand.lab.log())?;
    tokio::time::sleep(TALK).await;
    let (recording, entries) = record(stand, modem).await?;
    phone.hang_up(call).await?;
    let heard = talk.stop()?;
    wait_until_free(stand, modem).await?;
    let of_call: Vec<&Entry> = entries.iter().skip(known).filter(|entry| entry.modem == modem).collect();
    let said = bursts_of_modem(&of_call, &recording, origin)?;
    let taken = bursts_at_modem(&of_call, &recording, origin)?;
    let delays = Delays { to_phone: pair(&said, &heard.heard), to_modem: pair(&heard.said, &taken) };
    ensure!(delays.to_phone.len() > 4, "the phone heard {} bursts in {TALK:?}", delays.to_phone.len());
    ensure!(delays.to_modem.len() > 4, "the modem heard {} bursts in {TALK:?}", delays.to_modem.len());
    Ok(delays)
}

/// What the modem took so far, and the transcript up to exactly there.
async fn record(stand: &Stand, modem: &str) -> Result<(Recording, Vec<Entry>)> {
    let is_mark = |entry: &Entry| entry.modem == modem && entry.what == What::Control("ClearFaults".to_owned());
    let is_sound = |entry: &Entry| entry.modem == modem && sound_of_host(entry) + sound_of_modem(entry) > 0;
    for _ in 0..50 {
        stand.lab.sim.control(modem, Control::ClearFaults).await?;
        let recording = stand.lab.sim.recording(modem).await?;
        stand.lab.sim.control(modem, Control::ClearFaults).await?;
        let mut entries = transcript::read(&stand.lab.sim)?;
        let last = entries.iter().rposition(is_mark).context("no mark")?;
        entries.truncate(last);
        let first = entries.iter().rposition(is_mark).context("no mark")?;
        if !entries.iter().skip(first).any(is_sound) {
            return Ok((recording, entries));
        }
    }
    anyhow::bail!("sound never pauses between two marks")
}

/// When the modem wrote the frames in which its bursts begin.
fn bursts_of_modem(entries: &[&Entry], recording: &Recording, origin: Origin) -> Result<Vec<Instant>> {
    let rate = usize::try_from(recording.rate_hz)?;
    let frame = rate / 50 * 2;
    let written: usize = entries.iter().map(|entry| sound_of_modem(entry)).sum();
    let sent = usize::try_from(recording.frames_out)? * frame;
    ensure!(written == sent, "the modem dropped {} bytes of its own sound", sent.abs_diff(written));
    let period = PERIOD_SAMPLES * rate / crate::sound::RATE_HZ * 2;
    Ok(times(entries, sound_of_modem, (0..written).step_by(period), origin))
}

/// When the modem took the bytes with which the phone's bursts begin.
fn bursts_at_modem(entries: &[&Entry], recording: &Recording, origin: Origin) -> Result<Vec<Instant>> {
    let written: usize = entries.iter().map(|entry| sound_of_host(entry)).sum();
    // What comes before the stream begins is lost in the modem.
    let lost = written.checked_sub(usize::try_from(recording.bytes_in)?).context("more sound than was written")?;
    let onsets = onsets(&recording.samples, usize::try_from(recording.rate_hz)?);
    Ok(times(entries, sound_of_host, onsets.into_iter().map(|sample| lost + sample * 2), origin))
}

/// The times of the entries that hold these bytes, in ascending order.
fn times(
    entries: &[&Entry],
    size: impl Fn(&Entry) -> usize,
    places: impl Iterator<Item = usize>,
    origin: Origin,
) -> Vec<Instant> {
    let mut passed = 0;
    let ends: Vec<(usize, Duration)> = entries
        .iter()
        .filter(|entry| size(entry) > 0)
        .map(|entry| {
            passed += size(entry);
            (passed, entry.at)
        })
        .collect();
    let at = |place: usize| ends.iter().find(|(end, _)| *end > place).map(|(_, at)| origin.instant(*at));
    places.filter_map(at).collect()
}

/// Each arrival with the latest departure before it.
fn pair(departures: &[Instant], arrivals: &[Instant]) -> Vec<Duration> {
    let before = |arrival: &Instant| departures.iter().rev().find(|departure| *departure <= arrival).copied();
    let delays = arrivals.iter().filter_map(|arrival| Some(arrival.duration_since(before(arrival)?)));
    delays.filter(|delay| *delay < LONGEST).collect()
}

fn sound_of_modem(entry: &Entry) -> usize {
    if let What::SoundFromModem(size) = entry.what { size } else { 0 }
}

fn sound_of_host(entry: &Entry) -> usize {
    if let What::SoundFromHost(size) = entry.what { size } else { 0 }
}
