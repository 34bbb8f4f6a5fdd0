//! The listener, and the doors for the rest of the program.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asterisk::audiosocket::{Decoder, Frame, MediaId};
use switchboard::calls::MediaEvent;
use telecom::CallId;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::call::{self, Order};
use super::pump::Rate;

/// How long a connection may take to say which call it is for.
const NAME_WITHIN: Duration = Duration::from_secs(2);

/// Connections that have not yet said it.
const MOST_UNNAMED: usize = 16;

/// Notices that may wait for the rest of the program.
const NOTICES: usize = 64;

/// Orders that may wait for the task of a call.
const ORDERS: usize = 8;

/// What the sound of a call tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaNotice {
    /// The call.
    pub call: CallId,
    /// What.
    pub event: MediaEvent,
}

/// A connection that said its name; the decoder may hold what followed.
pub(super) type Connection = (TcpStream, Decoder);

type Expected = Arc<Mutex<HashMap<MediaId, oneshot::Sender<Connection>>>>;

/// Listens for Asterisk and runs the sound of every call.
#[derive(Debug)]
pub struct MediaServer {
    address: SocketAddr,
    expected: Expected,
    calls: HashMap<CallId, Running>,
    notices: mpsc::Sender<MediaNotice>,
    listener: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Running {
    uuid: MediaId,
    orders: mpsc::Sender<Order>,
}

impl MediaServer {
    /// Listens on `address` (loopback; port 0 takes a free one). The receiver must be read for as long as calls run.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr) -> io::Result<(Self, mpsc::Receiver<MediaNotice>)> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (notices, receiver) = mpsc::channel(NOTICES);
        let expected = Expected::default();
        let listener = tokio::spawn(listen(listener, Arc::clone(&expected)));
        Ok((Self { address, expected, calls: HashMap::new(), notices, listener }, receiver))
    }

    /// Where Asterisk finds us.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asterisk will connect for `call` and name `uuid`.
    pub fn expect(&mut self, call: &CallId, uuid: MediaId) {
        self.stop(call);
        let (connection, arrival) = oneshot::channel();
        let (orders, inbox) = mpsc::channel(ORDERS);
        lock(&self.expected).insert(uuid, connection);
        tokio::spawn(call::run(call.clone(), arrival, inbox, self.notices.clone()));
        self.calls.insert(call.clone(), Running { uuid, orders });
    }

    /// Joins the PCM port at `device` to the call. `rate` is what the modem's settings promise; what really arrives
    /// decides.
    pub fn start_modem_audio(&mut self, call: &CallId, device: PathBuf, rate: Rate) {
        self.order(call, Order::Start { device, rate });
    }

    /// Gives the modem no sound for a while, or sound again.
    pub fn set_flow(&mut self, call: &CallId, is_open: bool) {
        self.order(call, Order::Flow { is_open });
    }

    /// Leaves the modem's PCM port.
    pub fn stop_modem_audio(&mut self, call: &CallId) {
        self.order(call, Order::Stop);
    }

    /// Closes the call's connection and port, and forgets the call.
    pub fn stop(&mut self, call: &CallId) {
        if let Some(running) = self.calls.remove(call) {
            lock(&self.expected).remove(&running.uuid);
        }
    }

    fn order(&mut self, call: &CallId, order: Order) {
        let Some(running) = self.calls.get(call) else { return };
        if running.orders.try_send(order).is_err() {
            warn!(%call, "the task of the call's sound does not take orders");
        }
    }
}

impl Drop for MediaServer {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(listener: TcpListener, expected: Expected) {
    let unnamed = Arc::new(Semaphore::new(MOST_UNNAMED));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot accept an audio connection");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&unnamed).try_acquire_owned() else { continue };
        let expected = Arc::clone(&expected);
        tokio::spawn(async move {
            match timeout(NAME_WITHIN, hear_name(stream)).await {
                Ok(Some((uuid, connection))) => hand_over(&expected, uuid, connection),
                Ok(None) => debug!("an audio connection that is none was closed"),
                Err(_) => debug!("an audio connection without a name was closed"),
            }
            drop(permit);
        });
    }
}

/// Reads until the first frame, which names the call.
async fn hear_name(mut stream: TcpStream) -> Option<(MediaId, Connection)> {
    stream.set_nodelay(true).ok()?;
    let mut decoder = Decoder::default();
    let mut buffer = [0; 512];
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        decoder.handle_bytes(buffer.get(..count).filter(|bytes| !bytes.is_empty())?);
        match decoder.poll_frame() {
            Some(Ok(Frame::Id(uuid))) => return Some((uuid, (stream, decoder))),
            Some(_) => return None,
            None => {}
        }
    }
}

fn hand_over(expected: &Expected, uuid: MediaId, connection: Connection) {
    let waiting = lock(expected).remove(&uuid);
    if waiting.is_none_or(|waiting| waiting.send(connection).is_err()) {
        debug!("an audio connection for a call that is over was closed");
    }
}

