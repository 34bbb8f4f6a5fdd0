//! The modems that were found, their PINs, and a first SMS.

use super::html::{self, Field, Html};
use super::steps::{Step, advance};
use super::words::Words;
use super::{Page, Refusal, at_step, failure};
use crate::app::App;
use crate::http::{ApiError, chats, lines};
use crate::registry::ModemFacts;
use crate::views;
use api::{LineState, ModemState};
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Redirect;
use serde::Deserialize;
use std::sync::Arc;
use switchboard::outbox::MessageStatus;
use telecom::{MessageId, PhoneNumber};

/// Seconds after which a page with something unfinished on it looks again.
const LOOK_AGAIN: u8 = 5;

/// `GET /setup/lines`.
pub(super) async fn lines_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
) -> Result<Html, Refusal> {
    at_step(&app, &headers, &method, Step::Lines).await?;
    Ok(show_lines(&app, None))
}

fn show_lines(app: &App, wrong: Option<&str>) -> Html {
    let mut page = Page::new(app);
    let words = page.words;
    let modems = app.registry.snapshot();
    let wants_pin = modems.iter().any(|facts| views::modem(facts).state == ModemState::PinNeeded);
    let is_settled = !modems.is_empty() && modems.iter().all(|facts| views::modem(facts).state == ModemState::Ready);
    // A page with a form is not taken away under the hands of who fills it.
    page.refresh = (!wants_pin && !is_settled && wrong.is_none()).then_some(LOOK_AGAIN);
    let mut body = wrong.map_or_else(Html::new, html::notice);
    body = match modems.is_empty() {
        true => body.put(html::paragraph(words.no_modem)),
        false => body.each(&modems, |facts| modem_section(words, facts)),
    };
    body = body.put(html::link("/setup/lines", words.look_again));
    body = body.put(html::form("/setup/lines", Html::new(), words.next));
    page.show(words.lines_title, body)
}

/// What is known of one modem, and the form for its PIN when it asks.
pub(super) fn modem_section(words: &Words, facts: &ModemFacts) -> Html {
    let modem = views::modem(facts);
    let unknown = || words.unknown.to_owned();
    let signal = facts.signal.as_ref().map(|signal| signal.value.bars());
    let rows = [
        (words.state, words.modem_state(modem.state).to_owned()),
        (words.operator, facts.operator.as_ref().map_or_else(unknown, |operator| operator.value.clone())),
        (words.number, facts.number.as_ref().map_or_else(unknown, ToString::to_string)),
        (
            words.signal,
            signal.map_or_else(unknown, |count| format!("{} {}", html::bars(count), words.signal_word(count))),
        ),
    ];
    let mut section = Html::new().raw("<section>").put(html::heading(&modem.name)).put(html::facts(&rows));
    if modem.state == ModemState::PinNeeded {
        section = section.put(pin_form(words, &modem));
    }
    section.raw("</section>\n")
}

fn pin_form(words: &Words, modem: &api::Modem) -> Html {
    if modem.pin_tries_left == Some(1) {
        return html::paragraph(words.last_try);
    }
    let tries = modem.pin_tries_left.map_or_else(String::new, words.tries_left);
    // Several modems can ask at once: the label holds the field, so that no id is there twice.
    let fields = html::hidden("modem", &modem.id)
        .raw("<label>")
        .text(words.pin)
        .raw(" <span class=\"hint\">")
        .text(tries)
        .raw("</span><input required name=\"pin\" type=\"password\" inputmode=\"numeric\" pattern=\"[0-9]{4,8}\" maxlength=\"8\" autocomplete=\"off\"></label>");
    html::form("/setup/pin", fields, words.enter_pin)
}

/// The form of `/setup/pin`.
#[derive(Deserialize)]
pub(super) struct Pin {
    modem: String,
    pin: String,
}

/// `POST /setup/pin`.
pub(super) async fn enter_pin(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
    Form(form): Form<Pin>,
) -> Result<Redirect, Refusal> {
    at_step(&app, &headers, &method, Step::Lines).await?;
    match lines::unlock(&app, &form.modem, form.pin).await {
        Ok(()) => Ok(Redirect::to("/setup/lines")),
        Err(error) => {
            let words = Page::new(&app).words;
            let wrong = match error.code {
                api::ErrorCode::InvalidRequest => words.pin_form,
                code => words.explain(code),
            };
            Err(Refusal::Page(StatusCode::UNPROCESSABLE_ENTITY, show_lines(&app, Some(wrong))))
        }
    }
}

