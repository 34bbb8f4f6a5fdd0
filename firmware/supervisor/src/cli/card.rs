//! The status card on a console.

use crate::card::{Card, file};
use crate::no_data;
use anyhow::{Context, Result};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::fmt::Write;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// How often a followed card is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Prints the card once.
pub(super) fn print(run_dir: &Path, no_data: &Path) -> Result<()> {
    print!("{}", draw(run_dir, no_data)?);
    Ok(())
}

/// Keeps the card on the screen, and draws it again when it changes.
pub(super) async fn follow(run_dir: &Path, no_data: &Path) -> Result<()> {
    let mut shown = String::new();
    loop {
        let card = draw(run_dir, no_data)?;
        if card != shown {
            // ECMA-48: the cursor to the upper left corner, and the screen empty.
            print!("\x1b[H\x1b[2J{card}");
            std::io::Write::flush(&mut std::io::stdout()).context("writing to the console")?;
            shown = card;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn draw(run_dir: &Path, no_data: &Path) -> Result<String> {
    let file = file(run_dir);
    match fs::read_to_string(&file) {
        Ok(text) => {
            let card = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
            render(&card)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(match fs::read_to_string(no_data) {
            Ok(reason) => format!("\n  HomeniChat cannot start: {}.\n\n  {}\n", plain(reason.trim()), no_data::REMEDY),
            Err(_) => "\n  HomeniChat is starting …\n".to_owned(),
        }),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

fn render(card: &Card) -> Result<String> {
    let mut text = format!("\n  {}\n\n  {}\n", plain(&card.name), plain(&card.headline));
    for address in &card.addresses {
        writeln!(text, "    {}", plain(address))?;
    }
    text.push('\n');
    if let Some(address) = card.addresses.first() {
        let code = QrCode::new(address.as_bytes()).context("drawing the code")?;
        // A console is dark: what is light in the code is what has to be drawn.
        let code = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
        code.lines().try_for_each(|line| writeln!(text, "  {line}"))?;
        text.push('\n');
    }
    if card.modems.is_empty() {
        writeln!(text, "  {}", plain(&card.no_modem))?;
    }
    for (name, state) in &card.modems {
        writeln!(text, "  {}: {}", plain(name), plain(state))?;
    }
    Ok(text)
}

/// A modem chooses its own name: it must not steer the console.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_says_where_to_go_and_steers_no_console() {
        let card = Card {
            name: "Shop".to_owned(),
            headline: "Open".to_owned(),
            addresses: vec!["https://192.168.1.7".to_owned(), "https://shop.local".to_owned()],
            modems: vec![("EC25\u{1b}[2J".to_owned(), "ready".to_owned())],
            no_modem: "none".to_owned(),
        };
        let text = render(&card).unwrap();
        assert!(text.contains("    https://192.168.1.7\n    https://shop.local\n"), "{text}");
        assert!(text.contains("  EC25[2J: ready\n") && !text.contains("none"), "{text}");
        // The code begins with its quiet zone, which is light.
        let code = text.lines().find(|line| line.contains('█')).unwrap_or_default();
        assert_eq!(code.trim().trim_matches('█'), "", "{text}");
        assert!(text.contains('█') && !text.contains('\u{1b}'), "{text}");
        assert!(render(&Card { modems: Vec::new(), addresses: Vec::new(), ..card }).unwrap().contains("none"));
    }

    #[test]
    fn a_box_without_a_card_is_starting_or_says_why_it_cannot() {
        let dir = tempfile::tempdir().unwrap();
        let no_data = dir.path().join("no-data");
        assert!(draw(dir.path(), &no_data).unwrap().contains("is starting"));
        fs::write(&no_data, "the disk is too small\n").unwrap();
        let card = draw(dir.path(), &no_data).unwrap();
        assert!(card.contains("cannot start: the disk is too small.\n") && card.contains(no_data::REMEDY), "{card}");
    }
}
