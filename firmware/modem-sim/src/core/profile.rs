//! One simulated unit: its numbers, its SIM and the pace of its network.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What distinguishes one unit from another of the same personality.
#[derive(Clone, Debug)]
pub struct Profile {
    /// 15 digits.
    pub imei: String,
    /// SIM in the tray, if any.
    pub sim: Option<SimProfile>,
    /// Pace of modem and network.
    pub timings: Timings,
    /// Unix seconds at the moment the simulator starts; dates of messages count from it.
    pub started_unix_seconds: u64,
}

/// A SIM and its subscription.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimProfile {
    /// 18 to 20 digits.
    pub iccid: String,
    /// 14 or 15 digits.
    pub imsi: String,
    /// Own number, international.
    pub number: String,
    /// PIN; `None` when the check is off.
    pub pin: Option<String>,
    /// Unblocks the PIN.
    pub puk: String,
    /// Long name of the home operator.
    pub operator: String,
    /// Country and network code of the home operator.
    pub plmn: String,
    /// Service centre for short messages.
    pub smsc: String,
    /// Slots for messages on the SIM.
    pub slots: usize,
}

impl Default for SimProfile {
    fn default() -> Self {
        Self {
            iccid: "8933150319080012345".to_owned(),
            imsi: "208150000012345".to_owned(),
            number: "+33612000001".to_owned(),
            pin: None,
            puk: "12345678".to_owned(),
            operator: "Orange F".to_owned(),
            plmn: "20801".to_owned(),
            smsc: "+33689004000".to_owned(),
            slots: 40,
        }
    }
}

/// Numbers and PINs stay out of logs.
impl fmt::Debug for SimProfile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimProfile").field("operator", &self.operator).finish_non_exhaustive()
    }
}

/// Pace of a modem and of its network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// Ports exist but do not answer after power on.
    pub boot_silence: Duration,
    /// From the answer to a reset command until the device leaves the bus.
    pub unplug_after: Duration,
    /// Absence from the bus during a reset.
    pub absent: Duration,
    /// From SIM ready to registered.
    pub register_after: Duration,
    /// From the end of a message to `+CMGS`.
    pub sms_delay: Duration,
    /// From `+CMGS` to the delivery report.
    pub report_after: Duration,
    /// From `AT+CUSD` to the answer of the network.
    pub ussd_after: Duration,
    /// From dialling to alerting.
    pub alert_after: Duration,
    /// Between two `RING`.
    pub ring_every: Duration,
    /// Length of `AT+COPS=?`.
    pub scan: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            boot_silence: Duration::from_millis(1000),
            unplug_after: Duration::from_millis(1000),
            absent: Duration::from_secs(3),
            register_after: Duration::from_millis(500),
            sms_delay: Duration::from_millis(100),
            report_after: Duration::from_secs(1),
            ussd_after: Duration::from_secs(1),
            alert_after: Duration::from_millis(300),
            ring_every: Duration::from_secs(5),
            scan: Duration::from_secs(5),
        }
    }
}
