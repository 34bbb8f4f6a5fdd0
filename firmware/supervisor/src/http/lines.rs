//! Lines, modems, PIN and USSD.

use super::error::{ApiError, Json};
use crate::app::App;
use crate::registry::{LineRequest, ModemFacts, Stage};
use crate::{clock, views};
use api::ErrorCode;
use axum::extract::{Path, State};
use modem::{Command, SimState, UssdReply};
use std::sync::Arc;
use std::time::Duration;
use store::StoreError;
use telecom::LineId;
use tokio::sync::{mpsc, oneshot};

/// The network may take two minutes (TS 27.007 has no bound; modems answer or give up within this).
const USSD_DEADLINE: Duration = Duration::from_secs(130);
const PIN_DEADLINE: Duration = Duration::from_secs(20);
const LONGEST_USSD: usize = 182;
const LONGEST_NAME: usize = 64;

/// `GET /api/lines`.
pub(super) async fn list_lines(State(app): State<Arc<App>>) -> Result<Json<api::LineList>, ApiError> {
    let lines = app.store.list_lines().await;
    let lines = lines.map_err(|error| ApiError::internal("listing lines", &error))?;
    let lines = lines.into_iter().map(|line| view(&app, line)).collect();
    Ok(Json(api::LineList { success: true, lines }))
}

fn view(app: &App, line: store::Line) -> api::Line {
    let id = line.id.to_string();
    match app.registry.line(line.id) {
        Some(facts) => {
            api::Line { number: line.number.map(|n| n.to_string().into()), ..views::line(id, line.name, &facts) }
        }
        None => views::absent_line(id, line.name, line.number.as_ref()),
    }
}

/// `PATCH /api/lines/{id}`.
pub(super) async fn change_line(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Json(change): Json<api::LineChange>,
) -> Result<Json<api::Line>, ApiError> {
    let id = line_id(&id)?;
    let number = change.number.map(|number| number.as_str().parse::<telecom::PhoneNumber>());
    let number = number.transpose().map_err(|error| ApiError::new(ErrorCode::InvalidNumber, error.to_string()))?;
    let mut line = app.store.find_line(id).await.map_err(line_error)?;
    if let Some(name) = change.name {
        line = app.store.set_line_name(id, checked_name(&name)?).await.map_err(line_error)?;
    }
    if let Some(number) = number {
        line = app.store.set_line_number(id, number).await.map_err(line_error)?;
    }
    if let Some(facts) = app.registry.line(id) {
        app.registry.update(&facts.usb_path, |facts| {
            facts.line_name = Some(line.name.clone());
            facts.number.clone_from(&line.number);
        });
    }
    let view = view(&app, line);
    app.hub.publish(&api::ServerEvent::LineUpdate(view.clone()));
    Ok(Json(view))
}

fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "choose a name of 1 to 64 characters"));
    }
    Ok(name.to_owned())
}

fn line_error(error: StoreError) -> ApiError {
    match error {
        StoreError::NoSuchLine => no_such_line(),
        error => ApiError::internal("changing a line", &error),
    }
}

fn line_id(text: &str) -> Result<LineId, ApiError> {
    text.parse().map_err(|_| no_such_line())
}

fn no_such_line() -> ApiError {
    ApiError::new(ErrorCode::NoSuchLine, "there is no such line; see the list of lines")
}

/// `GET /api/modems`.
pub(super) async fn list_modems(State(app): State<Arc<App>>) -> Json<api::ModemList> {
    Json(api::ModemList { success: true, modems: app.registry.snapshot().iter().map(views::modem).collect() })
}

