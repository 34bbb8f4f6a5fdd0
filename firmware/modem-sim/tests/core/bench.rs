//! A bench without clocks and ttys: a script in, the transcript of everything that the simulated modem emits out.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use expect_test::Expect;
use modem_sim::core::{Control, Output, Personality, Profile, SimModem, SimProfile, Timings};

/// Lines of a script:
/// `> text` host writes text and CR on interface 2 (`3>` on interface 3); `raw text` without CR, with escapes;
/// `net {json}` network acts; `wait ms` time passes.
pub(crate) fn check(personality: &str, script: &str, want: &Expect) {
    want.assert_eq(&run(personality, script));
}

fn run(personality: &str, script: &str) -> String {
    let mut bench = Bench::start(personality);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        bench.step(line);
    }
    if bench.frames.1 > 0 {
        bench.line("end");
    }
    bench.transcript
}

#[expect(clippy::disallowed_methods, reason = "an arbitrary start; the tests advance it by themselves")]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}

pub(crate) fn profile() -> Profile {
    Profile {
        imei: "867543030012018".to_owned(),
        sim: Some(SimProfile::default()),
        timings: Timings::default(),
        started_unix_seconds: 1_795_348_800,
    }
}

pub(crate) struct Bench {
    pub(crate) modem: SimModem,
    pub(crate) now: Instant,
    pub(crate) transcript: String,
    /// Size and number of sample frames since the last line.
    pub(crate) frames: (usize, u32),
    /// Every sample as bytes.
    pub(crate) samples: Vec<u8>,
}

impl Bench {
    /// A modem that has booted and registered, with what it said until then left out.
    pub(crate) fn start(personality: &str) -> Self {
        let now = epoch();
        let personality = Personality::named(personality).expect("a known personality");
        let modem = SimModem::new(personality, profile(), now);
        let mut bench = Self { modem, now, transcript: String::new(), frames: (0, 0), samples: Vec::new() };
        bench.pass(Duration::from_secs(3));
        bench.transcript.clear();
        bench
    }

    pub(crate) fn step(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            ">" => self.host(2, &format!("{rest}\r")),
            "3>" => self.host(3, &format!("{rest}\r")),
            "raw" => self.host(2, &rest.replace("\\x1a", "\x1a").replace("\\x1b", "\x1b").replace("\\r", "\r")),
            "net" => {
                let control: Control = serde_json::from_str(rest).expect("a control in JSON");
                if let Err(error) = self.modem.control(control, self.now) {
                    self.line(&format!("refused: {error}"));
                }
            }
            "wait" => self.pass(Duration::from_millis(rest.parse().expect("milliseconds"))),
            other => panic!("unknown verb {other}"),
        }
        self.drain();
    }

    pub(crate) fn host(&mut self, interface: u8, text: &str) {
        self.modem.handle_bytes(interface, text.as_bytes(), self.now);
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.drain();
        while let Some(at) = self.modem.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.modem.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Joins neighbouring writes, shows samples by their number.
    fn drain(&mut self) {
        let pcm = self.modem.personality().pcm_interface;
        let mut text: Option<(u8, Vec<u8>)> = None;
        while let Some(output) = self.modem.poll_output() {
            match (output, &mut text) {
                (Output::Write { interface, bytes }, Some((before, known))) if interface == *before => {
                    known.extend(bytes);
                }
                (Output::Write { interface, bytes }, _) => {
                    self.flush(text.take(), pcm);
                    text = Some((interface, bytes));
                }
                (output, _) => {
                    self.flush(text.take(), pcm);
                    self.line(&format!("{output:?}"));
                }
            }
        }
        self.flush(text, pcm);
    }

    fn flush(&mut self, text: Option<(u8, Vec<u8>)>, pcm: u8) {
        let Some((interface, bytes)) = text else { return };
        if interface == pcm {
            self.frames = (bytes.len(), self.frames.1 + 1);
            self.samples.extend(bytes);
            return;
        }
        let shown: String = bytes.iter().flat_map(|byte| byte.escape_ascii()).map(char::from).collect();
        self.line(&format!("if{interface} {shown}"));
    }

    fn line(&mut self, text: &str) {
        if let (size, count @ 1..) = std::mem::take(&mut self.frames) {
            writeln!(self.transcript, "{count} frames of {size} bytes").expect("a string takes text");
        }
        writeln!(self.transcript, "{text}").expect("a string takes text");
    }
}
