//! The task of one call: it moves bytes between the connection, the PCM port and the [`Pump`].

use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use asterisk::audiosocket::{Decoder, Frame};
use switchboard::calls::MediaEvent;
use telecom::CallId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::pump::{Pump, Rate};
use super::server::{Connection, MediaNotice};
use crate::clock;
use crate::devices::tty::{self, Tty};

/// How long Asterisk may take to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long the rest of the program may leave an important notice unread.
const NOTICE_WITHIN: Duration = Duration::from_secs(1);

/// 200 ms at 16 kHz.
const CHUNK: usize = 6_400;

/// What the task is told; the end of the orders ends it.
#[derive(Debug)]
pub(super) enum Order {
    /// Join the PCM port.
    Start { device: PathBuf, rate: Rate },
    /// Write to it, or hold off.
    Flow { is_open: bool },
    /// Leave it.
    Stop,
}

/// The sound of one call.
struct Sound {
    call: CallId,
    notices: mpsc::Sender<MediaNotice>,
    phone: Option<Phone>,
    modem: Option<Modem>,
}

struct Phone {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    decoder: Decoder,
}

struct Modem {
    read: ReadHalf<Tty>,
    write: WriteHalf<Tty>,
    pump: Pump,
    /// The port fell silent for good; the reports go on.
    gone: bool,
}

/// Runs until the sender of `orders` is dropped.
pub(super) async fn run(
    call: CallId,
    arrival: oneshot::Receiver<Connection>,
    mut orders: mpsc::Receiver<Order>,
    notices: mpsc::Sender<MediaNotice>,
) {
    let mut sound = Sound { call, notices, phone: None, modem: None };
    if sound.wait_for_asterisk(arrival, &mut orders).await {
        while sound.step(&mut orders).await {}
    }
    sound.leave_modem();
    debug!(call = %sound.call, "the sound of the call is closed");
}

impl Sound {
    /// Returns false when the call ended meanwhile.
    async fn wait_for_asterisk(
        &mut self,
        mut arrival: oneshot::Receiver<Connection>,
        orders: &mut mpsc::Receiver<Order>,
    ) -> bool {
        let deadline = Instant::now() + CONNECT_WITHIN;
        loop {
            tokio::select! {
                connection = &mut arrival => {
                    match connection {
                        Ok((stream, decoder)) => self.on_connected(stream, decoder).await,
                        // The expectation was withdrawn: the orders end too.
                        Err(_) => return false,
                    }
                    return true;
                }
                order = orders.recv() => match order {
                    Some(order) => self.on_order(order),
                    None => return false,
                },
                () = sleep_until(deadline) => {
                    self.tell(MediaEvent::Lost).await;
                    return true;
                }
            }
        }
    }

    async fn on_connected(&mut self, stream: tokio::net::TcpStream, decoder: Decoder) {
        let (read, write) = stream.into_split();
        self.phone = Some(Phone { read, write, decoder });
        self.tell(MediaEvent::Connected).await;
        self.take_frames().await;
    }