/// `PATCH /api/modems/{id}`.
pub(super) async fn change_modem(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Json(change): Json<api::ModemChange>,
) -> Result<Json<api::Modem>, ApiError> {
    let (facts, _) = app.registry.modem_requests(&id).ok_or_else(no_such_modem)?;
    let name = checked_name(&change.name)?;
    let starting =
        || ApiError::new(ErrorCode::Unavailable, "the modem has not said who it is yet; try again in a minute");
    let modem = facts.modem.ok_or_else(starting)?;
    let named = app.store.set_modem_name(modem, name).await;
    let named = named.map_err(|error| ApiError::internal("naming a modem", &error))?;
    app.registry.update(&facts.usb_path, |facts| facts.modem_name = named.given_name().map(ToOwned::to_owned));
    let (facts, _) = app.registry.modem_requests(&id).ok_or_else(no_such_modem)?;
    Ok(Json(views::modem(&facts)))
}

fn no_such_modem() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is no such modem; see the list of modems")
}

/// `POST /api/modems/{id}/pin`.
pub(super) async fn enter_pin(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Json(entry): Json<api::PinEntry>,
) -> Result<Json<api::Success>, ApiError> {
    unlock(&app, &id, entry.pin.into_inner()).await?;
    Ok(Json(api::Success::YES))
}

/// Enters the PIN of a modem's SIM, and keeps it when the SIM took it.
///
/// # Errors
/// Why the SIM cannot be used, or was not asked.
pub(crate) async fn unlock(app: &App, id: &str, pin: String) -> Result<(), ApiError> {
    let (facts, requests) = app.registry.modem_requests(id).ok_or_else(no_such_modem)?;
    if !(4..=8).contains(&pin.len()) || !pin.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "a PIN has 4 to 8 digits"));
    }
    match &facts.stage {
        Stage::Sim(SimState::PinNeeded { attempts_left, .. } | SimState::PinWrong { attempts_left }) => {
            if *attempts_left == Some(1) {
                return Err(ApiError::new(
                    ErrorCode::PinRefused,
                    "only one try is left before the SIM is blocked; enter the PIN in a telephone instead",
                ));
            }
        }
        stage => return Err(pin_not_wanted(stage)),
    }
    let command = Command::EnterPin { pin: pin.clone(), last_attempt: false };
    let state = ask(&requests, PIN_DEADLINE, |reply| LineRequest::Pin { command, reply }).await?;
    match state {
        SimState::Ready => {
            if let Some(iccid) = facts.iccid.clone() {
                let kept = app.store.set_pin(iccid, pin).await;
                kept.map_err(|error| ApiError::internal("keeping a PIN", &error))?;
            }
            Ok(())
        }
        SimState::PinWrong { attempts_left } | SimState::PinNeeded { attempts_left, .. } => {
            let left = attempts_left.map_or(String::new(), |n| format!("; {n} tries are left"));
            Err(ApiError::new(ErrorCode::PinRefused, format!("the SIM refused this PIN{left}")))
        }
        state => Err(pin_not_wanted(&Stage::Sim(state))),
    }
}

fn pin_not_wanted(stage: &Stage) -> ApiError {
    match stage {
        Stage::Sim(SimState::PukNeeded { .. }) => {
            ApiError::new(ErrorCode::PukNeeded, "the SIM is blocked; enter its PUK in a telephone")
        }
        Stage::Sim(SimState::Absent) => ApiError::new(ErrorCode::Conflict, "there is no SIM in this modem"),
        _ => ApiError::new(ErrorCode::Conflict, "this SIM does not ask for a PIN now"),
    }
}

/// `POST /api/lines/{id}/ussd`.
pub(super) async fn send_ussd(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Json(request): Json<api::UssdRequest>,
) -> Result<Json<api::UssdAnswer>, ApiError> {
    let code = request.code.into_inner();
    if !code.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#') {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "a code is made of digits, * and #, such as *100#"));
    }
    ussd(&app, &id, code).await
}

/// `POST /api/lines/{id}/ussd/reply`.
pub(super) async fn reply_ussd(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Json(reply): Json<api::UssdReply>,
) -> Result<Json<api::UssdAnswer>, ApiError> {
    ussd(&app, &id, reply.text.into_inner()).await
}

