//! Calls of a household, seen from the far end and from its phones.

use crate::baresip::Baresip;
use crate::clock::wait_for;
use crate::house::{EC25, House, SIM7600};
use crate::lab::Lab;
use crate::tone::Recording;
use anyhow::{Context, Result, bail};
use modem_sim::core::{CallReport, CallState, Personality};
use modem_sim::runner::{ModemConfig, write_wav};
use serde_json::{Value, json};
use settings::LineSettings;
use std::time::Duration;

/// What a phone says in the stories of calls.
pub const PHONE_HZ: u32 = 440;
/// What the far end says.
pub const FAR_HZ: u32 = 1000;

/// Whatever is waited for comes within a second or two, and on a machine that does much else within this.
pub const MOMENT: Duration = Duration::from_secs(30);
/// Who calls, and is called.
pub const FAR_NUMBER: &str = "+33698765432";
/// A number dialled behind these leaves through this modem.
pub const PREFIXES: [(&str, &str); 2] = [(EC25, "81"), (SIM7600, "82")];

/// A box on which each line has a prefix of its own and Asterisk knows it; the second modem may be of another kind.
///
/// # Errors
/// With the log of the supervisor.
pub async fn lab_with(personality: Option<&str>) -> Result<Lab> {
    let mut lines = Vec::new();
    for (modem, (_, prefix)) in ModemConfig::defaults().iter().zip(PREFIXES) {
        lines.push(line_settings(&modem.profile.sim.as_ref().context("no SIM")?.iccid, prefix)?);
    }
    let personality = personality.map(|name| Personality::named(name).context("no such personality")).transpose()?;
    let lab = Lab::start_with(
        |config| {
            if let (Some(personality), Some(modem)) = (personality, config.modems.get_mut(1)) {
                modem.personality = personality;
            }
        },
        |settings| settings.lines = lines,
    )
    .await?;
    lab.wait_for_asterisk().await?;
    let is_known = || async {
        for (_, prefix) in PREFIXES {
            let shown = lab.console(&format!("dialplan show {prefix}0698765432@from-internal")).await.ok()?;
            shown.contains(&format!("'_{prefix}X.'")).then_some(())?;
        }
        Some(())
    };
    wait_for("the dialplan to know the lines", MOMENT, is_known).await.with_context(|| lab.log())?;
    Ok(lab)
}

fn line_settings(iccid: &str, prefix: &str) -> Result<LineSettings> {
    Ok(LineSettings {
        iccid: iccid.parse()?,
        name: "line".parse()?,
        ring: vec!["2001".parse()?],
        ring_seconds: 5,
        voicemail: None,
        prefix: Some(prefix.parse()?),
        country: None,
    })
}

impl House {
    /// The call that a modem has, as the network sees it.
    pub async fn call_of(&self, modem: &str) -> Option<CallReport> {
        let modems = self.sim.status().await.ok()?;
        modems.into_iter().find(|m| m.usb_path == modem)?.calls.into_iter().find(|c| c.state != CallState::Released)
    }

    /// Waits until the call of a modem is in a state.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_call(&self, modem: &str, state: CallState) -> Result<()> {
        let is_there = || async { self.call_of(modem).await.filter(|call| call.state == state).map(drop) };
        self.wait_for(&format!("a call on {modem} to be {state:?}"), self.patience, is_there).await
    }

    /// Waits until a modem has no call.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_no_call(&self, modem: &str) -> Result<()> {
        let is_free = || async { self.call_of(modem).await.is_none().then_some(()) };
        self.wait_for(&format!("the call of {modem} to end"), self.patience, is_free).await
    }

    /// Waits until the far end has heard so many seconds.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_sound(&self, modem: &str, seconds: f64) -> Result<()> {
        let enough = || async { (self.heard_by_far_end(modem).await.ok()?.seconds() > seconds).then_some(()) };
        self.wait_for("the far end to hear something", self.patience, enough).await
    }

    /// What the far end heard in the last call of a modem.
    ///
    /// # Errors
    /// When there is no such modem.
    pub async fn heard_by_far_end(&self, modem: &str) -> Result<Recording> {
        let recording = self.sim.recording(modem).await?;
        Ok(Recording { rate_hz: recording.rate_hz, samples: recording.samples })
    }

    /// Both sides heard the other's tone and little else.
    ///
    /// # Errors
    /// When one did not.
    pub async fn prove_sound(&self, modem: &str, phone: &Baresip) -> Result<()> {
        let near = phone.heard().await?;
        let sides = [("the far end", self.heard_by_far_end(modem).await?, PHONE_HZ), ("the phone", near, FAR_HZ)];
        for (side, heard, hz) in sides {
            let (strongest, share) = (heard.strongest_hz(), heard.share_of(hz));
            if strongest != Some(hz) || share <= 0.8 {
                let kept = std::env::temp_dir().join(format!("homenichat-heard-{}.wav", std::process::id()));
                write_wav(&kept, heard.rate_hz, &heard.samples)?;
                let kept = kept.display();
                bail!("{side} of {modem} heard {strongest:?} Hz in place of {hz}, which was {share} of it: see {kept}");
            }
        }
        Ok(())
    }

    /// Waits until the last call of the history has ended in a way.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_ended_call(&self, status: &str) -> Result<Value> {
        let ended = || async {
            let calls = self.api.read("/api/calls?limit=1").await.ok()?;
            let call = calls.get("calls")?.get(0)?.clone();
            let has_ended = call.get("status") == Some(&json!(status)) && !call.get("endTime")?.is_null();
            has_ended.then_some(call)
        };
        self.wait_for(&format!("a call that ended as {status}"), Duration::from_secs(30), ended).await
    }
}
