//! A box with modems that can be called through one by one.

use crate::phone::{Call, Phone};
use crate::sound::{Sound, Talk, pattern};
use crate::stand::Stand;
use anyhow::{Context, Result};
use laptop_tests::clock::wait_for;
use modem_sim::core::{CallPlan, CallState, Control, FarAudio, Personality};
use modem_sim::runner::ModemConfig;
use settings::LineSettings;
use std::time::Duration;

/// USB paths of the modems and what is dialled before a number to leave through them.
pub(crate) const MODEMS: [(&str, &str, &str); 4] =
    [("EC25", "1-2", "81"), ("SIM7600", "1-3", "82"), ("EC25", "1-4", "83"), ("SIM7600", "1-5", "84")];
pub(crate) const EXTENSION: &str = "2001";
const FAR: &str = "0698765432";
const CHANGE: Duration = Duration::from_secs(20);

/// A box with the first `count` modems, whose far ends pick up quickly and say bursts.
pub(crate) async fn start(count: usize) -> Result<Stand> {
    let modems: Vec<ModemConfig> = MODEMS.iter().zip(0..).take(count).filter_map(modem).collect();
    let lines: Vec<LineSettings> =
        modems.iter().zip(MODEMS).map(|(modem, (_, _, prefix))| line(modem, prefix)).collect::<Result<_>>()?;
    let stand = Stand::start(|config| config.modems = modems, |settings| settings.lines = lines).await?;
    stand.wait_for_exchange().await?;
    for (_, modem, _) in MODEMS.iter().take(count) {
        let bursts = FarAudio::Samples { rate_hz: 8000, samples: pattern() };
        stand.lab.sim.control(modem, Control::Audio { audio: bursts }).await?;
        stand.lab.sim.control(modem, Control::Plan(CallPlan { ring_ms: 100, ..CallPlan::default() })).await?;
    }
    Ok(stand)
}

fn modem((&(name, path, _), ordinal): (&(&str, &str, &str), u32)) -> Option<ModemConfig> {
    let personality = Personality::named(&name.to_lowercase())?;
    Some(ModemConfig { usb_path: path.to_owned(), ..ModemConfig::numbered(personality, ordinal) })
}

fn line(modem: &ModemConfig, prefix: &str) -> Result<LineSettings> {
    let sim = modem.profile.sim.as_ref().context("a modem without SIM")?;
    Ok(LineSettings {
        iccid: sim.iccid.parse()?,
        name: "line".parse()?,
        ring: vec![EXTENSION.parse()?],
        ring_seconds: 20,
        voicemail: None,
        prefix: Some(prefix.parse()?),
        country: None,
    })
}

/// A call with sound through the modem that `prefix` chooses.
pub(crate) async fn call_out(phone: &mut Phone, prefix: &str) -> Result<(Call, Talk)> {
    let (sound, port) = Sound::open()?;
    let call = phone.call(&format!("{prefix}{FAR}"), port).await?;
    let talk = sound.start(call.sound);
    Ok((call, talk))
}

/// Waits until the modem has no call.
pub(crate) async fn wait_until_free(stand: &Stand, modem: &str) -> Result<()> {
    let is_free = || async {
        let modems = stand.lab.sim.status().await.ok()?;
        let calls = &modems.iter().find(|unit| unit.usb_path == modem)?.calls;
        calls.iter().all(|call| call.state == CallState::Released).then_some(())
    };
    wait_for("the modem's call to end", CHANGE, is_free).await.with_context(|| stand.lab.log())?;
    // The channels of the exchange end after the modem's call.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(())
}
