//! The heart of a call's sound, without a socket or a tty: bytes in, bytes out, and what is wrong with them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use asterisk::audiosocket::Frame;
use switchboard::calls::{AudioFault, AudioReport};

use super::backlog::{Backlog, MOST_FRAMES};
pub use super::pcm::Rate;
use super::pcm::{self, PcmIn};
use super::positions::Positions;
use super::resample::{Double, Halve};

/// A modem that gives no bytes for so long is dead.
const NOTHING_FROM_MODEM: Duration = Duration::from_secs(2);

/// A call that began with so long a silence has no sound.
const ONLY_SILENCE: Duration = Duration::from_secs(8);

/// A phone that sent nothing for so long since the beginning is not heard.
const NOTHING_FROM_PHONE: Duration = Duration::from_secs(5);

/// A modem that asks to be given nothing for so long takes nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How often a report is made when nothing is wrong.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Modem frames after which the phone's queue is drained of what it never gave up: 500 ms.
const DRAIN_EVERY: u32 = 25;

/// Frames kept in the queue at most for a phone whose packets come unevenly: 40 ms.
const MOST_MARGIN: usize = 2;

/// Drains without a late packet after which one frame of the margin is given up: 10 s.
const CALM_DRAINS: u32 = 20;

/// Samples of 20 ms at 8 kHz, the rate of the phone's side.
const PHONE_FRAME: usize = 160;

/// Joins a modem and a phone.
///
/// Each frame from the modem goes to the phone at once and takes one frame of the phone back to the modem. The phone's
/// queue therefore absorbs its jitter; what stays in it for half a second was never needed, and is dropped. A packet
/// that came too late makes the queue keep a frame more for a while, so that an uneven phone does not stutter.
#[derive(Debug)]
pub struct Pump {
    setting: Rate,
    input: PcmIn,
    positions: Positions,
    /// Since when the modem has asked to be given nothing.
    held_off: Option<Instant>,
    halve: Halve,
    double: Double,
    from_phone: VecDeque<i16>,
    lowest: usize,
    until_drain: u32,
    margin: usize,
    calm: u32,
    to_phone: Backlog,
    to_modem: Backlog,
    started: Instant,
    last_modem: Instant,
    heard: bool,
    report: AudioReport,
    faults: Vec<AudioFault>,
    next_report: Instant,
    reports: VecDeque<AudioReport>,
}

impl Pump {
    /// Starts with the rate that the modem's settings promise.
    #[must_use]
    pub fn new(setting: Rate, now: Instant) -> Self {
        Self {
            setting,
            input: PcmIn::new(setting),
            positions: Positions::default(),
            held_off: None,
            halve: Halve::new(),
            double: Double::new(),
            from_phone: VecDeque::new(),
            lowest: usize::MAX,
            until_drain: DRAIN_EVERY,
            margin: 0,
            calm: 0,
            to_phone: Backlog::default(),
            to_modem: Backlog::default(),
            started: now,
            last_modem: now,
            heard: false,
            report: AudioReport::default(),
            faults: Vec::new(),
            next_report: now + REPORT_EVERY,
            reports: VecDeque::new(),
        }
    }

    /// Bytes from the modem's PCM port.
    pub fn handle_modem(&mut self, bytes: &[u8], now: Instant) {
        if !bytes.is_empty() {
            self.last_modem = now;
            self.report.first_audio.get_or_insert(now.saturating_duration_since(self.started));
        }
        let before = self.input.rate();
        let sound = self.positions.sound_of(bytes);
        if self.positions.take_seen() {
            self.blame(AudioFault::PositionsInSound, now);
        }
        self.input.handle_bytes(&sound, now);
        if before != self.input.rate() {
            (self.halve, self.double) = (Halve::new(), Double::new());
        }
        while let Some(samples) = self.input.poll_frame() {
            self.tick(&samples, now);
        }
        if self.input.take_realigned() {
            self.blame(AudioFault::Misaligned, now);
        }
        if self.input.measured_hz() != 0 && self.input.rate() != self.setting {
            self.blame(AudioFault::OtherRate, now);
        }
    }

