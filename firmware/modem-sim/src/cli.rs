//! Command line: `run` starts modems, `ctl` talks to running ones.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use modem_sim::runner::{Config, ModemConfig, Sim, read_wav, socket_of};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

/// Simulated USB modems: an EC25 and a SIM7600 with ttys, SIM, network, messages, calls and voice.
///
/// `modem-sim run --dir D` starts one of each. `D/root` then looks like the `sys` and `dev` of a machine with both
/// plugged in; any program that opens a modem's tty can be pointed at `D/root/dev/ttyUSB2`. `modem-sim ctl --dir D …`
/// plays the network and the hand of the tester.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  modem-sim run --dir /tmp/bench
  modem-sim run --dir /tmp/bench --modem ec25:path=1-2,pin=1234 --modem sim7600-volte16k:path=1-3
  gammu-like tools: point them at /tmp/bench/root/dev/ttyUSB2 (EC25) and ttyUSB6 (SIM7600)
  modem-sim ctl --dir /tmp/bench sms --to 1-2 --from +33612345678 \"Bonjour\"
  modem-sim ctl --dir /tmp/bench call --to 1-3 --from +33612345678
  modem-sim ctl --dir /tmp/bench fault --to 1-2 '{\"fault\":\"late-answer\",\"delay_ms\":6000,\"count\":1}'

Virtual machines: modem-sim run --dir /tmp/bench --usbredir /tmp/bench/usb, then
  qemu-system-x86_64 … -device qemu-xhci,id=xhci \
    -chardev socket,id=m2,path=/tmp/bench/usb/1-2.sock -device usb-redir,chardev=m2,bus=xhci.0,port=2

Modems: ec25, ec25-fresh, ec25-uac-only, ep06-no-ccinfo, sim7600, sim7600-volte16k, sim7600-le20b04,
  sim7600-le20b06, a7672-false-answer. Keys: path, serial, vid, pid, imei, sim=none, iccid, imsi, number, operator, plmn, smsc,
  pin, puk, slots, and the times boot-ms, unplug-ms, absent-ms, register-ms, sms-ms, report-ms, ussd-ms, alert-ms,
  ring-ms.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts simulated modems and keeps them until interrupted.
    Run(Run),
    /// Plays the network, the SIM tray and the hand of the tester.
    Ctl(Ctl),
}

#[derive(Debug, Args)]
struct Run {
    /// Work directory: holds `root`, `control.sock` and `transcript.log`.
    #[arg(long)]
    dir: PathBuf,
    /// A modem, as `ec25:path=1-2,number=+33612000001`; without any, one EC25 and one SIM7600.
    #[arg(long = "modem")]
    modems: Vec<String>,
    /// Sends uevents to this Unix datagram socket, as `unix:PATH`.
    #[arg(long)]
    events: Option<String>,
    /// Plugs the modems into virtual machines instead: QEMU's `usb-redir` connects to `DIR/<usb path>.sock`.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["events", "renumber"])]
    usbredir: Option<PathBuf>,
    /// Gives new tty numbers at every replug, as if some program still held the old ones.
    #[arg(long)]
    renumber: bool,
    /// Whether messages to another simulated SIM are delivered there.
    #[arg(long, value_enum, default_value = "on")]
    network: Switch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Debug, Args)]
struct Ctl {
    /// Work directory of the running simulator.
    #[arg(long)]
    dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Args)]
