//! What a modem tells of the radio network.

use serde::{Deserialize, Serialize};

/// Strength of the received signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signal {
    /// Received power, in dBm: about -113 (nothing) to -51 (next to the mast).
    pub rssi_dbm: i16,
}

impl Signal {
    /// Reads the first value of `+CSQ` (TS 27.007 §8.5), or the 100 to 191 that SIMCom modems answer on some radio
    /// technologies; `None` when the modem does not know.
    #[must_use]
    pub fn from_csq(value: u8) -> Option<Self> {
        let rssi_dbm = match value {
            0..=31 => -113 + 2 * i16::from(value),
            100..=191 => i16::from(value) - 216,
            _ => return None,
        };
        Some(Self { rssi_dbm })
    }

    /// How many bars a telephone would show, 0 to 5.
    #[must_use]
    pub fn bars(self) -> u8 {
        match self.rssi_dbm {
            -70.. => 5,
            -80..-70 => 4,
            -90..-80 => 3,
            -100..-90 => 2,
            -110..-100 => 1,
            _ => 0,
        }
    }
}

/// State of the registration with a network (TS 27.007 §7.2, `<stat>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// Not registered, and not looking for a network.
    NotSearching,
    /// Registered with the network of the SIM.
    Home,
    /// Looking for a network.
    Searching,
    /// The network refuses this SIM.
    Denied,
    /// Out of coverage, or a state that the standard does not define.
    Unknown,
    /// Registered with a network other than that of the SIM.
    Roaming,
    /// Registered at home for SMS only.
    SmsOnlyHome,
    /// Registered abroad for SMS only.
    SmsOnlyRoaming,
    /// Nothing but calls for help.
    EmergencyOnly,
}

impl Registration {
    /// Reads `<stat>`; 9 and 10 (circuit-switched fallback not preferred) count as registered.
    #[must_use]
    pub fn from_stat(stat: u8) -> Self {
        match stat {
            0 => Self::NotSearching,
            1 | 9 => Self::Home,
            2 => Self::Searching,
            3 => Self::Denied,
            5 | 10 => Self::Roaming,
            6 => Self::SmsOnlyHome,
            7 => Self::SmsOnlyRoaming,
            8 => Self::EmergencyOnly,
            _ => Self::Unknown,
        }
    }

    /// The value of `<stat>` that means this.
    #[must_use]
    pub fn stat(self) -> u8 {
        match self {
            Self::NotSearching => 0,
            Self::Home => 1,
            Self::Searching => 2,
            Self::Denied => 3,
            Self::Unknown => 4,
            Self::Roaming => 5,
            Self::SmsOnlyHome => 6,
            Self::SmsOnlyRoaming => 7,
            Self::EmergencyOnly => 8,
        }
    }

    /// Whether messages can pass.
    #[must_use]
    pub fn is_registered(self) -> bool {
        match self {
            Self::Home | Self::Roaming | Self::SmsOnlyHome | Self::SmsOnlyRoaming => true,
            Self::NotSearching | Self::Searching | Self::Denied | Self::Unknown | Self::EmergencyOnly => false,
        }
    }

    /// Whether ordinary calls can pass.
    #[must_use]
    pub fn can_call(self) -> bool {
        matches!(self, Self::Home | Self::Roaming)
    }
}

/// Access technology of the serving cell (TS 27.007 §7.3, `<AcT>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessTechnology {
    /// GSM.
    Gsm,
    /// GSM Compact.
    GsmCompact,
    /// UTRAN.
    Utran,
    /// GSM with EGPRS.
    GsmEgprs,
    /// UTRAN with HSDPA.
    UtranHsdpa,
    /// UTRAN with HSUPA.
    UtranHsupa,
    /// UTRAN with HSDPA and HSUPA.
    UtranHspa,
    /// E-UTRAN.
    EUtran,
    /// EC-GSM-IoT.
    EcGsmIot,
    /// E-UTRAN, narrow band.
    EUtranNb,
    /// E-UTRA connected to a 5G core.
    EUtra5gc,
    /// NR connected to a 5G core.
    Nr5gc,
    /// Next generation RAN.
    NgRan,
    /// E-UTRA and NR together.
    EUtraNr,
    /// A value of a later standard, kept as it came.
    Other(u8),
}

