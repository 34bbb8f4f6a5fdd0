//! The owner's files as text, for what no form asks: a fixed address, phones, modems that no table knows.

use super::html::{self, Html};
use super::{Page, Refusal, failure, signed_in};
use crate::app::App;
use crate::http::ApiError;
use crate::tls::local_addresses;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Redirect;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use modem::identify::ModelTable;
use serde::Deserialize;
use settings::Settings;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A form with one of the files; its text is longer on the way, where most signs take three octets.
pub(super) const LARGEST_FORM: usize = 256 * 1024;
/// In octets, many times what the shipped files have.
const LARGEST_FILE: usize = 64 * 1024;

/// The form with one file.
#[derive(Deserialize)]
pub(super) struct Text {
    /// The [`stamp`] of what the form showed.
    before: String,
    text: String,
}

/// `GET /settings`.
pub(super) async fn settings_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
) -> Result<Html, Refusal> {
    signed_in(&app, &headers, &method).await?;
    let page = Page::new(&app);
    let read = || Ok((Shown::read(&app.settings_file)?, Shown::read(&models_file(&app))?));
    let (settings, models) = read().map_err(|error| failed(&page, "reading the owner's files", &error))?;
    Ok(show(&page, &settings, &models, None))
}

/// `POST /settings`.
pub(super) async fn change_settings(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
    Form(form): Form<Text>,
) -> Result<Redirect, Refusal> {
    signed_in(&app, &headers, &method).await?;
    let page = Page::new(&app);
    let checked = check_settings(&app, &page, &form.text);
    change(&page, app.settings_file.clone(), form, checked, |settings| Ok((settings, Shown::read(&models_file(&app))?)))
        .await
}

/// `POST /settings/modems`.
pub(super) async fn change_models(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
    Form(form): Form<Text>,
) -> Result<Redirect, Refusal> {
    signed_in(&app, &headers, &method).await?;
    let page = Page::new(&app);
    let checked = check_models(&page, &form.text);
    change(&page, models_file(&app), form, checked, |models| Ok((Shown::read(&app.settings_file)?, models))).await
}

/// Keeps the text of a form, or shows it again with what is wrong; `beside` adds the other file of the page.
async fn change(
    page: &Page,
    file: PathBuf,
    form: Text,
    checked: Result<(), String>,
    beside: impl FnOnce(Shown) -> io::Result<(Shown, Shown)>,
) -> Result<Redirect, Refusal> {
    let shown = Shown { text: form.text, stamp: form.before };
    let wrong = match checked {
        Err(wrong) => wrong,
        Ok(()) => {
            match replace(file, &shown).await.map_err(|error| failed(page, "writing the owner's file", &error))? {
                true => return Ok(Redirect::to("/settings")),
                false => page.words.changed_since.to_owned(),
            }
        }
    };
    let both = beside(shown).map_err(|error| failed(page, "reading the owner's files", &error))?;
    Err(Refusal::Page(StatusCode::UNPROCESSABLE_ENTITY, show(page, &both.0, &both.1, Some(&wrong))))
}

/// A file in its form.
struct Shown {
    text: String,
    stamp: String,
}

impl Shown {
    fn read(file: &Path) -> io::Result<Self> {
        let text = read(file)?;
        Ok(Self { stamp: stamp(&text), text })
    }
}

/// Tells one text from another.
fn stamp(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()))
}

fn models_file(app: &App) -> PathBuf {
    app.settings_file.with_file_name("modems.toml")
}

fn show(page: &Page, settings: &Shown, models: &Shown, wrong: Option<&str>) -> Html {
    let words = page.words;
    let body = wrong
        .map_or_else(Html::new, html::notice)
        .put(html::paragraph(words.settings_explained))
        .put(html::form("/settings", html::text_area("settings.toml", &settings.stamp, &settings.text), words.save))
        .put(html::heading(words.known_modems))
        .put(html::paragraph(words.known_modems_explained))
        .put(html::form("/settings/modems", html::text_area("modems.toml", &models.stamp, &models.text), words.save))
        .put(html::link("/", words.back));
    page.show(words.settings, body)
}

fn check_models(page: &Page, text: &str) -> Result<(), String> {
    check_length(page, text)?;
    ModelTable::parse(text).map(drop).map_err(|error| in_words(&error))
}

fn check_settings(app: &App, page: &Page, text: &str) -> Result<(), String> {
    check_length(page, text)?;
    let settings = Settings::parse(text).map_err(|error| in_words(&error))?;
    let now = Arc::clone(&app.settings.borrow());
    if (&settings.http, &settings.https) != (&now.http, &now.https) {
        return Err(page.words.doors_stay.to_owned());
    }
    match settings.network.filter(|network| now.network.as_ref() != Some(network)) {
        Some(network) if !is_near(local_addresses(), |own| network.address.is_neighbour(own)) => {
            Err(page.words.far_address.to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a box with these addresses stays where its household can reach it; where nobody gave it one, any will do.
fn is_near(addresses: impl IntoIterator<Item = Ipv4Addr>, is_neighbour: impl Fn(Ipv4Addr) -> bool) -> bool {
    let mut given = addresses.into_iter().filter(|address| !address.is_link_local()).peekable();
    given.peek().is_none() || given.any(is_neighbour)
}

fn check_length(page: &Page, text: &str) -> Result<(), String> {
    if text.len() > LARGEST_FILE { Err(page.words.too_long.to_owned()) } else { Ok(()) }
}

fn in_words(error: &dyn std::error::Error) -> String {
    crate::chain::Chain(error).to_string()
}

/// Browsers end the lines of a form with CR LF.
fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

fn read(file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read,
    }
}

/// Puts a text in the place of an owner's file while that still is what the form began with, and says whether it was:
/// an older page must not undo what was saved since.
async fn replace(file: PathBuf, shown: &Shown) -> io::Result<bool> {
    let (text, before) = (unix_lines(&shown.text), shown.stamp.clone());
    let change = move || {
        let _alone = alone();
        let is_still = stamp(&read(&file)?) == before;
        if is_still {
            write_alone(&file, &text)?;
        }
        Ok(is_still)
    };
    // Away from the tasks that answer.
    tokio::task::spawn_blocking(change).await.map_err(io::Error::other)?
}

/// Puts `text` in the place of an owner's file, whole or not at all.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    let _alone = alone();
    write_alone(file, text)
}

/// One at a time: the text that is not yet in its place has one name.
fn alone() -> MutexGuard<'static, ()> {
    static WRITING: Mutex<()> = Mutex::new(());
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_alone(file: &Path, text: &str) -> io::Result<()> {
    let temporary = file.with_extension("page");
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&temporary, file)
}

fn failed(page: &Page, doing: &'static str, error: &io::Error) -> Refusal {
    failure(page, &ApiError::internal(doing, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_stays_in_the_network_in_which_it_is() {
        let at_home = |own: Ipv4Addr| own.octets()[..3] == [192, 168, 1];
        let table: [(&[[u8; 4]], bool); 4] = [
            (&[[192, 168, 1, 7]], true),
            (&[[169, 254, 3, 4], [10, 0, 0, 2]], false),
            (&[[169, 254, 3, 4]], true),
            (&[], true),
        ];
        for (own, want) in table {
            assert_eq!(is_near(own.iter().copied().map(Ipv4Addr::from), at_home), want, "{own:?}");
        }
    }
}