struct To {
    /// USB path of the modem; may be left out when there is one.
    #[arg(long = "to")]
    modem: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Delivers a short message of any length.
    Sms(Sms),
    /// Calls the modem.
    Call {
        #[command(flatten)]
        to: To,
        /// Caller; left out, the number is withheld.
        #[arg(long)]
        from: Option<String>,
        /// The caller gives up after this time.
        #[arg(long)]
        give_up_ms: Option<u64>,
    },
    /// Answers the outgoing call at the far end.
    Answer(To),
    /// Hangs up at the far end, or gives up calling.
    Hangup(To),
    /// Decides how outgoing calls fare.
    Plan {
        #[command(flatten)]
        to: To,
        /// answer, busy, congestion, no-answer, reject, ring, stuck or unallocated.
        outcome: String,
        /// Only calls to this number.
        #[arg(long)]
        number: Option<String>,
        /// Time of ringing before it; an answer after 0 skips the alerting state.
        #[arg(long, default_value_t = 1000)]
        ring_ms: u64,
        /// Only the next such call.
        #[arg(long)]
        once: bool,
    },
    /// The next outgoing call finds the far end busy.
    Busy(To),
    /// The next outgoing call is not answered.
    NoAnswer(To),
    /// The far end presses keys.
    Dtmf {
        #[command(flatten)]
        to: To,
        /// Such as `12#`.
        digits: String,
    },
    /// What the far end says: a tone, `--echo`, `--silence` or a WAV file.
    Tone(Tone),
    /// Sets the radio signal, 0 to 31 or 99.
    Signal {
        #[command(flatten)]
        to: To,
        /// As in `AT+CSQ`.
        csq: u8,
    },
    /// Sets the registration: 0 none, 1 home, 2 searching, 3 denied, 5 roaming.
    Register {
        #[command(flatten)]
        to: To,
        /// `CREG` state.
        stat: u8,
        /// `CEREG` state when it differs (VoLTE-only: `3 --eps 1`).
        #[arg(long)]
        eps: Option<u8>,
        /// Access technology: 0 GSM, 2 UTRAN, 7 E-UTRAN.
        #[arg(long)]
        access: Option<u8>,
    },
    /// Sets whether IMS is registered.
    Ims {
        #[command(flatten)]
        to: To,
        /// on or off.
        #[arg(value_enum)]
        registered: Switch,
    },
    /// Puts the SIM into its tray (on) or takes it out (off).
    Sim {
        #[command(flatten)]
        to: To,
        /// on or off.
        #[arg(value_enum)]
        present: Switch,
    },
    /// Sets the PIN of the SIM from the next start on; without one, turns the check off.
    Pin {
        #[command(flatten)]
        to: To,
        /// 4 to 8 digits.
        pin: Option<String>,
    },
    /// Scripts the network's answer to a USSD string.
    Ussd {
        #[command(flatten)]
        to: To,
        /// Such as `*100#`, or `#123#/1` for choice 1 of a menu.
        code: String,
        /// Answer; without it the network sends no string.
        text: Option<String>,
        /// 0 done, 1 wants an answer, 2 ended, 4 not supported, 5 timeout.
        #[arg(long, default_value_t = 0)]
        status: u8,
        /// Data coding scheme: 15, or 72 for UCS-2.
        #[arg(long, default_value_t = 15)]
        coding: u8,
    },
    /// Lays a fault on the modem, as JSON; `clear` removes all. See docs/how-to/simulate-modems.md for the list.
    Fault {
        #[command(flatten)]
        to: To,
        /// Such as `{"fault":"silence","commands":3}`, or `clear`.
        fault: String,
    },
    /// Makes the modem print a line of its own accord.
    Urc {
        #[command(flatten)]
        to: To,
        /// Without line ends.
        text: String,
    },
    /// Restarts the modem as if it had crashed.
    Reset(To),
    /// Pulls the plug.
    Unplug {
        /// USB path.
        modem: String,
    },
    /// Puts the plug back.
    Plug {
        /// USB path.
        modem: String,
        /// Under other tty numbers than before.
        #[arg(long)]
        renumber: bool,
    },
    /// Takes the power of every modem at once, and gives it back after a time.
    BrownOut {
        /// How long every modem is gone.
        #[arg(long, default_value_t = 5000)]
        absent_ms: u64,
    },
    /// Exchanges two modems.
    Swap {
        /// USB path of the one.
        modem: String,
        /// USB path of the other.
        with: String,
    },
    /// Prints every modem as JSON.
    Status,
    /// Prints the messages that left, as JSON.
    Sent,
    /// Reports what the host said in calls, and writes it as WAV.
    Recording {
        /// USB path.
        modem: String,
        /// WAV file to write.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Forget it afterwards.
        #[arg(long)]
        clear: bool,
    },
    /// Prints the log of every byte.
    Transcript,
    /// Prints what happens, one JSON value on each line.
    Watch,
    /// Sends a request of the control socket as it is.
    Raw {
        /// JSON.
        request: String,
    },
    /// Ends the simulator.
    Stop,
}

#[derive(Debug, Args)]
struct Sms {
    #[command(flatten)]
    to: To,
    /// Sender: digits, or letters for an alphanumeric one.
    #[arg(long, default_value = "+33612345678")]
    from: String,
    /// Text; longer ones are cut into parts.
    text: Option<String>,
    /// Order of arrival of the parts, as `2,1,3`; a part may be left out or repeated.
    #[arg(long, value_delimiter = ',')]
    parts_order: Option<Vec<u8>>,
    /// Reference of a multi-part message.
    #[arg(long)]
    reference: Option<u8>,
    /// Flash message.
    #[arg(long)]
    class0: bool,
    /// Service centre and TPDU in hexadecimal, in place of a text.
    #[arg(long, conflicts_with = "text")]
    pdu: Option<String>,
}

