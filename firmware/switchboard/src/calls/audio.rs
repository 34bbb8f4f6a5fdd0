//! What is wrong with the sound of a call, in a sentence.

use std::time::Duration;

/// The state of the audio of one call, measured where the modem and Asterisk meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AudioReport {
    /// Since the modem's audio was joined.
    pub running: Duration,
    /// From then to the modem's first bytes; `None` while there are none.
    pub first_audio: Option<Duration>,
    /// How long the modem has been giving nothing but zeros.
    pub silence: Duration,
    /// Samples per second that the modem really gives; 0 until measured.
    pub rate_hz: u32,
    /// Frames of 20 ms that came from the modem.
    pub modem_frames: u64,
    /// Frames of 20 ms that came from the phone.
    pub phone_frames: u64,
    /// Frames of 20 ms that were dropped to keep the delay down, both ways.
    pub dropped_frames: u64,
    /// What is wrong, if anything.
    pub fault: Option<AudioFault>,
}

/// Something wrong with the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AudioFault {
    /// No bytes come from the modem.
    NothingFromModem,
    /// The modem gives bytes, all of them silence.
    SilenceFromModem,
    /// Asterisk sends nothing: the other end hears nothing.
    NothingFromPhone,
    /// The modem does not take what it is given: the other end hears nothing.
    ModemTakesNothing,
    /// The modem gives another rate than its setting says; it is converted.
    OtherRate,
    /// The modem's bytes were shifted by one; repaired.
    Misaligned,
    /// The modem mixes satellite positions as text into its sound; they are taken out.
    PositionsInSound,
}

impl AudioFault {
    /// Whether voice over USB must be set up again after the call.
    pub(super) fn is_dead(self) -> bool {
        match self {
            Self::NothingFromModem | Self::SilenceFromModem | Self::ModemTakesNothing => true,
            Self::NothingFromPhone | Self::OtherRate | Self::Misaligned | Self::PositionsInSound => false,
        }
    }

    /// The sentence for the owner; `None` for what repaired itself.
    pub(super) fn sentence(self, report: &AudioReport) -> Option<String> {
        let running = report.running.as_secs();
        match self {
            Self::NothingFromModem => Some(format!(
                "no sound arrives from the modem, {running} s into the call: voice is set up again after it"
            )),
            Self::SilenceFromModem => Some(format!(
                "the modem has given only silence for {} s: voice is set up again after the call",
                report.silence.as_secs()
            )),
            Self::NothingFromPhone => Some(format!(
                "no sound arrives from the phone, {running} s into the call: check its microphone and network"
            )),
            Self::ModemTakesNothing => Some(
                "the modem does not take sound, so the other end hears nothing: voice is set up again after the call"
                    .into(),
            ),
            Self::PositionsInSound => Some(
                "the modem mixes satellite positions into the sound; they are taken out: plug the modem in again to \
                 switch them off"
                    .into(),
            ),
            Self::OtherRate | Self::Misaligned => None,
        }
    }
}
