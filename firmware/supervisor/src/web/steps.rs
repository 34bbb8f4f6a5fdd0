//! The steps of the set-up. Where the owner is in it is kept, so that an interrupted set-up goes on.

use super::html::{self, Field, Html};
use super::words::{LANGUAGES, Words};
use super::{Page, Refusal, at_step, failure, files};
use crate::app::App;
use crate::http::setup::{OwnerError, make_owner as make_first_user};
use crate::http::{ApiError, session};
use crate::tls::host_label;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use settings::{Language, Name};
use std::fs;
use std::sync::Arc;

const KEY: &str = "setup.step";

/// A step, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Language,
    Owner,
    Name,
    Lines,
    Test,
    Done,
}

const STEPS: &[(Step, &str, &str)] = &[
    (Step::Language, "language", "/setup/language"),
    (Step::Owner, "owner", "/setup/owner"),
    (Step::Name, "name", "/setup/name"),
    (Step::Lines, "lines", "/setup/lines"),
    (Step::Test, "test", "/setup/test"),
    (Step::Done, "done", "/"),
];

impl Step {
    /// Where its page is.
    pub(super) fn path(self) -> &'static str {
        STEPS.iter().find(|(step, _, _)| *step == self).map_or("/", |(_, _, path)| path)
    }

    fn word(self) -> &'static str {
        STEPS.iter().find(|(step, _, _)| *step == self).map_or("done", |(_, word, _)| word)
    }
}

/// The step that comes next.
///
/// # Errors
/// When the database fails.
pub(super) async fn find(app: &App) -> Result<Step, ApiError> {
    let kept = app.store.find_setting(KEY.to_owned()).await;
    let kept = kept.map_err(|error| ApiError::internal("asking for the set-up", &error))?;
    let kept = STEPS.iter().find(|(_, word, _)| Some(*word) == kept.as_deref()).map_or(Step::Language, |row| row.0);
    // An owner can also be made by the command line, or the power can go between owner and note.
    Ok(if app.has_owner().await? { kept.max(Step::Name) } else { kept.min(Step::Owner) })
}

/// Notes that everything before `step` is done; an earlier step than the one noted changes nothing.
pub(super) async fn advance(app: &App, step: Step) -> Result<(), ApiError> {
    if find(app).await? >= step {
        return Ok(());
    }
    let noted = app.store.set_setting(KEY.to_owned(), step.word().to_owned()).await;
    noted.map_err(|error| ApiError::internal("noting the set-up", &error))
}

/// `GET /setup`.
pub(super) async fn current(State(app): State<Arc<App>>) -> Response {
    match find(&app).await {
        Ok(step) => Redirect::to(step.path()).into_response(),
        Err(error) => failure(&Page::new(&app), &error).into_response(),
    }
}

/// Nobody but a stranger is there before the owner.
async fn before_owner(app: &App, page: &Page) -> Result<Step, Refusal> {
    match find(app).await {
        Ok(step) if step <= Step::Owner => Ok(step),
        Ok(step) => Err(Refusal::Elsewhere(step.path())),
        Err(error) => Err(failure(page, &error)),
    }
}

