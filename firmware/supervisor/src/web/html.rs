//! HTML that cannot be broken by what stands in it.

use super::words::Words;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::fmt::{Display, Write};
use std::sync::LazyLock;

/// A piece of a page. Text enters it by [`text`](Self::text) alone, which escapes it; tags are parts of the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Html(String);

impl Html {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds tags.
    pub(super) fn raw(mut self, tags: &'static str) -> Self {
        self.0.push_str(tags);
        self
    }

    /// Adds text, also inside a quoted attribute.
    pub(super) fn text(mut self, text: impl Display) -> Self {
        for letter in text.to_string().chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // They would turn the direction of what follows, and nobody can see why.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
                letter => self.0.push(letter),
            }
        }
        self
    }

    /// Adds another piece.
    #[expect(clippy::needless_pass_by_value, reason = "pieces are made where they are put")]
    pub(super) fn put(mut self, piece: Self) -> Self {
        self.0.push_str(&piece.0);
        self
    }

    /// Adds one piece per item.
    pub(super) fn each<T>(self, items: impl IntoIterator<Item = T>, piece: impl Fn(T) -> Self) -> Self {
        items.into_iter().fold(self, |html, item| html.put(piece(item)))
    }

    #[cfg(test)]
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        ([(header::CONTENT_TYPE, kind)], self.0).into_response()
    }
}

/// Colours have a contrast of at least 4.5 to 1 in light and in dark (WCAG 2.2 §1.4.3).
const STYLE: &str = include_str!("style.css");

/// The style as the security policy names it.
pub(super) static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()))));

/// A whole page; `refresh` loads it again after so many seconds.
pub(super) fn page(words: &Words, box_name: &str, title: &str, refresh: Option<u8>, body: Html) -> Html {
    let mut html = Html::new()
        .raw("<!doctype html>\n<html lang=\"")
        .text(words.tag)
        .raw("\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>")
        .text(title)
        .raw(" – ")
        .text(box_name)
        .raw("</title><style>")
        .raw(STYLE)
        .raw("</style>");
    if let Some(seconds) = refresh {
        html = html.raw("<meta http-equiv=\"refresh\" content=\"").text(seconds).raw("\">");
    }
    html.raw("</head><body><header>")
        .text(box_name)
        .raw("</header><main><h1>")
        .text(title)
        .raw("</h1>\n")
        .put(body)
        .raw("</main></body></html>\n")
}

/// A paragraph.
pub(super) fn paragraph(text: impl Display) -> Html {
    Html::new().raw("<p>").text(text).raw("</p>\n")
}

/// Something that went wrong, read aloud at once.
pub(super) fn notice(text: impl Display) -> Html {
    Html::new().raw("<p class=\"wrong\" role=\"alert\">").text(text).raw("</p>\n")
}

/// A heading of a part.
pub(super) fn heading(text: impl Display) -> Html {
    Html::new().raw("<h2>").text(text).raw("</h2>\n")
}

/// A link.
pub(super) fn link(path: &'static str, text: &str) -> Html {
    Html::new().raw("<p><a href=\"").raw(path).raw("\">").text(text).raw("</a></p>\n")
}

/// A form that is sent to `path`.
pub(super) fn form(path: &'static str, fields: Html, button: &str) -> Html {
    Html::new()
        .raw("<form method=\"post\" action=\"")
        .raw(path)
        .raw("\">")
        .put(fields)
        .raw("<button>")
        .text(button)
        .raw("</button></form>\n")
}

/// A file to be changed, by its name, and what tells whether it is still the same.
pub(super) fn text_area(name: &'static str, stamp: &str, text: &str) -> Html {
    Html::new()
        .raw("<input type=\"hidden\" name=\"before\" value=\"")
        .text(stamp)
        .raw("\"><label>")
        .raw(name)
        // The first line break is not part of the text.
        .raw("<textarea name=\"text\" rows=\"16\" spellcheck=\"false\" autocapitalize=\"none\" lang=\"en\">\n")
        .text(text)
        .raw("</textarea></label>\n")
}

/// A field with its label and what helps to fill it.
pub(super) struct Field<'a> {
    /// The name in the form; also the id, so it is there once per page.
    pub(super) name: &'static str,
    /// What the label says.
    pub(super) label: &'a str,
    /// What stands in it.
    pub(super) value: &'a str,
    /// Attributes of the input.
    pub(super) attributes: &'static str,
    /// What helps.
    pub(super) hint: &'a str,
}

/// A field.
pub(super) fn field(field: &Field<'_>) -> Html {
    let Field { name, label, value, attributes, hint } = field;
    let mut html = Html::new()
        .raw("<label for=\"")
        .raw(name)
        .raw("\">")
        .text(label)
        .raw("</label><input required id=\"")
        .raw(name)
        .raw("\" name=\"")
        .raw(name)
        .raw("\" ")
        .raw(attributes)
        .raw(" value=\"")
        .text(value)
        .raw("\"");
    if !hint.is_empty() {
        html = html.raw(" aria-describedby=\"").raw(name).raw("-hint\"");
    }
    html = html.raw(">");
    if !hint.is_empty() {
        html = html.raw("<p class=\"hint\" id=\"").raw(name).raw("-hint\">").text(hint).raw("</p>");
    }
    html.raw("\n")
}

/// A value that the form carries along.
pub(super) fn hidden(name: &'static str, value: &str) -> Html {
    Html::new().raw("<input type=\"hidden\" name=\"").raw(name).raw("\" value=\"").text(value).raw("\">")
}

/// Facts with their names.
pub(super) fn facts(rows: &[(&str, String)]) -> Html {
    Html::new()
        .raw("<dl>")
        .each(rows, |(name, value)| Html::new().raw("<dt>").text(name).raw("</dt><dd>").text(value).raw("</dd>"))
        .raw("</dl>\n")
}

/// Bars of 0 to 5, as telephones show them.
pub(super) fn bars(count: u8) -> String {
    (0..5).fold(String::new(), |mut bars, bar| {
        // Writing to a string cannot fail.
        write!(bars, "{}", if bar < count { '▮' } else { '▯' }).unwrap_or_default();
        bars
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_tag_or_leaves_its_attribute() {
        for hostile in ["<script>alert(1)</script>", "\" autofocus onfocus=\"x", "' onload='x", "&lt;b&gt;", "</title>"]
        {
            let html = Html::new().raw("<p title=\"").text(hostile).raw("\">").text(hostile).raw("</p>");
            let inside =
                html.as_str().trim_start_matches("<p title=\"").trim_end_matches("</p>").replacen("\">", "", 1);
            assert!(!inside.contains(['<', '>', '"', '\'']), "{inside}");
        }
        assert_eq!(Html::new().text("a\u{202e}b").as_str(), "ab");
        assert_eq!(bars(3), "▮▮▮▯▯");
    }

    #[test]
    fn every_field_has_a_label_of_its_own() {
        let html =
            field(&Field { name: "pin", label: "PIN", value: "", attributes: "type=\"password\"", hint: "4 digits" });
        for part in ["<label for=\"pin\">PIN</label>", "id=\"pin\"", "aria-describedby=\"pin-hint\"", "id=\"pin-hint\""]
        {
            assert!(html.as_str().contains(part), "{part}: {}", html.as_str());
        }
    }
}