    /// Sound of the phone: signed linear, 8 kHz, as many samples as Asterisk likes.
    pub fn handle_phone(&mut self, bytes: &[u8], _now: Instant) {
        self.report.phone_frames += 1;
        self.from_phone.extend(pcm::samples(bytes));
        if !self.input.is_running() {
            // What the phone said before the sound began would be a delay from its first moment on.
            let old = self.from_phone.len().saturating_sub(PHONE_FRAME);
            self.from_phone.drain(..old);
        }
        let most = MOST_FRAMES * PHONE_FRAME;
        while self.from_phone.len() > most {
            self.from_phone.drain(..PHONE_FRAME);
            self.report.dropped_frames += 1;
        }
    }

    /// The bytes that go to Asterisk next, AudioSocket frames.
    #[must_use]
    pub fn phone_output(&self) -> Option<&[u8]> {
        self.to_phone.head()
    }

    /// Asterisk took so many bytes of [`Self::phone_output`].
    pub fn phone_written(&mut self, count: usize, now: Instant) {
        self.to_phone.advance(count, now);
    }

    /// The bytes that go to the modem next; none while it asks for none.
    #[must_use]
    pub fn modem_output(&self) -> Option<&[u8]> {
        self.to_modem.head().filter(|_| self.held_off.is_none())
    }

    /// The modem asks to be given nothing, or takes sound again. What the phone says meanwhile is dropped: played later,
    /// it would only delay what follows. A frame of which the modem took a part is given whole, or it would lose its
    /// place.
    pub fn set_flow(&mut self, is_open: bool, now: Instant) {
        match (is_open, self.held_off) {
            (false, None) => self.held_off = Some(now),
            (true, Some(_)) => {
                self.held_off = None;
                self.to_modem.clear(now);
            }
            (false, Some(_)) | (true, None) => {}
        }
    }

    /// The modem took so many bytes of [`Self::modem_output`].
    pub fn modem_written(&mut self, count: usize, now: Instant) {
        self.to_modem.advance(count, now);
    }

    /// Forgets what waits for a connection that is gone.
    pub fn drop_phone_output(&mut self) {
        self.to_phone = Backlog::default();
    }

    /// Forgets what waits for a port that is gone.
    pub fn drop_modem_output(&mut self) {
        self.to_modem = Backlog::default();
    }

    /// Whether Asterisk has not read for a second: its connection is dead.
    #[must_use]
    pub fn is_phone_stalled(&self, now: Instant) -> bool {
        self.to_phone.stalls_at().is_some_and(|at| at <= now)
    }

    /// How things are, when there is something to say.
    pub fn poll_report(&mut self) -> Option<AudioReport> {
        self.reports.pop_front()
    }

    /// How things are at the end.
    #[must_use]
    pub fn final_report(&self, now: Instant) -> AudioReport {
        self.current(None, now)
    }