async fn ussd(app: &App, id: &str, text: String) -> Result<Json<api::UssdAnswer>, ApiError> {
    let requests = usable_line(app, line_id(id)?)?;
    if text.is_empty() || text.len() > LONGEST_USSD || text.chars().any(char::is_control) {
        return Err(ApiError::new(ErrorCode::InvalidRequest, "write 1 to 182 characters"));
    }
    let reply = ask(&requests, USSD_DEADLINE, |reply| LineRequest::Ussd { text, reply }).await?;
    let answer = |text: String, expects_reply| api::UssdAnswer { success: true, text: text.into(), expects_reply };
    match reply {
        UssdReply::Done(text) => Ok(Json(answer(text, false))),
        UssdReply::ReplyWanted(text) => Ok(Json(answer(text, true))),
        UssdReply::Terminated(Some(text)) => Ok(Json(answer(text, false))),
        UssdReply::Terminated(None) => {
            Err(ApiError::new(ErrorCode::ModemSilent, "the request ended without an answer; try again in a minute"))
        }
        UssdReply::Refused(words) => Err(ApiError::new(ErrorCode::NetworkRefused, words)),
        UssdReply::TimedOut => {
            Err(ApiError::new(ErrorCode::ModemSilent, "the network did not answer; try again later"))
        }
    }
}

/// `DELETE /api/lines/{id}/ussd`.
pub(super) async fn cancel_ussd(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<api::Success>, ApiError> {
    let requests = usable_line(&app, line_id(&id)?)?;
    let sent = requests.try_send(LineRequest::Command(Command::UssdCancel));
    sent.map_err(|_| busy())?;
    Ok(Json(api::Success::YES))
}

/// The modem of a line that can do something now.
pub(super) fn usable_line(app: &App, line: LineId) -> Result<mpsc::Sender<LineRequest>, ApiError> {
    let no_modem = || ApiError::new(ErrorCode::NoModem, "the SIM of this line is in no modem; plug it in");
    let facts = app.registry.line(line).ok_or_else(no_modem)?;
    let requests = app.registry.line_requests(line).ok_or_else(no_modem)?;
    not_ready(&facts).map_or(Ok(requests), Err)
}

/// Why a line cannot work now, if it cannot.
pub(super) fn not_ready(facts: &ModemFacts) -> Option<ApiError> {
    let (code, message) = match &facts.stage {
        Stage::Ready if facts.is_usable() => return None,
        Stage::Ready => {
            (ErrorCode::NotRegistered, "the modem is not registered with a network; check antenna and contract")
        }
        Stage::Sim(SimState::PinNeeded { .. } | SimState::PinWrong { .. }) => {
            (ErrorCode::PinNeeded, "the SIM asks for its PIN; enter it first")
        }
        Stage::Sim(SimState::PukNeeded { .. }) => {
            (ErrorCode::PukNeeded, "the SIM is blocked; enter its PUK in a telephone")
        }
        Stage::Sim(SimState::Absent) => (ErrorCode::NoModem, "there is no SIM in the modem"),
        Stage::Sim(SimState::Ready | SimState::Faulty(_)) | Stage::Starting | Stage::Failed(_) => {
            (ErrorCode::Unavailable, "the modem is not ready yet; try again in a minute")
        }
    };
    Some(ApiError::new(code, message))
}

async fn ask<T>(
    requests: &mpsc::Sender<LineRequest>,
    deadline: Duration,
    request: impl FnOnce(oneshot::Sender<T>) -> LineRequest,
) -> Result<T, ApiError> {
    let (reply, answer) = oneshot::channel();
    requests.try_send(request(reply)).map_err(|_| busy())?;
    let started = clock::now();
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(ApiError::new(ErrorCode::Conflict, "the modem is busy with another request, or was pulled")),
        Err(_) => {
            let waited = clock::now().saturating_duration_since(started).as_secs();
            Err(ApiError::new(ErrorCode::ModemSilent, format!("the modem did not answer for {waited} s")))
        }
    }
}

fn busy() -> ApiError {
    ApiError {
        retry_after: Some(5),
        ..ApiError::new(ErrorCode::Unavailable, "the modem has too much to do; try again soon")
    }
}
