//! The one driver between a modem's machine and its port. It moves bytes and time and decides nothing.

use crate::clock;
use futures_util::FutureExt;
use modem::{Command, Event, Modem, Output};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// A wedged tty must not starve the timers of the machine.
const WRITE_BUDGET: Duration = Duration::from_secs(5);

/// Why a drive came to its end.
#[derive(Debug, thiserror::Error)]
pub enum DriveEnd {
    /// Whoever reads the events is gone: the box stops, or the modem was pulled.
    #[error("the line was closed")]
    Closed,
    /// The port hung up: the modem was pulled or restarts.
    #[error("the port hung up")]
    HungUp,
    /// Reading or writing failed.
    #[error("the port failed")]
    Failed(#[source] io::Error),
    /// The modem does not take what is written to it.
    #[error("the port accepted no bytes for {WRITE_BUDGET:?}")]
    Wedged,
}

/// Runs `machine` on `port` until the port or the other side of the channels is gone.
pub async fn drive<P: AsyncRead + AsyncWrite + Unpin>(
    machine: &mut Modem,
    mut port: P,
    commands: &mut mpsc::Receiver<Command>,
    events: &mpsc::Sender<Event>,
) -> DriveEnd {
    let mut buf = [0_u8; 4096];
    loop {
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Write(bytes) => {
                    if let Err(end) = write_within(&mut port, &bytes).await {
                        return end;
                    }
                }
                Output::Event(event) => {
                    if let Some(end) = tell(machine, event, commands, events).await {
                        return end;
                    }
                }
            }
        }
        tokio::select! {
            read = port.read(&mut buf) => {
                if let Err(end) = take(machine, &buf, read) { return end }
            },
            command = commands.recv() => match command {
                Some(command) => machine.submit(command, clock::now()),
                None => return DriveEnd::Closed,
            },
            () = clock::sleep_until(machine.poll_timeout()) => {
                // After a stall both are due: what the modem said in time must not count as silence.
                if let Some(read) = port.read(&mut buf).now_or_never()
                    && let Err(end) = take(machine, &buf, read)
                {
                    return end;
                }
                machine.handle_timeout(clock::now());
            }
        }
    }
}

/// Hands the machine what was read.
fn take(machine: &mut Modem, buf: &[u8], read: io::Result<usize>) -> Result<(), DriveEnd> {
    match read {
        // A hung-up tty reads as empty for ever (both Linux ttys and PTYs).
        Ok(0) => Err(DriveEnd::HungUp),
        Ok(n) => {
            machine.handle_bytes(buf.get(..n).unwrap_or_default(), clock::now());
            Ok(())
        }
        Err(error) => Err(DriveEnd::Failed(error)),
    }
}

/// The port is gone: the machine answers what waits, so that nothing which never left counts as perhaps sent.
pub fn abandon(machine: &mut Modem, events: &mpsc::Sender<Event>) {
    machine.handle_port_lost();
    while let Some(output) = machine.poll_output() {
        // Who reads may have ended as well; then what waits is unknown.
        if let Output::Event(event) = output
            && events.try_send(event).is_err()
        {
            return;
        }
    }
}

/// Passes an event on. Whoever reads the events may be waiting for room for a command at the same moment: commands are
/// taken meanwhile, or each would wait for the other for ever.
async fn tell(
    machine: &mut Modem,
    event: Event,
    commands: &mut mpsc::Receiver<Command>,
    events: &mpsc::Sender<Event>,
) -> Option<DriveEnd> {
    loop {
        tokio::select! {
            biased;
            place = events.reserve() => match place {
                Ok(place) => {
                    place.send(event);
                    return None;
                }
                Err(_) => return Some(DriveEnd::Closed),
            },
            command = commands.recv() => match command {
                Some(command) => machine.submit(command, clock::now()),
                None => return Some(DriveEnd::Closed),
            },
        }
    }
}

async fn write_within<P: AsyncWrite + Unpin>(port: &mut P, bytes: &[u8]) -> Result<(), DriveEnd> {
    match tokio::time::timeout(WRITE_BUDGET, port.write_all(bytes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(DriveEnd::Failed(error)),
        Err(_) => Err(DriveEnd::Wedged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modem::{ModemConfig, PartToken};

    #[tokio::test]
    async fn a_reader_that_waits_to_give_a_command_is_not_waited_for() {
        let config = ModemConfig { has_audio: true, ..ModemConfig::default() };
        let mut machine = Modem::new(config, clock::now());
        let (port, _modem) = tokio::io::duplex(1024);
        let (commands, mut inbox) = mpsc::channel(1);
        let (events, mut told) = mpsc::channel(1);
        let driving = drive(&mut machine, port, &mut inbox, &events);
        let reader = async {
            // Each is refused by an event, as the modem is not ready: more than both channels hold before one is read.
            for token in 0..50 {
                let send = Command::SendSms { token: PartToken(token), pdu: vec![0; 8], tpdu_length: 7 };
                commands.send(send).await.expect("the drive works");
            }
            let mut failed = 0;
            while failed < 50 {
                let event = told.recv().await.expect("the drive works");
                failed += usize::from(matches!(event, Event::SmsFailed { .. }));
            }
        };
        let both = async {
            tokio::select! {
                _ = driving => panic!("the drive ended"),
                () = reader => {}
            }
        };
        tokio::time::timeout(Duration::from_secs(5), both).await.expect("each waits for the other");
    }
    #[tokio::test]
    async fn an_answer_that_lies_ready_is_read_before_it_is_late() {
        // Which of two ready branches a select takes is left to chance.
        for _ in 0..2 {
            let config = ModemConfig { has_audio: true, ..ModemConfig::default() };
            let mut machine = Modem::new(config, clock::now());
            let (port, mut modem) = tokio::io::duplex(1024);
            let (_commands, mut inbox) = mpsc::channel(1);
            let (events, _told) = mpsc::channel(8);
            let modem = async {
                assert_eq!(line(&mut modem).await, "AT+CMEE?");
                modem.write_all(b"\r\n+CMEE: 1\r\n\r\nOK\r\n").await.unwrap();
                // The one thread of this test stalls, as a machine does that swaps.
                std::thread::sleep(Duration::from_millis(1900));
                assert_eq!(line(&mut modem).await, "ATE0Q0V1");
            };
            tokio::select! {
                end = drive(&mut machine, port, &mut inbox, &events) => panic!("the drive ended: {end}"),
                () = modem => {}
            }
        }
    }

    async fn line(modem: &mut tokio::io::DuplexStream) -> String {
        let mut bytes = Vec::new();
        loop {
            match modem.read_u8().await.unwrap() {
                b'\r' => return String::from_utf8(bytes).unwrap(),
                byte => bytes.push(byte),
            }
        }
    }
}