    /// When [`Self::handle_timeout`] must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let waits = [
            (AudioFault::NothingFromModem, Some(self.last_modem + NOTHING_FROM_MODEM)),
            (AudioFault::NothingFromPhone, self.phone_due()),
            (AudioFault::SilenceFromModem, self.silence_due()),
        ];
        let open = waits.into_iter().filter(|(fault, _)| !self.faults.contains(fault)).filter_map(|(_, at)| at);
        let stalls = [self.modem_stalls_at(), self.to_phone.stalls_at()].into_iter().flatten();
        open.chain(stalls).fold(self.next_report, Instant::min)
    }

    /// Looks for what is missing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.last_modem + NOTHING_FROM_MODEM <= now {
            self.blame(AudioFault::NothingFromModem, now);
        }
        if self.phone_due().is_some_and(|at| at <= now) {
            self.blame(AudioFault::NothingFromPhone, now);
        }
        if self.silence_due().is_some_and(|at| at <= now) {
            self.blame(AudioFault::SilenceFromModem, now);
        }
        if self.modem_stalls_at().is_some_and(|at| at <= now) {
            self.to_modem.clear(now);
            // Asked for nothing for so long: what it says next may have been lost, and it is given sound again.
            self.held_off = None;
            self.blame(AudioFault::ModemTakesNothing, now);
        }
        if self.next_report <= now {
            self.next_report = now + REPORT_EVERY;
            let report = self.current(None, now);
            self.push_report(report);
        }
    }

    fn modem_stalls_at(&self) -> Option<Instant> {
        match self.held_off {
            Some(since) => Some(since + LONGEST_PAUSE),
            None => self.to_modem.stalls_at(),
        }
    }

    /// A frame of the modem: the clock of the call.
    fn tick(&mut self, samples: &[i16], now: Instant) {
        self.report.modem_frames += 1;
        self.heard |= !pcm::is_silent(samples);
        self.report.silence =
            if pcm::is_silent(samples) { self.report.silence + Duration::from_millis(20) } else { Duration::ZERO };
        let narrow = match self.input.rate() {
            Rate::Narrow => samples.to_vec(),
            Rate::Wide => self.halve.convert(samples),
        };
        let mut frame = Vec::with_capacity(3 + 2 * PHONE_FRAME);
        Frame::Slin8(pcm::bytes(&narrow)).encode(&mut frame);
        self.to_phone.push(frame, now);
        let back = self.take_from_phone();
        let back = match self.input.rate() {
            Rate::Narrow => back,
            Rate::Wide => self.double.convert(&back),
        };
        self.to_modem.push(pcm::bytes(&back), now);
    }

    /// 20 ms of the phone, filled up with silence when it is late.
    fn take_from_phone(&mut self) -> Vec<i16> {
        self.drain_excess();
        let have = self.from_phone.len().min(PHONE_FRAME);
        if have < PHONE_FRAME && self.report.phone_frames > 0 {
            (self.margin, self.calm) = (MOST_MARGIN.min(self.margin + 1), 0);
        }
        let mut frame: Vec<i16> = self.from_phone.drain(..have).collect();
        frame.resize(PHONE_FRAME, 0);
        self.lowest = self.lowest.min(self.from_phone.len());
        frame
    }

    fn drain_excess(&mut self) {
        self.until_drain -= 1;
        if self.until_drain > 0 {
            return;
        }
        self.until_drain = DRAIN_EVERY;
        let excess = std::mem::replace(&mut self.lowest, usize::MAX).min(self.from_phone.len());
        self.calm += 1;
        if self.calm >= CALM_DRAINS {
            (self.margin, self.calm) = (self.margin.saturating_sub(1), 0);
        }
        let frames = (excess / PHONE_FRAME).saturating_sub(self.margin);
        self.from_phone.drain(..frames * PHONE_FRAME);
        self.report.dropped_frames += frames as u64;
    }

    fn phone_due(&self) -> Option<Instant> {
        (self.report.phone_frames == 0).then(|| self.started + NOTHING_FROM_PHONE)
    }

    fn silence_due(&self) -> Option<Instant> {
        let first = self.report.first_audio?;
        (!self.heard).then(|| self.started + first + ONLY_SILENCE)
    }

    /// Tells of a fault, once.
    fn blame(&mut self, fault: AudioFault, now: Instant) {
        if self.faults.contains(&fault) {
            return;
        }
        self.faults.push(fault);
        let report = self.current(Some(fault), now);
        self.push_report(report);
    }

    fn push_report(&mut self, report: AudioReport) {
        self.reports.push_back(report);
    }

    fn current(&self, fault: Option<AudioFault>, now: Instant) -> AudioReport {
        AudioReport {
            running: now.saturating_duration_since(self.started),
            rate_hz: self.input.measured_hz(),
            dropped_frames: self.report.dropped_frames + self.to_phone.dropped() + self.to_modem.dropped(),
            fault,
            ..self.report
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "samples are made to fit")]
pub(super) mod tests {
    use super::*;