#[derive(Debug, Args)]
struct Tone {
    #[command(flatten)]
    to: To,
    /// Frequency.
    #[arg(default_value_t = 1000)]
    hz: u32,
    /// Return what is heard.
    #[arg(long)]
    echo: bool,
    /// Say nothing.
    #[arg(long)]
    silence: bool,
    /// Say this 16-bit mono WAV file again and again.
    #[arg(long)]
    wav: Option<PathBuf>,
}

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(run) => run.run().await,
            Command::Ctl(ctl) => ctl.run().await,
        }
    }
}

impl Run {
    async fn run(self) -> anyhow::Result<()> {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .init();
        let events = match &self.events {
            None => None,
            Some(events) => Some(PathBuf::from(events.strip_prefix("unix:").context("--events must be unix:PATH")?)),
        };
        let modems = match self.modems.as_slice() {
            [] => ModemConfig::defaults(),
            modems => ModemConfig::parse_all(modems)?,
        };
        let is_usb = self.usbredir.is_some();
        let config = Config {
            modems,
            events,
            usbredir: self.usbredir,
            renumbers: self.renumber,
            has_network: self.network == Switch::On,
            ..Config::new(&self.dir)
        };
        let sim = Sim::start(config).await?;
        Self::print_start(&sim, is_usb).await?;
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminated.recv() => {}
            () = sim.ended() => {}
        }
        sim.stop().await;
        Ok(())
    }

    async fn print_start(sim: &Sim, is_usb: bool) -> anyhow::Result<()> {
        for modem in sim.status().await? {
            let ttys: Vec<String> = modem.ttys.iter().map(|tty| format!("if{}={}", tty.interface, tty.name)).collect();
            let number = modem.number.unwrap_or_else(|| "no SIM".to_owned());
            let place = modem.usb.map_or_else(|| ttys.join(" "), |usb| usb.socket);
            print(&format!("{} {} {number} {place}", modem.usb_path, modem.personality))?;
        }
        if !is_usb {
            print(&format!("root {}", sim.root().display()))?;
        }
        print("ready")
    }
}

impl Ctl {
    async fn run(self) -> anyhow::Result<()> {
        let is_stop = matches!(self.action, Action::Stop);
        let request = match self.action {
            Action::Transcript => {
                let log = self.dir.join("transcript.log");
                let text = std::fs::read(&log).with_context(|| format!("failed to read `{}`", log.display()))?;
                std::io::stdout().write_all(&text)?;
                return Ok(());
            }
            Action::Watch => return watch(&self.dir).await,
            action => request(action)?,
        };
        let (mut lines, _writer) = open(&self.dir, &request).await?;
        let line = match lines.next_line().await? {
            Some(line) => line,
            None if is_stop => return Ok(()),
            None => bail!("simulator ended without an answer"),
        };
        let response: Value = serde_json::from_str(&line)?;
        if response.get("ok") != Some(&Value::Bool(true)) {
            bail!("{}", response.get("error").and_then(Value::as_str).unwrap_or("refused without a reason"));
        }
        for key in ["modems", "sent", "recording"] {
            if let Some(value) = response.get(key) {
                print(&serde_json::to_string_pretty(value)?)?;
            }
        }
        Ok(())
    }
}

type Lines = tokio::io::Lines<BufReader<tokio::net::unix::OwnedReadHalf>>;

async fn open(dir: &Path, request: &Value) -> anyhow::Result<(Lines, tokio::net::unix::OwnedWriteHalf)> {
    let socket = socket_of(dir);
    let stream = UnixStream::connect(&socket).await.with_context(|| {
        format!("failed to reach `{}`; start `modem-sim run --dir {}`", socket.display(), dir.display())
    })?;
    let (reader, mut writer) = stream.into_split();
    writer.write_all(format!("{request}\n").as_bytes()).await?;
    Ok((BufReader::new(reader).lines(), writer))
}

async fn watch(dir: &Path) -> anyhow::Result<()> {
    let (mut lines, _writer) = open(dir, &json!({"do": "watch"})).await?;
    while let Some(line) = lines.next_line().await? {
        print(&line)?;
    }
    Ok(())
}

