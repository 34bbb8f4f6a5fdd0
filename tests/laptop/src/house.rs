//! A household: a box that runs somewhere, its modems, and what its owner and the network do with them.

use crate::clock::wait_for;
use crate::http::Api;
use anyhow::{Context, Result, ensure};
use modem_sim::runner::{ModemStatus, Sim};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The EC25.
pub const EC25: &str = "1-2";
/// The SIM7600.
pub const SIM7600: &str = "1-3";
/// Who owns every box of the stories.
pub const OWNER: (&str, &str) = ("owner", "blaue Katze");

/// A box, wherever it runs, with simulated modems.
pub struct House {
    /// The simulated modems.
    pub sim: Arc<Sim>,
    /// The API, signed in as the owner.
    pub api: Api,
    /// What the box says of itself.
    pub log_file: PathBuf,
    /// How long whatever has to happen may take.
    pub patience: Duration,
}

impl House {
    /// The log of the supervisor.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log_file).map(|log| log.replace('\r', "")).unwrap_or_default()
    }

    /// Waits until so many lines are ready.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_lines(&self, count: usize) -> Result<()> {
        let what = format!("{count} lines to be ready");
        let ready = || async { (self.ready_lines().await.ok()? == count).then_some(()) };
        wait_for(&what, self.patience, ready).await.with_context(|| self.log())
    }

    async fn ready_lines(&self) -> Result<usize> {
        let lines = self.api.read("/api/lines").await?;
        let lines = lines.get("lines").and_then(Value::as_array).context("lines")?;
        Ok(lines.iter().filter(|line| line.get("state") == Some(&json!("ready"))).count())
    }

    /// A modem, by its USB path.
    ///
    /// # Errors
    /// When none is plugged in there.
    pub async fn modem(&self, usb_path: &str) -> Result<Value> {
        let modems = self.api.read("/api/modems").await?;
        let modems = modems.get("modems").and_then(Value::as_array).context("modems")?;
        let modem = modems.iter().find(|modem| modem.get("usbPath") == Some(&json!(usb_path)));
        modem.cloned().with_context(|| format!("no modem at {usb_path}"))
    }

    /// A line, by its id.
    ///
    /// # Errors
    /// When there is none.
    pub async fn line(&self, id: &str) -> Result<Value> {
        let lines = self.api.read("/api/lines").await?;
        let lines = lines.get("lines").and_then(Value::as_array).context("lines")?;
        let line = lines.iter().find(|line| line.get("id") == Some(&json!(id)));
        line.cloned().with_context(|| format!("no line {id}"))
    }

    /// Waits until a modem is in a state.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_modem(&self, usb_path: &str, state: &str) -> Result<Value> {
        let is_there =
            || async { self.modem(usb_path).await.ok().filter(|modem| modem.get("state") == Some(&json!(state))) };
        wait_for(&format!("{usb_path} to be {state}"), self.patience, is_there).await.with_context(|| self.log())
    }

    /// Waits until no modem is plugged in at a USB path.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_no_modem(&self, usb_path: &str) -> Result<()> {
        let is_gone = || async { self.modem(usb_path).await.is_err().then_some(()) };
        wait_for(&format!("{usb_path} to be gone"), self.patience, is_gone).await.with_context(|| self.log())
    }

    /// The line that a message leaves by, and what the box says of it.
    ///
    /// # Errors
    /// When the box does not accept it.
    pub async fn send_by(&self, line: &str, text: &str) -> Result<Value> {
        let body = json!({"to": "+33698765432", "message": text, "from": line});
        let (status, answer) = self.api.post("/api/sms/send", body).await?;
        ensure!(status.as_u16() == 202, "sending answered {status}: {answer}");
        Ok(answer)
    }

    /// Waits until a text is on the air, and returns the USB path of the modem that sent it.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_sent(&self, text: &str) -> Result<String> {
        let is_sent = || async {
            let sent = self.sim.sent().await.ok()?;
            sent.into_iter().find(|sent| sent.message.text == text).map(|sent| sent.modem)
        };
        wait_for("a text to be on the air", self.patience, is_sent).await.with_context(|| self.log())
    }

    /// Waits until the inbox holds so many messages that arrived.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_received(&self, count: usize) -> Result<Vec<Value>> {
        let all = || async {
            let mut messages = self.messages().await.ok()?;
            messages.retain(|message| message.get("fromMe") == Some(&json!(false)));
            (messages.len() >= count).then_some(messages)
        };
        let messages = wait_for(&format!("{count} messages"), self.patience, all).await.with_context(|| self.log())?;
        ensure!(messages.len() == count, "{} messages in place of {count}", messages.len());
        Ok(messages)
    }

    /// As [`wait_for`], with the log of the supervisor when it is in vain.
    ///
    /// # Errors
    /// When `deadline` passes first.
    pub async fn wait_for<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        deadline: Duration,
        probe: impl FnMut() -> F,
    ) -> Result<T> {
        wait_for(what, deadline, probe).await.with_context(|| self.log())
    }

    /// Waits until the exchange can place calls.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_asterisk(&self) -> Result<()> {
        let is_ok = || async {
            let health = self.api.read("/api/health").await.ok()?;
            let items = health.get("items")?.as_array()?;
            let asterisk = items.iter().find(|item| item.get("name") == Some(&json!("asterisk")))?;
            (asterisk.get("status") == Some(&json!("ok"))).then_some(())
        };
        wait_for("Asterisk to answer", self.patience, is_ok).await.with_context(|| self.log())
    }

    /// The line that the modem at a USB path carries.
    ///
    /// # Errors
    /// When it carries none.
    pub async fn line_of(&self, usb_path: &str) -> Result<String> {
        let modems = self.api.read("/api/modems").await?;
        let modems = modems.get("modems").and_then(Value::as_array).context("modems")?;
        let modem = modems.iter().find(|modem| modem.get("usbPath") == Some(&json!(usb_path)));
        let line = modem.and_then(|modem| modem.get("lineId")).and_then(Value::as_str);
        Ok(line.with_context(|| format!("no line at {usb_path}"))?.to_owned())
    }

    /// The texts of all messages of all conversations, with their status.
    ///
    /// # Errors
    /// When the API fails.
    pub async fn messages(&self) -> Result<Vec<Value>> {
        let mut messages = Vec::new();
        let chats = self.api.read("/api/chats?limit=100").await?;
        for chat in chats.get("chats").and_then(Value::as_array).context("chats")? {
            let id = chat.get("id").and_then(Value::as_str).context("id")?.replace('+', "%2B");
            let mut before = i64::MAX;
            loop {
                let page = self.api.read(&format!("/api/chats/{id}/messages?limit=100&before={before}")).await?;
                let page = page.get("messages").and_then(Value::as_array).context("messages")?.clone();
                let Some(oldest) = page.first().and_then(|m| m.get("timestamp")).and_then(Value::as_i64) else { break };
                before = oldest;
                messages.extend(page);
            }
        }
        Ok(messages)
    }

    /// What the log says at INFO and above, and whatever is no log line at all.
    #[must_use]
    pub fn plain_log(&self) -> String {
        let is_plain = |line: &&str| !matches!(line.split_whitespace().nth(1), Some("DEBUG" | "TRACE"));
        self.log().lines().filter(is_plain).fold(String::new(), |log, line| log + line + "\n")
    }

    /// Nothing panicked, and the log at INFO and above holds none of these numbers and texts.
    ///
    /// # Panics
    /// When it does.
    pub fn assert_private<S: AsRef<str>>(&self, secrets: &[S]) {
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
        let plain = self.plain_log();
        for secret in secrets {
            let line = plain.lines().find(|line| tells(line, secret.as_ref()));
            assert!(line.is_none(), "the log tells `{}`: {}", secret.as_ref(), line.unwrap_or_default());
        }
    }

    /// Waits until the modems hold no messages and none waits for them, as long as they become fewer.
    ///
    /// # Errors
    /// With the log of the supervisor.
    pub async fn wait_for_empty_modems(&self) -> Result<()> {
        let mut left = usize::MAX;
        while left > 0 {
            let fewer = || async {
                let modems = self.sim.status().await.ok()?;
                let held = |modem: &ModemStatus| modem.storage.iter().map(|(_, used, _)| *used).sum::<usize>();
                let now: usize = modems.iter().map(|modem| modem.waiting_messages + held(modem)).sum();
                (now < left).then_some(now)
            };
            left = wait_for("the modems to hold fewer messages", self.patience, fewer)
                .await
                .with_context(|| format!("{left} are left; {}", self.log()))?;
        }
        Ok(())
    }

    /// An item of the box's health.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn health_of(&self, name: &str) -> Result<Value> {
        let health = self.api.read("/api/health").await?;
        let items = health.get("items").and_then(Value::as_array).context("items")?;
        let item = items.iter().find(|item| item.get("name") == Some(&json!(name)));
        item.cloned().with_context(|| format!("no item {name}"))
    }

    /// Waits until the box says that it did something by itself: the entry of its log.
    ///
    /// # Errors
    /// When it does not.
    pub async fn action_of(&self, target: &str, action: &str) -> Result<Value> {
        let is_it = |event: &&Value| {
            event.pointer("/data/target") == Some(&json!(target))
                && event.pointer("/data/action") == Some(&json!(action))
        };
        let is_told = || async {
            let events = self.api.read("/api/events").await.ok()?;
            events.get("events")?.as_array()?.iter().find(is_it).cloned()
        };
        wait_for(&format!("{action} of {target}"), Duration::from_secs(60), is_told).await
    }

    /// Makes the owner and signs in.
    ///
    /// # Errors
    /// When there is an owner already.
    pub async fn create_owner(&mut self) -> Result<()> {
        let owner = json!({"username": OWNER.0, "password": OWNER.1});
        let (status, answer) = self.api.post("/api/setup/owner", owner).await?;
        ensure!(status.as_u16() == 201, "creating the owner answered {status}: {answer}");
        self.api.token = Some(answer.get("token").and_then(Value::as_str).context("token")?.to_owned());
        Ok(())
    }

    /// Signs in as the owner.
    ///
    /// # Errors
    /// When the box refuses.
    pub async fn sign_in(&mut self) -> Result<()> {
        let owner = json!({"username": OWNER.0, "password": OWNER.1});
        let (status, answer) = self.api.post("/api/auth/login", owner).await?;
        ensure!(status.is_success(), "signing in answered {status}: {answer}");
        self.api.token = Some(answer.get("token").and_then(Value::as_str).context("token")?.to_owned());
        Ok(())
    }
}

/// Whether a line of the log tells a number or a text. The microseconds of its time tell nothing, whatever they are.
pub(crate) fn tells(line: &str, secret: &str) -> bool {
    let is_time = |word: &str| word.ends_with('Z') && word.contains('T');
    let said = line.split_once(' ').filter(|(first, _)| is_time(first)).map_or(line, |(_, said)| said);
    // However a number is written, it ends in the same digits.
    let number = secret.strip_prefix('+').and_then(|digits| digits.get(2..));
    said.contains(number.unwrap_or(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_it_says_and_not_when() {
        let at = "2026-11-22T14:43:32.547110Z";
        assert!(!tells(&format!("{at}  INFO homenichatd: SIM modem=1-2"), "4711"));
        assert!(tells(&format!("{at}  INFO homenichatd: SIM pin=4711"), "4711"));
        assert!(tells(&format!("{at}  INFO homenichatd: to 0612000001"), "+33612000001"));
        assert!(tells("4711 without a time", "4711"));
    }
}