    #[test]
    fn sound_passes_both_ways_at_both_rates() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let mut bench = Bench::new(rate, rate);
            bench.run(Duration::from_secs(3));
            assert!(bench.hears(&bench.at_phone, 1_010.0, 8_000), "{rate:?} to the phone");
            assert!(bench.hears(&bench.at_modem, 440.0, rate.hz()), "{rate:?} to the modem");
            let report = bench.pump.final_report(bench.now);
            assert_eq!(report.rate_hz, rate.hz());
            assert!(report.dropped_frames <= 1, "what the phone said before the modem: {}", report.dropped_frames);
            assert_eq!(report.first_audio, Some(Duration::from_millis(20)));
            assert!(bench.delay() <= Duration::from_millis(40), "{:?}", bench.delay());
            assert_eq!(bench.faults, []);
        }
    }

    #[test]
    fn the_rate_is_what_arrives_and_not_what_was_set() {
        for (setting, real) in [(Rate::Narrow, Rate::Wide), (Rate::Wide, Rate::Narrow)] {
            let mut bench = Bench::new(setting, real);
            bench.run(Duration::from_secs(2));
            assert!(bench.hears(&bench.at_phone, 1_010.0, 8_000), "{real:?} to the phone");
            assert!(bench.hears(&bench.at_modem, 440.0, real.hz()), "{real:?} to the modem");
            assert_eq!(bench.faults, [AudioFault::OtherRate]);
        }
    }

    #[test]
    fn not_one_frame_passes_at_a_wrong_rate_and_the_first_passes_within_200_ms() {
        for (setting, real) in
            [Rate::Narrow, Rate::Wide].into_iter().flat_map(|one| [(one, Rate::Narrow), (one, Rate::Wide)])
        {
            let mut bench = Bench::new(setting, real);
            // The modem's first bytes come after 20 ms.
            bench.run(Duration::from_millis(20) + Duration::from_millis(200));
            assert!(!bench.at_phone.is_empty() && !bench.at_modem.is_empty(), "{setting:?} {real:?}");
            bench.run(Duration::from_millis(300));
            assert!(bench.hears(&bench.at_phone, 1_010.0, 8_000), "{setting:?} {real:?} to the phone");
            assert!(bench.hears(&bench.at_modem, 440.0, real.hz()), "{setting:?} {real:?} to the modem");
            assert!(bench.delay() <= Duration::from_millis(40), "{setting:?} {real:?}: {:?}", bench.delay());
        }
    }

    /// What had waited in a driver or in a late program comes faster than any modem speaks.
    #[test]
    fn a_stream_that_begins_late_and_in_haste_is_not_taken_for_another_rate() {
        for real in [Rate::Narrow, Rate::Wide] {
            for late in [40, 80, 120, 180] {
                let mut bench = Bench::new(real, real);
                bench.modem_speaks = false;
                bench.run(Duration::from_millis(late));
                bench.modem_speaks = true;
                for _ in 0..late / 20 {
                    bench.modem_frame();
                    bench.now += Duration::from_millis(1);
                }
                bench.run(Duration::from_millis(500));
                assert_eq!(bench.faults, [], "{real:?}, {late} ms late");
                assert!(bench.hears(&bench.at_phone, 1_010.0, 8_000), "{real:?}, {late} ms late");
            }
        }
    }

    #[test]
    fn a_stall_of_the_modem_is_not_taken_for_another_rate() {
        let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
        bench.run(Duration::from_secs(1));
        bench.stall_modem(Duration::from_millis(450));
        bench.run(Duration::from_secs(2));
        assert_eq!(bench.pump.final_report(bench.now).rate_hz, 8_000);
        assert_eq!(bench.faults, []);
        assert!(bench.delay() <= Duration::from_millis(40), "{:?}", bench.delay());
    }

    #[test]
    fn a_stream_that_is_shifted_by_a_byte_is_repaired() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let mut bench = Bench::new(rate, rate);
            bench.pump.handle_modem(&[7], bench.now);
            bench.run(Duration::from_millis(300));
            bench.at_phone.clear();
            bench.run(Duration::from_secs(2));
            assert!(bench.hears(&bench.at_phone, 1_010.0, 8_000), "{rate:?}");
            assert_eq!(bench.faults, [AudioFault::Misaligned]);
        }
    }

    #[test]
    fn a_phone_whose_clock_runs_five_percent_off_keeps_its_delay() {
        for percent in [95, 105] {
            let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
            bench.phone_percent = percent;
            let mut longest = Duration::ZERO;
            for _ in 0..600 {
                bench.run(Duration::from_millis(100));
                longest = longest.max(bench.delay());
            }
            assert!(longest <= Duration::from_millis(80), "{percent} %: {longest:?}");
            assert!(bench.hears(&bench.at_modem, 440.0, 8_000), "{percent} %");
        }
    }

    #[test]
    fn a_burst_of_the_phone_is_bounded_and_drained() {
        let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
        bench.run(Duration::from_secs(1));
        bench.pump.handle_phone(&pcm::bytes(&tone(440.0, 8_000, 16_000)), bench.now);
        assert!(bench.delay() <= Duration::from_millis(200), "{:?}", bench.delay());
        bench.run(Duration::from_millis(1_100));
        assert!(bench.delay() <= Duration::from_millis(40), "{:?}", bench.delay());
    }

    #[test]
    fn a_modem_without_sound_is_told_after_two_seconds() {
        let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
        bench.modem_speaks = false;
        bench.run(Duration::from_millis(1_990));
        assert_eq!(bench.faults, []);
        bench.run(Duration::from_millis(20));
        assert_eq!(bench.faults, [AudioFault::NothingFromModem]);
        assert_eq!(bench.pump.final_report(bench.now).first_audio, None);
    }

    #[test]
    fn silence_and_one_way_sound_are_told() {
        let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
        (bench.modem_strength, bench.phone_speaks) = (0.0, false);
        bench.run(Duration::from_secs(9));
        assert_eq!(bench.faults, [AudioFault::NothingFromPhone, AudioFault::SilenceFromModem]);
        assert!(bench.pump.final_report(bench.now).silence >= Duration::from_secs(8));
        let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
        bench.modem_takes = false;
        bench.run(Duration::from_secs(3));
        assert_eq!(bench.faults, [AudioFault::ModemTakesNothing]);
        assert!(bench.hears(&bench.at_phone, 1_010.0, 8_000));
    }

    #[test]
    fn t08_a_modem_that_asks_for_nothing_is_given_nothing_and_no_delay_afterwards() {
        let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
        bench.run(Duration::from_secs(1));
        bench.pump.set_flow(false, bench.now);
        let given = bench.at_modem.len();
        bench.run(Duration::from_secs(2));
        assert_eq!(bench.at_modem.len(), given);
        bench.pump.set_flow(true, bench.now);
        bench.run(Duration::from_millis(1_500));
        assert!(bench.hears(&bench.at_modem, 440.0, 8_000));
        let waited = bench.at_modem.len() - given;
        assert!((1_500..=1_540).contains(&(waited / 8)), "{waited} samples in 1.5 s");
        assert_eq!(bench.faults, []);
        bench.pump.set_flow(false, bench.now);
        bench.run(Duration::from_secs(5));
        assert_eq!(bench.faults, [AudioFault::ModemTakesNothing]);
        assert!(bench.hears(&bench.at_modem, 440.0, 8_000), "what it says may have been lost");
    }

    #[test]
    fn t10_positions_in_the_sound_are_told_and_taken_out() {
        let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
        for _ in 0..4 {
            bench.run(Duration::from_millis(510));
            bench.pump.handle_modem(b"$GPRMC,092725.00,A,4717.11,N,00833.91,E,0.0,77.5,091202,,,A*57\r\n", bench.now);
        }
        assert!(bench.hears(&bench.at_phone, 1_010.0, 8_000));
        assert_eq!(bench.faults, [AudioFault::PositionsInSound]);
    }

    #[test]
    fn loud_and_odd_sounds_are_not_taken_for_a_shifted_stream() {
        let square = |at: usize| if (at / 9).is_multiple_of(2) { 0x4000 } else { -0x4000 };
        let noise = |at: usize| i16::from_le_bytes([((at * 7_919) >> 3) as u8, ((at * 104_729) >> 5) as u8]);
        let high = tone(3_400.0, 8_000, 8_000);
        let high = |at: usize| high[at].saturating_mul(3);
        let sounds: [(&str, &dyn Fn(usize) -> i16); 3] = [("square", &square), ("noise", &noise), ("high", &high)];
        for (name, sound) in sounds {
            let mut bench = Bench::new(Rate::Narrow, Rate::Narrow);
            for frame in 0..50 {
                let samples: Vec<i16> = (frame * 160..(frame + 1) * 160).map(sound).collect();
                bench.pump.handle_modem(&pcm::bytes(&samples), bench.now);
                bench.now += Duration::from_millis(20);
                bench.drain();
            }
            assert_eq!(bench.faults, [], "{name}");
        }
    }

    /// A modem and a phone in virtual time: the modem says 1010 Hz, the phone 440 Hz.
    struct Bench {
        pump: Pump,
        real: Rate,
        now: Instant,
        steps: usize,
        modem_speaks: bool,
        modem_takes: bool,
        modem_strength: f32,
        phone_speaks: bool,
        phone_percent: usize,
        phone_sent: usize,
        modem_sound: VecDeque<i16>,
        phone_sound: VecDeque<i16>,
        at_phone: Vec<i16>,
        at_modem: Vec<i16>,
        faults: Vec<AudioFault>,
    }

    impl Bench {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the start of a test")]
        fn new(setting: Rate, real: Rate) -> Self {
            let now = Instant::now();
            Self {
                pump: Pump::new(setting, now),
                real,
                now,
                steps: 0,
                modem_speaks: true,
                modem_takes: true,
                modem_strength: 1.0,
                phone_speaks: true,
                phone_percent: 100,
                phone_sent: 0,
                modem_sound: tone(1_010.0, real.hz(), real.hz() as usize * 70).into(),
                phone_sound: tone(440.0, 8_000, 8_000 * 70).into(),
                at_phone: Vec::new(),
                at_modem: Vec::new(),
                faults: Vec::new(),
            }
        }

        fn run(&mut self, time: Duration) {
            let until = self.now + time;
            while self.now < until {
                self.now += Duration::from_millis(10);
                self.steps += 1;
                if self.phone_speaks {
                    while self.phone_sent * 20 * 100 <= self.steps * 10 * self.phone_percent {
                        let frame: Vec<i16> = self.phone_sound.drain(..160).collect();
                        self.pump.handle_phone(&pcm::bytes(&frame), self.now);
                        self.phone_sent += 1;
                    }
                }
                if self.modem_speaks && self.steps.is_multiple_of(2) {
                    self.modem_frame();
                }
                self.drain();
            }
        }

        fn modem_frame(&mut self) {
            let strength = self.modem_strength;
            let frame = self.modem_sound.drain(..self.real.frame_bytes() / 2);
            let frame: Vec<i16> = frame.map(|sample| (f32::from(sample) * strength) as i16).collect();
            self.pump.handle_modem(&pcm::bytes(&frame), self.now);
        }

        fn stall_modem(&mut self, time: Duration) {
            self.modem_speaks = false;
            self.run(time);
            self.modem_speaks = true;
            for _ in 0..time.as_millis() / 20 {
                self.modem_frame();
                self.drain();
            }
        }

        fn drain(&mut self) {
            while self.pump.poll_timeout() <= self.now {
                self.pump.handle_timeout(self.now);
            }
            while let Some(head) = self.pump.phone_output() {
                let (count, sound) = (head.len(), pcm::samples(&head[3..]));
                self.at_phone.extend(sound);
                self.pump.phone_written(count, self.now);
            }
            while let (true, Some(head)) = (self.modem_takes, self.pump.modem_output()) {
                let (count, sound) = (head.len(), pcm::samples(head));
                self.at_modem.extend(sound);
                self.pump.modem_written(count, self.now);
            }
            while let Some(report) = self.pump.poll_report() {
                self.faults.extend(report.fault);
            }
        }

        /// How long what the phone says now would wait.
        fn delay(&self) -> Duration {
            Duration::from_millis(self.pump.from_phone.len() as u64 / 8)
        }

        /// Whether the last second holds the tone and hardly anything else.
        fn hears(&self, sound: &[i16], hz: f64, rate: u32) -> bool {
            let last = &sound[sound.len().saturating_sub(rate as usize)..];
            let all = last.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / last.len() as f64;
            let share = 2.0 * power(last, hz, rate) / all;
            share > if self.phone_percent == 100 { 0.9 } else { 0.3 }
        }
    }

    pub(in super::super) fn tone(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        let step = 2.0 * std::f64::consts::PI * hz / f64::from(rate);
        (0..samples).map(|at| (8_000.0 * (step * at as f64).sin()) as i16).collect()
    }

    /// Mean power of one frequency (Goertzel).
    pub(in super::super) fn power(sound: &[i16], hz: f64, rate: u32) -> f64 {
        let step = 2.0 * std::f64::consts::PI * hz / f64::from(rate);
        let (mut one, mut two) = (0.0, 0.0);
        for sample in sound {
            let next = f64::from(*sample) + 2.0 * step.cos() * one - two;
            (two, one) = (one, next);
        }
        (one * one + two * two - 2.0 * step.cos() * one * two) / (sound.len() as f64).powi(2)
    }
}