    /// Waits for one thing and does it. Returns false at the end.
    async fn step(&mut self, orders: &mut mpsc::Receiver<Order>) -> bool {
        let mut from_phone = [0; 4_096];
        let mut from_modem = [0; CHUNK];
        let deadline = self.modem.as_ref().map(|modem| Instant::from_std(modem.pump.poll_timeout()));
        let (phone_read, phone_write) = halves(self.phone.as_mut().map(|phone| (&mut phone.read, &mut phone.write)));
        let (modem_read, modem_write, pump) = match &mut self.modem {
            Some(modem) if !modem.gone => (Some(&mut modem.read), Some(&mut modem.write), Some(&modem.pump)),
            _ => (None, None, None),
        };
        let to_phone = pump.and_then(Pump::phone_output);
        let to_modem = pump.and_then(Pump::modem_output);
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => self.on_order(order),
                None => return false,
            },
            count = read(phone_read, &mut from_phone) => match count {
                Ok(count @ 1..) => self.on_phone_bytes(from_phone.get(..count).unwrap_or_default()).await,
                Ok(0) | Err(_) => self.lose_phone().await,
            },
            count = read(modem_read, &mut from_modem) => match count {
                Ok(count) => self.on_modem_bytes(from_modem.get(..count).unwrap_or_default()),
                Err(error) => self.lose_modem(&error),
            },
            count = write(phone_write, to_phone) => match count {
                Ok(count @ 1..) => self.with_pump(|pump| pump.phone_written(count, clock::now())),
                Ok(0) | Err(_) => self.lose_phone().await,
            },
            count = write(modem_write, to_modem) => match count {
                Ok(count) => self.with_pump(|pump| pump.modem_written(count, clock::now())),
                Err(error) => self.lose_modem(&error),
            },
            () = wait_until(deadline) => self.on_deadline().await,
        }
        self.report();
        true
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Start { device, rate } => self.join_modem(&device, rate),
            Order::Flow { is_open } => self.with_pump(|pump| pump.set_flow(is_open, clock::now())),
            Order::Stop => self.leave_modem(),
        }
    }

    fn join_modem(&mut self, device: &Path, rate: Rate) {
        self.leave_modem();
        match tty::open_raw(device) {
            Ok(tty) => {
                let (read, write) = tokio::io::split(tty);
                self.modem = Some(Modem { read, write, pump: Pump::new(rate, clock::now()), gone: false });
            }
            Err(error) => {
                warn!(call = %self.call, %error, "the modem's sound cannot be opened");
                self.report_unopened();
            }
        }
    }

    /// A port that cannot be opened gives nothing.
    fn report_unopened(&self) {
        let fault = Some(switchboard::calls::AudioFault::NothingFromModem);
        self.try_tell(MediaEvent::Report(switchboard::calls::AudioReport { fault, ..Default::default() }));
    }

    fn leave_modem(&mut self) {
        let Some(modem) = self.modem.take() else { return };
        let report = modem.pump.final_report(clock::now());
        info!(
            call = %self.call,
            seconds = report.running.as_secs(),
            rate_hz = report.rate_hz,
            modem_frames = report.modem_frames,
            phone_frames = report.phone_frames,
            dropped_frames = report.dropped_frames,
            "the sound of the call ended"
        );
    }

    async fn on_phone_bytes(&mut self, bytes: &[u8]) {
        if let Some(phone) = &mut self.phone {
            phone.decoder.handle_bytes(bytes);
        }
        self.take_frames().await;
    }

    async fn take_frames(&mut self) {
        while let Some(frame) = self.phone.as_mut().and_then(|phone| phone.decoder.poll_frame()) {
            match frame {
                Ok(Frame::Slin8(sound)) => self.with_pump(|pump| pump.handle_phone(&sound, clock::now())),
                Ok(Frame::Dtmf(digit)) => self.tell(MediaEvent::Dtmf(digit)).await,
                Ok(Frame::Terminate) | Err(_) => self.lose_phone().await,
                Ok(Frame::Error(code)) => debug!(call = %self.call, code, "asterisk reports an audio error"),
                Ok(Frame::Id(_) | Frame::Slin16(_) | Frame::Other { .. }) => {}
            }
        }
    }

    fn on_modem_bytes(&mut self, bytes: &[u8]) {
        let connected = self.phone.is_some();
        self.with_pump(|pump| {
            pump.handle_modem(bytes, clock::now());
            if !connected {
                pump.drop_phone_output();
            }
        });
    }

    async fn on_deadline(&mut self) {
        let now = clock::now();
        let Some(modem) = &mut self.modem else { return };
        modem.pump.handle_timeout(now);
        if modem.pump.is_phone_stalled(now) {
            self.lose_phone().await;
        }
    }

    async fn lose_phone(&mut self) {
        self.with_pump(|pump| pump.drop_phone_output());
        if self.phone.take().is_some() {
            self.tell(MediaEvent::Lost).await;
        }
    }

    /// The port was pulled or its driver failed: the modem's own loss is told elsewhere, the pump reports the silence.
    fn lose_modem(&mut self, error: &io::Error) {
        warn!(call = %self.call, %error, "the modem's sound is gone");
        if let Some(modem) = &mut self.modem {
            modem.gone = true;
            modem.pump.drop_phone_output();
            modem.pump.drop_modem_output();
        }
    }

    fn report(&mut self) {
        while let Some(report) = self.modem.as_mut().and_then(|modem| modem.pump.poll_report()) {
            self.try_tell(MediaEvent::Report(report));
        }
    }

    fn with_pump(&mut self, act: impl FnOnce(&mut Pump)) {
        if let Some(modem) = &mut self.modem {
            act(&mut modem.pump);
        }
    }

    /// Tells what must not be lost.
    async fn tell(&self, event: MediaEvent) {
        let notice = MediaNotice { call: self.call.clone(), event };
        if timeout(NOTICE_WITHIN, self.notices.send(notice)).await.is_err() {
            warn!(call = %self.call, "a notice of the call's sound was lost: nobody read it in time");
        }
    }

    /// Tells what may be lost.
    fn try_tell(&self, event: MediaEvent) {
        if self.notices.try_send(MediaNotice { call: self.call.clone(), event }).is_err() {
            debug!(call = %self.call, "a report of the call's sound was skipped");
        }
    }
}

fn halves<R, W>(both: Option<(R, W)>) -> (Option<R>, Option<W>) {
    both.map_or((None, None), |(read, write)| (Some(read), Some(write)))
}

/// Reads, or waits for ever when there is nothing to read from.
async fn read(from: Option<&mut (impl AsyncRead + Unpin)>, buffer: &mut [u8]) -> io::Result<usize> {
    match from {
        Some(from) => from.read(buffer).await,
        None => pending().await,
    }
}

/// Writes a part, or waits for ever when there is nothing to write or nowhere to.
async fn write(to: Option<&mut (impl AsyncWrite + Unpin)>, bytes: Option<&[u8]>) -> io::Result<usize> {
    match (to, bytes) {
        (Some(to), Some(bytes)) => to.write(bytes).await,
        _ => pending().await,
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
