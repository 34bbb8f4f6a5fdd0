//! The SIM of a line: its identity and its PIN.

use super::{LineTask, STORE_PAUSE};
use crate::clock;
use crate::registry::Stage;
use modem::{Command, SimState};
use telecom::Iccid;
use tracing::{info, warn};

/// A stored PIN is never the one that blocks the SIM.
const FEWEST_ATTEMPTS: u8 = 2;

impl LineTask {
    pub(super) async fn on_sim(&mut self, state: SimState) {
        info!(modem = %self.usb_path, state = word(&state), "SIM");
        match &state {
            SimState::PinNeeded { iccid, .. } | SimState::PukNeeded { iccid, .. } => self.on_card(iccid.clone()).await,
            SimState::Absent => self.on_card(None).await,
            SimState::Ready | SimState::PinWrong { .. } | SimState::Faulty(_) => {}
        }
        let waiting = self.pin.take();
        let is_entered = match &state {
            SimState::PinNeeded { iccid: Some(iccid), attempts_left } if waiting.is_none() => {
                self.try_stored_pin(iccid.clone(), *attempts_left).await
            }
            _ => false,
        };
        self.facts(|facts| {
            // What the box enters by itself needs nobody.
            if !is_entered && (facts.stage != Stage::Ready || state != SimState::Ready) {
                facts.stage = Stage::Sim(state.clone());
            }
        });
        match (&state, waiting) {
            (_, Some(waiting)) => drop(waiting.send(state)),
            (SimState::PinWrong { .. }, None) => self.reject_stored_pin().await,
            (_, None) => {}
        }
    }

    /// The card in the modem is this one, or cannot be told: nothing of another one may be taken for it.
    async fn on_card(&mut self, iccid: Option<Iccid>) {
        if iccid.is_some() && iccid == self.iccid {
            return;
        }
        self.iccid.clone_from(&iccid);
        (self.unnoted_sim, self.stored_pin_for) = (None, None);
        self.facts(|facts| facts.iccid.clone_from(&iccid));
        self.leave_line().await;
        if let Some(iccid) = iccid {
            self.show_line_of(&iccid).await;
        }
    }

    /// Says of which line a card is that cannot be used yet, so that nobody is told to plug in what is plugged in.
    async fn show_line_of(&self, iccid: &Iccid) {
        match self.context.store.list_lines().await {
            Ok(lines) => {
                if let Some(line) = lines.into_iter().find(|line| line.iccid == *iccid) {
                    self.show_line(line);
                }
            }
            Err(error) => self.store_failed("finding the line of a card", &error),
        }
    }

    fn show_line(&self, line: store::Line) {
        self.facts(|facts| {
            (facts.line, facts.line_name, facts.number) = (Some(line.id), Some(line.name), line.number);
        });
    }

    /// The modem does not carry its line any more.
    async fn leave_line(&mut self) {
        self.facts(|facts| (facts.line, facts.line_name, facts.number) = (None, None, None));
        if let Some(line) = self.line.take() {
            self.context.exchange.line_lost(line).await;
        }
    }

    /// Enters the stored PIN, once, and only while more than one attempt is left; says whether it did.
    async fn try_stored_pin(&mut self, iccid: Iccid, attempts_left: Option<u8>) -> bool {
        if self.stored_pin_for.as_ref() == Some(&iccid) {
            warn!(modem = %self.usb_path, "the SIM asks again: the stored PIN is not tried twice");
            return false;
        }
        let Some(attempts_left) = attempts_left.filter(|left| *left >= FEWEST_ATTEMPTS) else {
            warn!(modem = %self.usb_path, "too few PIN attempts are left to try a stored PIN");
            return false;
        };
        match self.context.store.take_pin(iccid.clone(), attempts_left).await {
            Ok(Some(pin)) => {
                self.stored_pin_for = Some(iccid);
                self.command(Command::EnterPin { pin, last_attempt: false }).await;
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.store_failed("finding a PIN", &error);
                false
            }
        }
    }

    async fn reject_stored_pin(&mut self) {
        let Some(iccid) = self.stored_pin_for.take() else { return };
        warn!(modem = %self.usb_path, "the SIM refused the stored PIN; it is not tried again");
        if let Err(error) = self.context.store.reject_pin(iccid).await {
            self.store_failed("rejecting a PIN", &error);
        }
    }

    pub(super) async fn on_sim_identified(&mut self, sim: modem::SimIdentity) {
        if self.iccid.as_ref() != Some(&sim.iccid) {
            self.leave_line().await;
        }
        self.stored_pin_for = None;
        self.iccid = Some(sim.iccid.clone());
        let line = match self.note_sim(sim.clone()).await {
            Ok(line) => line,
            Err(error) => {
                // Until it is known whose they are, messages stay on the modem and calls ring in vain.
                self.leave_line().await;
                self.unnoted_sim = Some(sim);
                self.resweep_at = Some(clock::now() + STORE_PAUSE);
                return self.store_failed("noting a line", &error);
            }
        };
        info!(modem = %self.usb_path, line = %line.id, "SIM identified");
        self.line = Some(line.id);
        self.unnoted_sim = None;
        self.facts(|facts| facts.iccid = Some(sim.iccid));
        self.show_line(line);
        self.store_direct().await;
    }

    async fn note_sim(&self, sim: modem::SimIdentity) -> Result<store::Line, store::StoreError> {
        self.context.store.confirm_pin(sim.iccid.clone()).await?;
        let identity = store::SimIdentity { iccid: sim.iccid, imsi: Some(sim.imsi), number: sim.number };
        Ok(self.context.store.ensure_line(identity, clock::unix_ms()).await?.into_inner())
    }
}

fn word(state: &SimState) -> &'static str {
    match state {
        SimState::Ready => "ready",
        SimState::PinNeeded { .. } => "PIN needed",
        SimState::PinWrong { .. } => "PIN wrong",
        SimState::PukNeeded { .. } => "PUK needed",
        SimState::Absent => "absent",
        SimState::Faulty(_) => "faulty",
    }
}
