//! What a SIP phone is told so that it calls and rings.

use super::html::{self, Html};
use super::{Page, Refusal, failure, signed_in};
use crate::app::App;
use crate::http::phones;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use std::sync::Arc;

/// `GET /phones`.
pub(super) async fn phones_page(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    method: Method,
) -> Result<Html, Refusal> {
    signed_in(&app, &headers, &method).await?;
    let page = Page::new(&app);
    let words = page.words;
    let extensions = phones::extensions(&app, &headers).await.map_err(|error| failure(&page, &error))?;
    let phones: Vec<_> = extensions.into_iter().filter(|extension| !extension.webrtc).collect();
    let explanation = if phones.is_empty() { words.no_phone } else { words.phones_explained };
    let body = html::paragraph(explanation).each(&phones, |phone| {
        html::heading(&phone.display_name).put(html::facts(&[
            (words.sip_server, format!("{}:{}", phone.domain, phone.port)),
            (words.sip_user, phone.extension.clone()),
            (words.password, phone.password.as_str().to_owned()),
        ]))
    });
    Ok(page.show(words.phones, body.put(html::link("/", words.back))))
}