fn lock(expected: &Expected) -> std::sync::MutexGuard<'_, HashMap<MediaId, oneshot::Sender<Connection>>> {
    expected.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::pump::tests::{power, tone};
    use super::*;
    use crate::devices::tty;
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use std::io::{Read, Write};
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn sound_and_digits_pass_between_a_pty_and_a_connection() {
        let mut stage = Stage::new().await;
        stage.server.start_modem_audio(&stage.call, stage.device.clone(), Rate::Narrow);
        stage.phone.write_all(&frame(&Frame::Dtmf('7'))).await.unwrap();
        assert_eq!(stage.next().await, MediaEvent::Dtmf('7'));
        // Until the order to start has come through, the PTY would drop what is written.
        let (mut at_phone, mut at_modem) = (Vec::new(), Vec::new());
        let (say, answer) = (tone(1_000.0, 8_000, 20_000), tone(440.0, 8_000, 20_000));
        let mut decoder = Decoder::default();
        for (one, other) in say.chunks(160).zip(answer.chunks(160)) {
            stage.phone.write_all(&frame(&Frame::Slin8(super::super::pcm::bytes(other)))).await.unwrap();
            stage.modem.write_all(&super::super::pcm::bytes(one)).unwrap();
            sleep(Duration::from_millis(20)).await;
            collect(&mut stage.phone, &mut decoder, &mut at_phone);
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stage.modem.read(&mut bytes) {
                at_modem.extend(super::super::pcm::samples(&bytes[..count]));
            }
        }
        assert!(at_phone.len() > 12_000 && at_modem.len() > 12_000, "{} {}", at_phone.len(), at_modem.len());
        assert!(share(&at_phone[4_000..12_000], 1_000.0) > 0.5);
        assert!(share(&at_modem[4_000..12_000], 440.0) > 0.5);
    }

    #[tokio::test]
    async fn the_end_of_the_connection_is_told_and_closing_ends_it() {
        let mut stage = Stage::new().await;
        stage.phone.shutdown().await.unwrap();
        assert_eq!(stage.next().await, MediaEvent::Lost);
        let mut stage = Stage::new().await;
        stage.server.stop(&stage.call);
        assert_eq!(timeout(LONG, stage.phone.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_modem_without_sound_is_reported() {
        let mut stage = Stage::new().await;
        stage.server.start_modem_audio(&stage.call, stage.device.clone(), Rate::Narrow);
        let MediaEvent::Report(report) = stage.next().await else { panic!("a report was expected") };
        assert_eq!(report.fault, Some(switchboard::calls::AudioFault::NothingFromModem));
        stage.server.start_modem_audio(&stage.call, "/nonexistent/ttyUSB7".into(), Rate::Narrow);
    }

    #[tokio::test]
    async fn strangers_are_turned_away() {
        let stage = Stage::new().await;
        for hello in
            [frame(&Frame::Id(MediaId::from_bytes([9; 16]))), b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0xff; 64]]
        {
            let mut stranger = TcpStream::connect(stage.server.address()).await.unwrap();
            stranger.write_all(&hello).await.unwrap();
            let end = timeout(LONG, stranger.read(&mut [0; 8])).await.unwrap();
            assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        }
    }

    /// One call that is connected, and a PTY in the place of the modem's PCM port.
    struct Stage {
        server: MediaServer,
        notices: mpsc::Receiver<MediaNotice>,
        call: CallId,
        phone: TcpStream,
        modem: std::fs::File,
        _keeps_the_pty: std::os::fd::OwnedFd,
        device: PathBuf,
    }

    impl Stage {
        async fn new() -> Self {
            let (mut server, mut notices) = MediaServer::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let (call, uuid) = (CallId("c1".into()), MediaId::from_bytes([5; 16]));
            server.expect(&call, uuid);
            let mut phone = TcpStream::connect(server.address()).await.unwrap();
            phone.write_all(&frame(&Frame::Id(uuid))).await.unwrap();
            let first = timeout(LONG, notices.recv()).await.unwrap().unwrap();
            assert_eq!((first.call, first.event), (call.clone(), MediaEvent::Connected));
            let pty = nix::pty::openpty(None, None).unwrap();
            let device = nix::unistd::ttyname(&pty.slave).unwrap();
            fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            drop(tty::open_raw(&device).unwrap());
            Self { server, notices, call, phone, modem: pty.master.into(), _keeps_the_pty: pty.slave, device }
        }

        async fn next(&mut self) -> MediaEvent {
            timeout(LONG, self.notices.recv()).await.unwrap().unwrap().event
        }
    }

    fn frame(frame: &Frame) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        bytes
    }

    fn collect(phone: &mut TcpStream, decoder: &mut Decoder, sound: &mut Vec<i16>) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = phone.try_read(&mut bytes) {
            decoder.handle_bytes(&bytes[..count]);
        }
        while let Some(Ok(frame)) = decoder.poll_frame() {
            if let Frame::Slin8(bytes) = frame {
                sound.extend(super::super::pcm::samples(&bytes));
            }
        }
    }

    fn share(sound: &[i16], hz: f64) -> f64 {
        let all = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / sound.len() as f64;
        2.0 * power(sound, hz, 8_000) / all
    }

    const LONG: Duration = Duration::from_secs(5);
}
