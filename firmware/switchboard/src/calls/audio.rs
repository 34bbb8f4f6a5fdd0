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
    /// Whether voice over USB must be switched off and on again. Samples of silence may be those of the other end.
    pub(super) fn is_dead(self) -> bool {
        matches!(self, Self::NothingFromModem | Self::ModemTakesNothing)
    }

    /// Whether both sides hear each other all the same.
    pub(super) fn is_mended(self) -> bool {
        matches!(self, Self::OtherRate | Self::Misaligned)
    }

    /// The sentence for the owner.
    pub(super) fn sentence(self, report: &AudioReport) -> String {
        let running = report.running.as_secs();
        match self {
            Self::NothingFromModem => {
                format!("no sound arrives from the modem, {running} s into the call: its voice is switched on again")
            }
            Self::SilenceFromModem => {
                let silence = report.silence.as_secs();
                format!("the modem has given only silence for {silence} s; the other end may be silent")
            }
            Self::NothingFromPhone => {
                format!("no sound arrives from the phone, {running} s into the call: check its microphone and network")
            }
            Self::ModemTakesNothing => {
                "the modem does not take sound, so the other end hears nothing: its voice is switched on again".into()
            }
            Self::PositionsInSound => "the modem mixes satellite positions into the sound; they are taken out: plug \
                                       the modem in again to switch them off"
                .into(),
            Self::OtherRate => {
                format!(
                    "the modem gives {} samples of sound per second, not those of its setting: converted",
                    report.rate_hz
                )
            }
            Self::Misaligned => "the modem's sound was off by one byte: put right".into(),
        }
    }
}
