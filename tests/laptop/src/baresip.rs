//! baresip, a SIP client that we did not write.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::clock::wait_for;
use crate::tone::{self, Recording};

/// Where Debian puts the modules.
const MODULES: &str = "/usr/lib/baresip/modules";

/// How a client is set up.
#[derive(Debug, Clone)]
pub struct Account {
    /// The extension.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Where the box listens for SIP.
    pub registrar: SocketAddr,
    /// The tone that the client speaks.
    pub speaks_hz: u32,
    /// Answers by itself.
    pub answers: bool,
}

/// A running client.
pub struct Baresip {
    child: Child,
    dir: TempDir,
    control: SocketAddr,
}

impl Baresip {
    /// Starts a client and waits until it is registered.
    ///
    /// # Errors
    /// When baresip is not installed (`scripts/setup` does it) or does not register.
    pub async fn start(account: &Account, sip_port: u16) -> Result<Self> {
        let dir = TempDir::new()?;
        let control = SocketAddr::from(([127, 0, 0, 1], sip_port + 5));
        write_configuration(dir.path(), account, sip_port, control)?;
        let log = std::fs::File::create(dir.path().join("log"))?;
        let child = Command::new("baresip")
            .arg("-f")
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("starting baresip (scripts/setup installs it)")?;
        let client = Self { child, dir, control };
        client.wait_for_log("200 OK", Duration::from_secs(15)).await.context("baresip did not register")?;
        Ok(client)
    }

    /// Calls a number.
    ///
    /// # Errors
    /// When the client does not take the command.
    pub async fn dial(&self, number: &str) -> Result<()> {
        self.command("dial", number).await.map(drop)
    }

    /// Answers the ringing call.
    ///
    /// # Errors
    /// When the client does not take the command.
    pub async fn accept(&self) -> Result<()> {
        self.command("accept", "").await.map(drop)
    }

    /// Ends or refuses the call.
    ///
    /// # Errors
    /// When the client does not take the command.
    pub async fn hang_up(&self) -> Result<()> {
        self.command("hangup", "").await.map(drop)
    }

    /// Presses keys.
    ///
    /// # Errors
    /// When the client does not take the command.
    pub async fn press(&self, keys: &str) -> Result<()> {
        for key in keys.chars() {
            self.command("sndcode", &key.to_string()).await?;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Ok(())
    }

    /// What the client logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Waits until the log holds `text`.
    ///
    /// # Errors
    /// With the log, when it does not in time.
    pub async fn wait_for_log(&self, text: &str, deadline: Duration) -> Result<()> {
        wait_for(text, deadline, || async { self.log().contains(text).then_some(()) })
            .await
            .with_context(|| format!("baresip says:\n{}", self.log()))
    }

    /// What the client heard in its last call, which has ended.
    ///
    /// # Errors
    /// With the log, when it heard nothing.
    pub async fn heard(&self) -> Result<Recording> {
        // The file says how long it is when the client closes it, which is some time after it said that the call ended.
        let written = || async {
            let heard = Recording::read(&self.last_recording()?).ok()?;
            (!heard.samples.is_empty()).then_some(heard)
        };
        wait_for("what the client heard", Duration::from_secs(10), written)
            .await
            .with_context(|| format!("baresip says:\n{}", self.log()))
    }

    fn last_recording(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.dir.path().join("rec")).ok()?;
        files
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .max()
    }

    /// Ends the client.
    pub async fn stop(mut self) {
        if let Err(error) = self.command("quit", "").await {
            eprintln!("baresip did not take quit: {error:#}");
        }
        if tokio::time::timeout(Duration::from_secs(3), self.child.wait()).await.is_err() {
            self.child.start_kill().unwrap_or_default();
        }
    }

    async fn command(&self, command: &str, params: &str) -> Result<Value> {
        let body = json!({"command": command, "params": params, "token": "t"}).to_string();
        let exchange = async {
            let mut stream = TcpStream::connect(self.control).await?;
            stream.write_all(format!("{}:{body},", body.len()).as_bytes()).await?;
            let mut answer = vec![0_u8; 4096];
            let n = stream.read(&mut answer).await?;
            let text = String::from_utf8_lossy(answer.get(..n).unwrap_or_default()).into_owned();
            let json = text.split_once(':').map_or("", |(_, json)| json.trim_end_matches(','));
            anyhow::Ok(serde_json::from_str(json).unwrap_or(Value::String(text)))
        };
        tokio::time::timeout(Duration::from_secs(5), exchange).await.context("baresip does not answer")?
    }
}

fn write_configuration(dir: &Path, account: &Account, sip_port: u16, control: SocketAddr) -> Result<()> {
    let tone = dir.join("tone.wav");
    tone::write_tone(&tone, account.speaks_hz, 60, 8000)?;
    let recordings = dir.join("rec");
    std::fs::create_dir_all(&recordings)?;
    let rtp = sip_port + 10;
    let config = format!(
        "sip_listen 127.0.0.1:{sip_port}\naudio_source aufile,{}\naudio_player nil,nil\nausrc_srate 8000\nauplay_srate 8000\n\
         rtp_ports {rtp}-{}\nmodule_path {MODULES}\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\n\
         module account.so\nmodule_app menu.so\nmodule ctrl_tcp.so\nctrl_tcp_listen {control}\nsnd_path {}\n",
        tone.display(),
        rtp + 50,
        recordings.display(),
    );
    std::fs::write(dir.join("config"), config)?;
    let Account { user, password, registrar, answers, .. } = account;
    let mode = if *answers { "auto" } else { "manual" };
    let line = format!(
        "<sip:{user}@{registrar}>;auth_user={user};auth_pass={password};answermode={mode};regint=300;audio_codecs=pcma\n"
    );
    std::fs::write(dir.join("accounts"), line)?;
    std::fs::write(dir.join("contacts"), "")?;
    Ok(())
}
