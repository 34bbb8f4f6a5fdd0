//! Faults that can be laid on a modem, and how many of each are left.

use serde::{Deserialize, Serialize};

/// One way of going wrong. Counts say how often; the fault is gone afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// Every byte leaves in a write of its own.
    SplitWrites {
        /// Until turned off.
        on: bool,
    },
    /// An unsolicited line comes between the echo of a command and its answer.
    UrcBeforeAnswer {
        /// The line.
        urc: String,
        /// How many commands.
        count: u32,
    },
    /// An unsolicited line comes between the `+CMT` or `+CDS` line and its PDU.
    UrcInsidePair {
        /// The line.
        urc: String,
        /// How many pairs.
        count: u32,
    },
    /// Commands are not answered at all.
    Silence {
        /// How many.
        commands: u32,
    },
    /// Commands are answered late; what the host sends meanwhile is answered after that.
    LateAnswer {
        /// How late.
        delay_ms: u64,
        /// How many commands.
        count: u32,
    },
    /// NUL, 0xFF and half lines on every command port after the next start.
    GarbageAtBoot,
    /// NUL, 0xFF and half lines on every command port at once.
    Garbage,
    /// A memory reports itself full and takes nothing.
    StorageFull {
        /// `ME`, `SM` or `SR`.
        memory: String,
        /// Until turned off.
        on: bool,
    },
    /// `+CMTI` gives index -1.
    IndexMinusOne {
        /// How many.
        count: u32,
    },
    /// `AT+CMGS` never prompts.
    NoPrompt {
        /// How many.
        count: u32,
    },
    /// The prompt comes late.
    LatePrompt {
        /// How late.
        delay_ms: u64,
        /// How many.
        count: u32,
    },
    /// The modem takes a message and the network never answers.
    SubmitNeverAnswered {
        /// How many.
        count: u32,
    },
    /// No samples come, and none are taken.
    PcmDead {
        /// Until turned off.
        on: bool,
    },
    /// As `PcmDead`, until the modem restarts.
    PcmDeadUntilRestart {
        /// Until turned off, too.
        on: bool,
    },
    /// One byte is lost at the start of the next stream, so that every sample is off by one byte.
    PcmMisaligned {
        /// Until turned off.
        on: bool,
    },
    /// A while into a stream the modem asks the host to hold off (`+QPCMV: 0,0`), and then to go on (`+QPCMV: 1,0`);
    /// what comes meanwhile is lost. Quectel only.
    PcmHoldsOff {
        /// From the start of the stream.
        after_ms: u64,
        /// Until it goes on.
        for_ms: u64,
    },
    /// The receiver for positions is on: unless `QGPSCFG="outport"` is `none`, a sentence of NMEA comes every second on
    /// the port that carries the samples. Quectel only.
    PositionsInPcm {
        /// Until turned off.
        on: bool,
    },
    /// `CPCMREG=1` answers ERROR from the second call on, until the modem restarts.
    PcmRegistersOnce {
        /// Until turned off.
        on: bool,
    },
    /// A command fails.
    Error {
        /// Name with its sign, as `+CMGS`.
        command: String,
        /// Kind of result.
        kind: ErrorKind,
        /// Number in the result; not used by `plain`.
        #[serde(default)]
        code: u16,
        /// How many.
        count: u32,
    },
    /// The network needs this long to take a message.
    NetworkDelay {
        /// From the end of a message to `+CMGS`.
        delay_ms: u64,
    },
    /// What becomes of messages for which a report is asked.
    Report {
        /// Outcome from now on.
        outcome: ReportOutcome,
    },
    /// Reports are announced by `+CDSI` and lie in no memory that can be listed.
    ReportsHidden {
        /// Until turned off.
        on: bool,
    },
    /// USSD is accepted and never answered.
    UssdNoAnswer {
        /// How many.
        count: u32,
    },
    /// A call that ends is not announced; it is gone from `CLCC` only.
    SilentCallEnd {
        /// How many.
        count: u32,
    },
    /// `CLIP` comes from the second RING on.
    LateClip {
        /// Until turned off.
        on: bool,
    },
    /// `NO CARRIER` is printed while a call is set up, and the call goes on (fallback from LTE to 3G).
    EarlyNoCarrier {
        /// How many calls.
        count: u32,
    },
    /// The modem restarts by itself this long after a call became active.
    RebootInCall {
        /// Time in the call.
        after_ms: u64,
    },
}

