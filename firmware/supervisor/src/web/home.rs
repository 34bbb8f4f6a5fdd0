//! How the box is, for its owner.

use super::html::{self, Html};
use super::sim_page::modem_section;
use super::steps::{Step, find};
use super::words::Words;
use super::{Page, Refusal, failure, signed_in};
use crate::app::App;
use crate::clock;
use crate::http::{ApiError, status};
use api::HealthItem;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use std::sync::Arc;
use store::Chat;

/// Conversations on the page.
const RECENT: u32 = 10;
/// The beginning of a message that is shown, in characters.
const PREVIEW: usize = 160;

/// `GET /`.
pub(super) async fn home(State(app): State<Arc<App>>, headers: HeaderMap, method: Method) -> Result<Html, Refusal> {
    let user = signed_in(&app, &headers, &method).await?;
    let page = Page::new(&app);
    let words = page.words;
    if find(&app).await.map_err(|error| failure(&page, &error))? != Step::Done {
        return Err(Refusal::Elsewhere("/setup"));
    }
    let chats = app.store.list_chats(RECENT, 0).await;
    let chats = chats.map_err(|error| failure(&page, &ApiError::internal("listing chats", &error)))?;
    let health = status::examine(&app).await;
    let modems = app.registry.snapshot();

    let mut body = html::heading(words.lines);
    body = match modems.is_empty() {
        true => body.put(html::paragraph(words.no_modem)),
        false => body.each(&modems, |facts| modem_section(words, facts)),
    };
    body = body.put(html::heading(words.messages));
    body = match chats.is_empty() {
        true => body.put(html::paragraph(words.no_message)),
        false => body.raw("<ul>").each(&chats, |chat| conversation(words, chat)).raw("</ul>\n"),
    };
    body = body.put(html::heading(words.health)).raw("<ul>").each(&health.items, |item| light(words, item));
    body = body.raw("</ul>\n").put(html::paragraph(words.apps_explained));
    if app.certificates.is_some() {
        body = body.put(html::link("/authority.crt", words.trust));
    }
    body = body.put(html::paragraph((words.signed_in_as)(&user.username)));
    body = body.put(html::form("/logout", Html::new(), words.sign_out)).put(html::link("/phones", words.phones));
    body = body.put(html::link("/settings", words.settings)).put(html::link("/reset", words.reset));
    Ok(page.show(words.home_title, body))
}

fn conversation(words: &Words, chat: &Chat) -> Html {
    let who = chat.name.clone().unwrap_or_else(|| chat.remote.to_string());
    let seconds = clock::unix_ms().saturating_sub(chat.last_at_ms).max(0) / 1000;
    let beginning: String = chat.last_message.chars().take(PREVIEW).collect();
    Html::new()
        .raw("<li><strong>")
        .text(who)
        .raw("</strong> <span class=\"hint\">")
        .text(words.ago(u64::try_from(seconds).unwrap_or_default()))
        .raw("</span><br>")
        .text(beginning)
        .raw("</li>\n")
}

fn light(words: &Words, item: &HealthItem) -> Html {
    let age = item.age_seconds.map_or_else(|| words.never.to_owned(), |seconds| words.ago(seconds));
    Html::new()
        .raw("<li><strong>")
        .text(words.light(item.status))
        .raw("</strong> ")
        .text(&item.name)
        .raw(" — <span lang=\"en\">")
        .text(&item.proof)
        .raw("</span> <span class=\"hint\">(")
        .text(age)
        .raw(")</span></li>\n")
}