/// `POST /setup/lines`.
pub(super) async fn lines_done(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
) -> Result<Redirect, Refusal> {
    at_step(&app, &headers, &method, Step::Lines).await?;
    advance(&app, Step::Test).await.map_err(|error| failure(&Page::new(&app), &error))?;
    Ok(Redirect::to("/setup/test"))
}

/// Which message is looked at.
#[derive(Deserialize)]
pub(super) struct Sent {
    message: Option<i64>,
}

/// `GET /setup/test`.
pub(super) async fn test_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
    Query(sent): Query<Sent>,
) -> Result<Html, Refusal> {
    at_step(&app, &headers, &method, Step::Test).await?;
    let Some(message) = sent.message else { return show_test(&app, "", None).await };
    let mut page = Page::new(&app);
    let words = page.words;
    let Ok(message) = app.store.find_message(MessageId(message)).await else {
        return Err(Refusal::Elsewhere("/setup/test"));
    };
    let is_under_way = matches!(message.status, MessageStatus::Queued | MessageStatus::Sending);
    page.refresh = is_under_way.then_some(2);
    let mut body = Html::new().raw("<div role=\"status\">").put(html::paragraph(words.message_status(message.status)));
    body = body.raw("</div>").put(html::link("/setup/test", words.send_another));
    body = body.put(html::form("/setup/finish", Html::new(), words.finish));
    Ok(page.show(words.test_title, body))
}

async fn show_test(app: &App, to: &str, wrong: Option<&str>) -> Result<Html, Refusal> {
    let page = Page::new(app);
    let words = page.words;
    let stored = app.store.list_lines().await;
    let stored = stored.map_err(|error| failure(&page, &ApiError::internal("listing lines", &error)))?;
    let is_ready = |line: &&store::Line| {
        app.registry.line(line.id).is_some_and(|facts| views::line_state(&facts) == LineState::Ready)
    };
    let ready: Vec<_> = stored.iter().filter(is_ready).collect();
    let mut body = wrong.map_or_else(Html::new, html::notice);
    if ready.is_empty() {
        body = body.put(html::paragraph(words.no_line_ready)).put(html::link("/setup/lines", words.back));
    } else {
        let options =
            Html::new().raw("<label for=\"line\">").text(words.line).raw("</label><select id=\"line\" name=\"line\">");
        let options = options.each(ready, |line| {
            let number = line.number.as_ref().map_or_else(String::new, |number| format!(" ({number})"));
            let html = Html::new().raw("<option value=\"").text(line.id).raw("\">");
            html.text(format!("{}{number}", line.name)).raw("</option>")
        });
        let attributes = "type=\"tel\" autocomplete=\"tel\" maxlength=\"24\"";
        let number = Field { name: "to", label: words.your_phone, value: to, attributes, hint: words.your_phone_hint };
        let fields = options.raw("</select>").put(html::field(&number));
        body = body.put(html::paragraph(words.test_explained)).put(html::form("/setup/test", fields, words.send));
    }
    body = body.put(html::form("/setup/finish", Html::new(), words.finish_without));
    Ok(page.show(words.test_title, body))
}

/// The form of `/setup/test`.
#[derive(Deserialize)]
pub(super) struct Test {
    line: String,
    to: String,
}

/// `POST /setup/test`.
pub(super) async fn send_test(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
    Form(form): Form<Test>,
) -> Result<Redirect, Refusal> {
    at_step(&app, &headers, &method, Step::Test).await?;
    let words = Page::new(&app).words;
    match send(&app, &form).await {
        Ok(message) => Ok(Redirect::to(&format!("/setup/test?message={message}"))),
        Err(error) => {
            let shown = show_test(&app, &form.to, Some(words.explain(error.code))).await?;
            Err(Refusal::Page(StatusCode::UNPROCESSABLE_ENTITY, shown))
        }
    }
}

async fn send(app: &App, form: &Test) -> Result<String, ApiError> {
    let to = form.to.split([' ', '.', '-']).collect::<String>().parse::<PhoneNumber>();
    let to = to.map_err(|error| ApiError::new(api::ErrorCode::InvalidNumber, error.to_string()))?;
    let line = app.choose_line(Some(&form.line)).await?;
    let text = Page::new(app).words.test_text;
    Ok(chats::send(app, line, to, text.into(), None).await?.message_id)
}