/// `GET /setup/language`.
pub(super) async fn language_page(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Html, Refusal> {
    let mut page = Page::new(&app);
    if before_owner(&app, &page).await? == Step::Language {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        page.words = Words::wanted(wanted.unwrap_or_default());
    }
    let chosen = page.words.tag;
    let choices = Html::new().raw("<fieldset class=\"choices\"><legend>").text(page.words.language).raw("</legend>");
    let choices = choices.each(LANGUAGES, |words| {
        let checked = if words.tag == chosen { " checked" } else { "" };
        Html::new()
            .raw("<label lang=\"")
            .text(words.tag)
            .raw("\"><input type=\"radio\" name=\"language\" value=\"")
            .text(words.tag)
            .raw("\"")
            .raw(checked)
            .raw(">")
            .text(words.own_name)
            .raw("</label>")
    });
    let body = html::paragraph(page.words.welcome).put(html::form(
        "/setup/language",
        choices.raw("</fieldset>"),
        page.words.next,
    ));
    Ok(page.show(page.words.welcome_title, body))
}

/// The form of `/setup/language`.
#[derive(Deserialize)]
pub(super) struct LanguageChoice {
    language: String,
}

/// `POST /setup/language`.
pub(super) async fn choose_language(
    State(app): State<Arc<App>>,
    Form(choice): Form<LanguageChoice>,
) -> Result<Redirect, Refusal> {
    let page = Page::new(&app);
    before_owner(&app, &page).await?;
    let known = LANGUAGES.iter().any(|words| words.tag == choice.language);
    if let (true, Ok(language)) = (known, choice.language.parse::<Language>()) {
        let name = app.settings.borrow().the_box.name.clone();
        change_box(&app, &name, &language).map_err(|error| failure(&page, &error))?;
    }
    advance(&app, Step::Owner).await.map_err(|error| failure(&page, &error))?;
    Ok(Redirect::to("/setup"))
}

/// `GET /setup/owner`.
pub(super) async fn owner_page(State(app): State<Arc<App>>) -> Result<Html, Refusal> {
    let page = Page::new(&app);
    match before_owner(&app, &page).await? {
        Step::Owner => Ok(show_owner(&page, "", None)),
        step => Err(Refusal::Elsewhere(step.path())),
    }
}

fn show_owner(page: &Page, username: &str, wrong: Option<&str>) -> Html {
    let words = page.words;
    let attributes = "autocomplete=\"username\" maxlength=\"64\" autocapitalize=\"none\"";
    let secret = "type=\"password\" autocomplete=\"new-password\" minlength=\"8\" maxlength=\"256\"";
    let mut fields =
        html::field(&Field { name: "username", label: words.your_name, value: username, attributes, hint: "" });
    for (name, label, hint) in [("password", words.password, words.password_hint), ("again", words.password_again, "")]
    {
        fields = fields.put(html::field(&Field { name, label, value: "", attributes: secret, hint }));
    }
    let body = wrong.map_or_else(Html::new, html::notice).put(html::paragraph(words.owner_explained)).put(html::form(
        "/setup/owner",
        fields,
        words.next,
    ));
    page.show(words.owner, body)
}

/// The form of `/setup/owner`.
#[derive(Deserialize)]
pub(super) struct NewOwner {
    username: String,
    password: String,
    again: String,
}

/// `POST /setup/owner`.
pub(super) async fn make_owner(State(app): State<Arc<App>>, Form(owner): Form<NewOwner>) -> Result<Response, Refusal> {
    let page = Page::new(&app);
    before_owner(&app, &page).await?;
    let words = page.words;
    let refuse = |wrong: &str| {
        Err(Refusal::Page(StatusCode::UNPROCESSABLE_ENTITY, show_owner(&page, &owner.username, Some(wrong))))
    };
    if owner.password != owner.again {
        return refuse(words.passwords_differ);
    }
    match make_first_user(&app, &owner.username, owner.password.clone()).await {
        Ok(user) => {
            advance(&app, Step::Name).await.map_err(|error| failure(&page, &error))?;
            let begun = session::begin(&app, &user).await;
            let (_, cookie) = begun.map_err(|error| failure(&page, &error))?;
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/setup")).into_response())
        }
        Err(OwnerError::Name) => refuse(words.bad_name),
        Err(OwnerError::Password(weakness)) => refuse(words.weak(weakness)),
        Err(OwnerError::Exists) => Err(Refusal::Elsewhere("/login")),
        Err(OwnerError::Box(error)) => Err(failure(&page, &error)),
    }
}

/// `GET /setup/name`.
pub(super) async fn name_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
) -> Result<Html, Refusal> {
    at_step(&app, &headers, &method, Step::Name).await?;
    let page = Page::new(&app);
    Ok(show_name(&page, &page.box_name, None))
}

fn show_name(page: &Page, name: &str, wrong: Option<&str>) -> Html {
    let words = page.words;
    let hint = (words.name_hint)(&host_label(name));
    let attributes = "maxlength=\"64\" autocomplete=\"off\"";
    let fields = html::field(&Field { name: "name", label: words.box_name, value: name, attributes, hint: &hint });
    let body = wrong.map_or_else(Html::new, html::notice).put(html::form("/setup/name", fields, words.next));
    page.show(words.name_title, body)
}

/// The form of `/setup/name`.
#[derive(Deserialize)]
pub(super) struct BoxName {
    name: String,
}

/// `POST /setup/name`.
pub(super) async fn choose_name(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
    Form(form): Form<BoxName>,
) -> Result<Redirect, Refusal> {
    at_step(&app, &headers, &method, Step::Name).await?;
    let page = Page::new(&app);
    let Ok(name) = form.name.parse::<Name>() else {
        let shown = show_name(&page, &form.name, Some(page.words.bad_name));
        return Err(Refusal::Page(StatusCode::UNPROCESSABLE_ENTITY, shown));
    };
    let language = app.settings.borrow().the_box.language.clone();
    change_box(&app, &name, &language).map_err(|error| failure(&page, &error))?;
    advance(&app, Step::Lines).await.map_err(|error| failure(&page, &error))?;
    Ok(Redirect::to("/setup"))
}

/// `POST /setup/finish`.
pub(super) async fn finish(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
) -> Result<Redirect, Refusal> {
    at_step(&app, &headers, &method, Step::Lines).await?;
    advance(&app, Step::Done).await.map_err(|error| failure(&Page::new(&app), &error))?;
    Ok(Redirect::to("/"))
}

/// Writes name and language to the owner's settings. Whoever follows the settings knows them at once.
fn change_box(app: &App, name: &Name, language: &Language) -> Result<(), ApiError> {
    let read = fs::read_to_string(&app.settings_file);
    let text = read.map_err(|error| ApiError::internal("reading the settings", &error))?;
    let changed = settings::change_box(&text, name, language);
    let changed = changed.map_err(|error| ApiError::internal("changing the settings", &error))?;
    let written = files::write(&app.settings_file, &changed);
    written.map_err(|error| ApiError::internal("writing the settings", &error))?;
    app.settings.send_modify(|settings| {
        let settings = Arc::make_mut(settings);
        (settings.the_box.name, settings.the_box.language) = (name.clone(), language.clone());
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_page_and_a_word_of_its_own() {
        for (step, word, path) in STEPS {
            assert_eq!((step.word(), step.path()), (*word, *path));
        }
        assert!(STEPS.is_sorted_by_key(|row| row.0));
    }
}