impl AccessTechnology {
    /// Reads `<AcT>`.
    #[must_use]
    pub fn from_act(act: u8) -> Self {
        match act {
            0 => Self::Gsm,
            1 => Self::GsmCompact,
            2 => Self::Utran,
            3 => Self::GsmEgprs,
            4 => Self::UtranHsdpa,
            5 => Self::UtranHsupa,
            6 => Self::UtranHspa,
            7 => Self::EUtran,
            8 => Self::EcGsmIot,
            9 => Self::EUtranNb,
            10 => Self::EUtra5gc,
            11 => Self::Nr5gc,
            12 => Self::NgRan,
            13 => Self::EUtraNr,
            other => Self::Other(other),
        }
    }

    /// The value of `<AcT>` that means this.
    #[must_use]
    pub fn act(self) -> u8 {
        match self {
            Self::Gsm => 0,
            Self::GsmCompact => 1,
            Self::Utran => 2,
            Self::GsmEgprs => 3,
            Self::UtranHsdpa => 4,
            Self::UtranHsupa => 5,
            Self::UtranHspa => 6,
            Self::EUtran => 7,
            Self::EcGsmIot => 8,
            Self::EUtranNb => 9,
            Self::EUtra5gc => 10,
            Self::Nr5gc => 11,
            Self::NgRan => 12,
            Self::EUtraNr => 13,
            Self::Other(act) => act,
        }
    }

    /// What a telephone would write beside its bars: `2G` to `5G`, or `?`.
    #[must_use]
    pub fn generation(self) -> &'static str {
        match self {
            Self::Gsm | Self::GsmCompact | Self::GsmEgprs | Self::EcGsmIot => "2G",
            Self::Utran | Self::UtranHsdpa | Self::UtranHsupa | Self::UtranHspa => "3G",
            Self::EUtran | Self::EUtranNb => "4G",
            Self::EUtra5gc | Self::Nr5gc | Self::NgRan | Self::EUtraNr => "5G",
            Self::Other(_) => "?",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csq_values_become_power_and_bars() {
        let table = [
            (0, Some((-113, 0))),
            (1, Some((-111, 0))),
            (10, Some((-93, 2))),
            (21, Some((-71, 4))),
            (31, Some((-51, 5))),
            (32, None),
            (99, None),
            (100, Some((-116, 0))),
            (191, Some((-25, 5))),
            (199, None),
        ];
        for (csq, want) in table {
            let got = Signal::from_csq(csq).map(|signal| (signal.rssi_dbm, signal.bars()));
            assert_eq!(got, want, "CSQ {csq}");
        }
    }

    #[test]
    fn registration_tells_what_can_pass() {
        let table = [
            (0, Registration::NotSearching, false, false),
            (1, Registration::Home, true, true),
            (3, Registration::Denied, false, false),
            (5, Registration::Roaming, true, true),
            (6, Registration::SmsOnlyHome, true, false),
            (8, Registration::EmergencyOnly, false, false),
            (9, Registration::Home, true, true),
            (77, Registration::Unknown, false, false),
        ];
        for (stat, want, is_registered, can_call) in table {
            let got = Registration::from_stat(stat);
            assert_eq!((got, got.is_registered(), got.can_call()), (want, is_registered, can_call), "stat {stat}");
        }
    }

    #[test]
    fn every_access_technology_comes_back() {
        for act in 0..=u8::MAX {
            assert_eq!(AccessTechnology::from_act(act).act(), act);
        }
        assert_eq!(AccessTechnology::from_act(7).generation(), "4G");
    }
}
