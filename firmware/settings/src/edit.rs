//! Changes of single settings in a text that its owner may have written by hand.

use crate::check::SettingsError;
use crate::document::Settings;
use crate::words::{Language, Name};

/// Returns the settings document `text` with another name and language of the box. Comments and order stay.
///
/// # Errors
/// When `text` is not a valid document.
pub fn change_box(text: &str, name: &Name, language: &Language) -> Result<String, SettingsError> {
    let mut wanted = Settings::parse(text)?;
    wanted.the_box.name = name.clone();
    wanted.the_box.language = language.clone();
    let edited = edit_table(text, "box", &[("name", name.as_str()), ("language", language.as_str())]);
    // A text in an unusual form, such as an inline table, is written anew.
    match Settings::parse(&edited) {
        Ok(settings) if settings == wanted => Ok(edited),
        Ok(_) | Err(_) => wanted.encode(),
    }
}

/// Replaces the lines of `keys` in the first table of that name.
fn edit_table(text: &str, table: &str, keys: &[(&str, &str)]) -> String {
    let header = format!("[{table}]");
    let mut is_inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let bare = line.trim();
        if bare.starts_with('[') {
            is_inside = bare == header;
        }
        let key = line.split_once('=').map(|(key, _)| key.trim());
        let change = keys.iter().find(|(name, _)| is_inside && key == Some(name));
        lines.push(change.map_or_else(
            || line.to_owned(),
            |(name, value)| format!("{name} = {}", toml::Value::String((*value).to_owned())),
        ));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../config/default.toml");

    #[test]
    fn comments_and_other_settings_stay_whatever_the_name_is() {
        let french = "fr".parse().unwrap();
        for name in ["Chez Zoé", "a \"quoted\" \\ name", "[http]", "# no comment", "listen = 1"] {
            let changed = change_box(SHIPPED, &name.parse().unwrap(), &french).unwrap();
            let mut settings = Settings::parse(&changed).unwrap();
            assert_eq!((settings.the_box.name.as_str(), settings.the_box.language.as_str()), (name, "fr"));
            assert_eq!(changed.lines().count(), SHIPPED.lines().count(), "{name}");
            assert!(changed.contains("# Where SIP phones of the household register."));
            settings.the_box = Settings::shipped().the_box;
            assert_eq!(settings, Settings::shipped());
        }
    }

    #[test]
    fn an_unusual_form_is_written_anew() {
        let inline = SHIPPED
            .replace("[box]\nname = \"HomeniChat\"\nlanguage = \"en\"\ncountry = \"FR\"\n", "")
            .replace("version = 1\n", "version = 1\nbox = { name = \"A\", language = \"en\", country = \"FR\" }\n");
        let changed = change_box(&inline, &"B".parse().unwrap(), &"fr".parse().unwrap()).unwrap();
        assert_eq!(Settings::parse(&changed).unwrap().the_box.name.as_str(), "B");
        assert!(change_box("version = 9", &"B".parse().unwrap(), &"fr".parse().unwrap()).is_err());
    }
}
