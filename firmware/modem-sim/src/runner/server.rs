//! The control socket.

use std::io;
use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::hub::HubCommand;
use super::protocol::{BenchRequest, Event, RecordingStatus, Request, Response};
use super::{Numbers, SimError, write_wav};

type Commands = mpsc::Sender<HubCommand>;

/// Listens until the hub has ended.
pub(super) fn spawn_server(path: &Path, commands: Commands, events: broadcast::Sender<Event>) -> io::Result<()> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        tokio::spawn(serve(stream, commands.clone(), events.clone()));
                    }
                    Err(error) => tracing::warn!(%error, "failed to accept on the control socket"),
                },
                () = commands.closed() => return,
            }
        }
    });
    Ok(())
}

async fn serve(stream: UnixStream, commands: Commands, events: broadcast::Sender<Event>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.trim().is_empty() {
            continue;
        }
        let is_watch = matches!(serde_json::from_str(&line), Ok(BenchRequest::Watch));
        let watched = is_watch.then(|| events.subscribe());
        let response = match respond(&line, &commands).await {
            Ok(response) => response,
            Err(error) => Response { error: Some(chain(&error)), ..Response::default() },
        };
        if write_line(&mut writer, &response).await.is_err() {
            return;
        }
        if let Some(watched) = watched {
            stream_events(watched, writer).await;
            return;
        }
    }
}

async fn stream_events(mut events: broadcast::Receiver<Event>, mut writer: impl tokio::io::AsyncWrite + Unpin) {
    loop {
        match events.recv().await {
            Ok(event) => {
                if write_line(&mut writer, &event).await.is_err() {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => tracing::warn!(missed, "a watcher is slow"),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn write_line(
    writer: &mut (impl tokio::io::AsyncWrite + Unpin),
    value: &impl serde::Serialize,
) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    writer.write_all(&text).await
}

/// Why a line on the control socket is refused.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("request is not understood: {0}")]
    Malformed(String),
    #[error(transparent)]
    Sim(#[from] SimError),
    #[error("failed to write the recording")]
    Wav(#[from] super::WavError),
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The name decides who is asked, so that a mistake in a field is told as such.
fn parse(line: &str) -> Result<Request, RequestError> {
    const BENCH: [&str; 9] = ["unplug", "plug", "brown_out", "swap", "status", "sent", "recording", "watch", "stop"];
    let malformed = |error: serde_json::Error| RequestError::Malformed(error.to_string());
    let value: Value = serde_json::from_str(line).map_err(malformed)?;
    let name = value.get("do").and_then(Value::as_str).unwrap_or_default();
    if BENCH.contains(&name) {
        return Ok(Request::Bench(serde_json::from_value(value).map_err(malformed)?));
    }
    let modem = value.get("modem").and_then(Value::as_str).map(str::to_owned);
    Ok(Request::Modem { modem, control: serde_json::from_value(value).map_err(malformed)? })
}

async fn respond(line: &str, commands: &Commands) -> Result<Response, RequestError> {
    match parse(line)? {
        Request::Bench(request) => respond_bench(request, commands).await,
        Request::Modem { modem, control } => {
            let modem = match modem {
                Some(modem) => modem,
                None => only_modem(commands).await?,
            };
            ask(commands, |reply| HubCommand::Control { modem, control, reply }).await??;
            Ok(done())
        }
    }
}

async fn respond_bench(request: BenchRequest, commands: &Commands) -> Result<Response, RequestError> {
    match request {
        BenchRequest::Unplug { modem } => ask(commands, |reply| HubCommand::Unplug { modem, reply }).await??,
        BenchRequest::BrownOut { absent_ms } => {
            let absent = std::time::Duration::from_millis(absent_ms);
            ask(commands, |reply| HubCommand::BrownOut { absent, reply }).await?;
        }
        BenchRequest::Plug { modem, renumber } => {
            let numbers = if renumber { Numbers::Different } else { Numbers::LowestFree };
            ask(commands, |reply| HubCommand::Plug { modem, numbers, reply }).await??;
        }
        BenchRequest::Swap { modem, with } => {
            ask(commands, |reply| HubCommand::Swap { first: modem, second: with, reply }).await??;
        }
        BenchRequest::Status => {
            let modems = ask(commands, |reply| HubCommand::Status { reply }).await?;
            return Ok(Response { modems: Some(modems), ..done() });
        }
        BenchRequest::Sent => {
            let sent = ask(commands, |reply| HubCommand::Sent { reply }).await?;
            return Ok(Response { sent: Some(sent), ..done() });
        }
        BenchRequest::Recording { modem, out, clear } => return recording(modem, out, clear, commands).await,
        BenchRequest::Watch => {}
        BenchRequest::Stop => ask(commands, |reply| HubCommand::Stop { reply }).await?,
    }
    Ok(done())
}

async fn recording(
    modem: String,
    out: Option<std::path::PathBuf>,
    clear: bool,
    commands: &Commands,
) -> Result<Response, RequestError> {
    let of = modem.clone();
    let recording = ask(commands, |reply| HubCommand::Recording { modem: of, reply }).await??;
    if let Some(out) = out {
        write_wav(&out, recording.rate_hz, &recording.samples)?;
    }
    if clear {
        ask(commands, |reply| HubCommand::ClearRecording { modem, reply }).await??;
    }
    let recording = RecordingStatus {
        rate_hz: recording.rate_hz,
        samples: recording.samples.len(),
        frames_out: recording.frames_out,
        bytes_in: recording.bytes_in,
        frames_skipped: recording.frames_skipped,
    };
    Ok(Response { recording: Some(recording), ..done() })
}

async fn only_modem(commands: &Commands) -> Result<String, RequestError> {
    let modems = ask(commands, |reply| HubCommand::Status { reply }).await?;
    match modems.as_slice() {
        [only] => Ok(only.usb_path.clone()),
        _ => Err(RequestError::Malformed("say which modem, as \"modem\": \"1-2\"".to_owned())),
    }
}

fn done() -> Response {
    Response { ok: true, ..Response::default() }
}

async fn ask<T>(commands: &Commands, command: impl FnOnce(oneshot::Sender<T>) -> HubCommand) -> Result<T, SimError> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(reply)).await.map_err(|_| SimError::Ended)?;
    answer.await.map_err(|_| SimError::Ended)
}