fn request(action: Action) -> anyhow::Result<Value> {
    Ok(match action {
        Action::Sms(sms) => sms.request()?,
        Action::Tone(tone) => tone.request()?,
        Action::Call { to, from, give_up_ms } => {
            json!({"do": "call", "modem": to.modem, "from": from, "give_up_ms": give_up_ms})
        }
        Action::Answer(to) => json!({"do": "answer", "modem": to.modem}),
        Action::Hangup(to) => json!({"do": "hangup", "modem": to.modem}),
        Action::Plan { to, outcome, number, ring_ms, once } => json!({
            "do": "plan", "modem": to.modem, "outcome": outcome, "number": number, "ring_ms": ring_ms, "once": once
        }),
        Action::Busy(to) => json!({"do": "plan", "modem": to.modem, "outcome": "busy", "once": true}),
        Action::NoAnswer(to) => json!({"do": "plan", "modem": to.modem, "outcome": "no-answer", "once": true}),
        Action::Dtmf { to, digits } => json!({"do": "dtmf", "modem": to.modem, "digits": digits}),
        Action::Signal { to, csq } => json!({"do": "signal", "modem": to.modem, "csq": csq}),
        Action::Register { to, stat, eps, access } => {
            json!({"do": "register", "modem": to.modem, "stat": stat, "eps_stat": eps, "access": access})
        }
        Action::Ims { to, registered } => {
            json!({"do": "ims", "modem": to.modem, "registered": registered == Switch::On})
        }
        Action::Sim { to, present } => json!({"do": "sim", "modem": to.modem, "present": present == Switch::On}),
        Action::Pin { to, pin } => json!({"do": "pin", "modem": to.modem, "pin": pin}),
        Action::Ussd { to, code, text, status, coding } => json!({
            "do": "ussd", "modem": to.modem, "code": code,
            "reply": {"status": status, "text": text, "coding": coding}
        }),
        Action::Fault { to, fault } if fault == "clear" => json!({"do": "clear_faults", "modem": to.modem}),
        Action::Fault { to, fault } => {
            let mut request: Value = serde_json::from_str(&fault).context("fault is not JSON")?;
            let fields = request.as_object_mut().context("fault is not a JSON object")?;
            fields.insert("do".to_owned(), json!("fault"));
            fields.insert("modem".to_owned(), json!(to.modem));
            request
        }
        Action::Urc { to, text } => json!({"do": "urc", "modem": to.modem, "text": text}),
        Action::Reset(to) => json!({"do": "reset", "modem": to.modem}),
        Action::Unplug { modem } => json!({"do": "unplug", "modem": modem}),
        Action::BrownOut { absent_ms } => json!({"do": "brown_out", "absent_ms": absent_ms}),
        Action::Plug { modem, renumber } => json!({"do": "plug", "modem": modem, "renumber": renumber}),
        Action::Swap { modem, with } => json!({"do": "swap", "modem": modem, "with": with}),
        Action::Status => json!({"do": "status"}),
        Action::Sent => json!({"do": "sent"}),
        Action::Recording { modem, out, clear } => {
            let out = out.map(std::path::absolute).transpose()?;
            json!({"do": "recording", "modem": modem, "out": out, "clear": clear})
        }
        Action::Raw { request } => serde_json::from_str(&request).context("request is not JSON")?,
        Action::Stop => json!({"do": "stop"}),
        Action::Transcript | Action::Watch => bail!("not a request"),
    })
}

impl Sms {
    fn request(self) -> anyhow::Result<Value> {
        if let Some(pdu) = self.pdu {
            return Ok(json!({"do": "pdu", "modem": self.to.modem, "pdu": pdu}));
        }
        let text = self.text.context("give a text or --pdu")?;
        Ok(json!({
            "do": "sms", "modem": self.to.modem, "from": self.from, "text": text, "parts_order": self.parts_order,
            "class": self.class0.then_some(0), "reference": self.reference
        }))
    }
}

impl Tone {
    fn request(self) -> anyhow::Result<Value> {
        let audio = match (self.echo, self.silence, self.wav) {
            (true, _, _) => json!("echo"),
            (_, true, _) => json!("silence"),
            (_, _, Some(path)) => {
                let (rate_hz, samples) =
                    read_wav(&path).with_context(|| format!("failed to use `{}`", path.display()))?;
                json!({"samples": {"rate_hz": rate_hz, "samples": samples}})
            }
            _ => json!({"tone": {"hz": self.hz}}),
        };
        Ok(json!({"do": "audio", "modem": self.to.modem, "audio": audio}))
    }
}

fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