/// Kind of an error result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// `+CME ERROR`, after the setting of `CMEE`.
    Cme,
    /// `+CMS ERROR`.
    Cms,
    /// `ERROR`.
    Plain,
}

/// What becomes of a message for which a report is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportOutcome {
    /// Status 0x00.
    Delivered,
    /// Status 0x46: validity expired.
    Failed,
    /// No report comes.
    Never,
    /// Status 0x30, then 0x00.
    Delayed,
    /// Status 0x00, told before `+CMGS`.
    Early,
}

/// Faults in force. A linear list: there are few, and their order is the order of use.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultPlan {
    active: Vec<Fault>,
}

impl FaultPlan {
    /// Adds a fault in place of the one of its kind, or removes that one when it is turned off.
    pub(super) fn add(&mut self, fault: Fault) {
        self.active.retain(|known| !is_replaced_by(known, &fault));
        let is_off = matches!(
            fault,
            Fault::SplitWrites { on: false }
                | Fault::StorageFull { on: false, .. }
                | Fault::ReportsHidden { on: false }
                | Fault::PositionsInPcm { on: false }
                | Fault::PcmDead { on: false }
                | Fault::PcmDeadUntilRestart { on: false }
                | Fault::PcmMisaligned { on: false }
                | Fault::PcmRegistersOnce { on: false }
                | Fault::LateClip { on: false }
        );
        if !is_off {
            self.active.push(fault);
        }
    }

    pub(super) fn clear(&mut self) {
        self.active.clear();
    }

    /// What a restart of the modem mends is over.
    pub(super) fn restart(&mut self) {
        self.active.retain(|fault| !matches!(fault, Fault::PcmDeadUntilRestart { .. }));
    }

    pub(super) fn is_pcm_dead(&self) -> bool {
        self.has(&Fault::PcmDead { on: true }) || self.has(&Fault::PcmDeadUntilRestart { on: true })
    }

    pub(super) fn has(&self, wanted: &Fault) -> bool {
        self.active.contains(wanted)
    }

    pub(super) fn find<T>(&self, choose: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.active.iter().find_map(choose)
    }

    /// Uses one of the count of the first fault that `choose` accepts, and returns what it chose.
    pub(super) fn take<T>(&mut self, choose: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let (position, chosen) =
            self.active.iter().enumerate().find_map(|(position, fault)| Some((position, choose(fault)?)))?;
        let left = self.active.get_mut(position).and_then(count_of).map_or(0, |count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == 0 {
            self.active.remove(position);
        }
        Some(chosen)
    }
}

fn is_replaced_by(known: &Fault, new: &Fault) -> bool {
    if std::mem::discriminant(known) != std::mem::discriminant(new) {
        return false;
    }
    match (known, new) {
        (Fault::StorageFull { memory: known, .. }, Fault::StorageFull { memory: new, .. })
        | (Fault::Error { command: known, .. }, Fault::Error { command: new, .. }) => known == new,
        _ => true,
    }
}

fn count_of(fault: &mut Fault) -> Option<&mut u32> {
    match fault {
        Fault::UrcBeforeAnswer { count, .. }
        | Fault::UrcInsidePair { count, .. }
        | Fault::Silence { commands: count }
        | Fault::LateAnswer { count, .. }
        | Fault::IndexMinusOne { count }
        | Fault::NoPrompt { count }
        | Fault::LatePrompt { count, .. }
        | Fault::SubmitNeverAnswered { count }
        | Fault::Error { count, .. }
        | Fault::UssdNoAnswer { count }
        | Fault::EarlyNoCarrier { count }
        | Fault::SilentCallEnd { count } => Some(count),
        Fault::SplitWrites { .. }
        | Fault::GarbageAtBoot
        | Fault::Garbage
        | Fault::StorageFull { .. }
        | Fault::ReportsHidden { .. }
        | Fault::PcmDead { .. }
        | Fault::PcmDeadUntilRestart { .. }
        | Fault::PcmMisaligned { .. }
        | Fault::PcmHoldsOff { .. }
        | Fault::PositionsInPcm { .. }
        | Fault::PcmRegistersOnce { .. }
        | Fault::NetworkDelay { .. }
        | Fault::Report { .. }
        | Fault::LateClip { .. }
        | Fault::RebootInCall { .. } => None,
    }
}
