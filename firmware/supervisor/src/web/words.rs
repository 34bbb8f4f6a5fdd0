//! Everything that the pages say, in every language. A sentence that is missing in one does not compile.

use super::english::ENGLISH;
use super::french::FRENCH;
use crate::http::password::Weakness;
use api::{ErrorCode, HealthStatus, ModemState};
use switchboard::outbox::MessageStatus;

/// Every language of the pages.
pub(super) static LANGUAGES: [&Words; 2] = [&ENGLISH, &FRENCH];

/// What the pages say in one language.
pub(super) struct Words {
    /// Its tag (BCP 47).
    pub(super) tag: &'static str,
    /// Its name in itself.
    pub(super) own_name: &'static str,
    pub(super) language: &'static str,
    pub(super) welcome_title: &'static str,
    pub(super) welcome: &'static str,
    pub(super) next: &'static str,
    pub(super) back: &'static str,
    pub(super) owner: &'static str,
    pub(super) owner_explained: &'static str,
    pub(super) your_name: &'static str,
    pub(super) password: &'static str,
    pub(super) password_hint: &'static str,
    pub(super) password_again: &'static str,
    pub(super) passwords_differ: &'static str,
    pub(super) bad_name: &'static str,
    pub(super) password_short: &'static str,
    pub(super) password_long: &'static str,
    pub(super) password_common: &'static str,
    pub(super) name_title: &'static str,
    pub(super) box_name: &'static str,
    pub(super) name_hint: fn(&str) -> String,
    pub(super) lines_title: &'static str,
    pub(super) no_modem: &'static str,
    pub(super) look_again: &'static str,
    pub(super) state: &'static str,
    pub(super) operator: &'static str,
    pub(super) number: &'static str,
    pub(super) signal: &'static str,
    pub(super) unknown: &'static str,
    /// From 0 bars to 5.
    pub(super) signals: [&'static str; 6],
    pub(super) pin: &'static str,
    pub(super) enter_pin: &'static str,
    pub(super) pin_form: &'static str,
    pub(super) tries_left: fn(u8) -> String,
    pub(super) last_try: &'static str,
    pub(super) test_title: &'static str,
    pub(super) test_explained: &'static str,
    pub(super) test_text: &'static str,
    pub(super) no_line_ready: &'static str,
    pub(super) line: &'static str,
    pub(super) your_phone: &'static str,
    pub(super) your_phone_hint: &'static str,
    pub(super) send: &'static str,
    pub(super) send_another: &'static str,
    pub(super) finish: &'static str,
    pub(super) finish_without: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) sign_out: &'static str,
    pub(super) signed_in_as: fn(&str) -> String,
    pub(super) wrong_password: &'static str,
    pub(super) home_title: &'static str,
    pub(super) lines: &'static str,
    pub(super) messages: &'static str,
    pub(super) no_message: &'static str,
    pub(super) health: &'static str,
    pub(super) apps_explained: &'static str,
    pub(super) trust: &'static str,
    pub(super) never: &'static str,
    /// Seconds, minutes, hours, days.
    pub(super) ages: [fn(u64) -> String; 4],
    pub(super) phones: &'static str,
    pub(super) phones_explained: &'static str,
    pub(super) no_phone: &'static str,
    pub(super) sip_server: &'static str,
    pub(super) sip_user: &'static str,
    pub(super) settings: &'static str,
    pub(super) settings_explained: &'static str,
    pub(super) known_modems: &'static str,
    pub(super) known_modems_explained: &'static str,
    pub(super) far_address: &'static str,
    pub(super) doors_stay: &'static str,
    pub(super) changed_since: &'static str,
    pub(super) too_long: &'static str,
    pub(super) save: &'static str,
    pub(super) reset: &'static str,
    pub(super) reset_warning: &'static str,
    pub(super) reset_hint: &'static str,
    pub(super) reset_now: &'static str,
    pub(super) reset_begun: &'static str,
    pub(super) went_wrong: &'static str,
    pub(super) card_set_up: &'static str,
    pub(super) card_open: &'static str,
    pub(super) modem_states: fn(ModemState) -> &'static str,
    pub(super) message_states: fn(MessageStatus) -> &'static str,
    pub(super) lights: fn(HealthStatus) -> &'static str,
    pub(super) errors: fn(ErrorCode) -> &'static str,
}

/// What the status card says.
pub(crate) struct CardWords(&'static Words);

impl CardWords {
    /// In a language, or in English.
    pub(crate) fn of(tag: &str) -> Self {
        Self(Words::of(tag))
    }

    /// Before the addresses of a new box.
    pub(crate) fn set_up(&self) -> &'static str {
        self.0.card_set_up
    }

    /// Before the addresses of a box with an owner.
    pub(crate) fn open(&self) -> &'static str {
        self.0.card_open
    }

    /// Without a modem.
    pub(crate) fn no_modem(&self) -> &'static str {
        self.0.no_modem
    }

    /// What a modem is doing.
    pub(crate) fn modem_state(&self, state: ModemState) -> &'static str {
        self.0.modem_state(state)
    }
}

impl Words {
    /// The words of a language, or of English.
    pub(super) fn of(tag: &str) -> &'static Self {
        LANGUAGES.into_iter().find(|words| words.tag == tag).unwrap_or(&ENGLISH)
    }

    /// The words of the first known language that a browser asks for (RFC 9110 §12.5.4); browsers send the most
    /// wanted first.
    pub(super) fn wanted(accept_language: &str) -> &'static Self {
        let mut tags = accept_language.split(',').filter_map(|entry| entry.split([';', '-']).next());
        tags.find_map(|tag| LANGUAGES.into_iter().find(|words| tag.trim().eq_ignore_ascii_case(words.tag)))
            .unwrap_or(&ENGLISH)
    }

    /// Why something was not done.
    pub(super) fn explain(&self, code: ErrorCode) -> &'static str {
        (self.errors)(code)
    }

    /// What a modem is doing.
    pub(super) fn modem_state(&self, state: ModemState) -> &'static str {
        (self.modem_states)(state)
    }

    /// Where a message stands.
    pub(super) fn message_status(&self, status: MessageStatus) -> &'static str {
        (self.message_states)(status)
    }

    /// A light in a word.
    pub(super) fn light(&self, status: HealthStatus) -> &'static str {
        (self.lights)(status)
    }

    /// What is wrong with a password.
    pub(super) fn weak(&self, weakness: Weakness) -> &'static str {
        match weakness {
            Weakness::Short => self.password_short,
            Weakness::Long => self.password_long,
            Weakness::Common => self.password_common,
        }
    }

    /// How well a network is received, from 0 bars to 5.
    pub(super) fn signal_word(&self, bars: u8) -> &'static str {
        self.signals.get(usize::from(bars)).copied().unwrap_or(self.unknown)
    }

    /// How long ago something was.
    pub(super) fn ago(&self, seconds: u64) -> String {
        let [in_seconds, in_minutes, in_hours, in_days] = self.ages;
        match seconds {
            0..120 => in_seconds(seconds),
            120..7_200 => in_minutes(seconds / 60),
            7_200..172_800 => in_hours(seconds / 3_600),
            _ => in_days(seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_first_language_that_is_known() {
        for (accepted, want) in [
            ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
            ("de-DE, FR;q=0.5", "fr"),
            ("de", "en"),
            ("", "en"),
            ("french", "en"),
            (";;,,-", "en"),
        ] {
            assert_eq!(Words::wanted(accepted).tag, want, "{accepted}");
        }
        assert_eq!(Words::of("xx").tag, "en");
    }

    #[test]
    fn ages_are_said_in_the_unit_that_people_use() {
        let said: Vec<_> = [0, 119, 120, 7_200, 172_800].into_iter().map(|s| Words::of("en").ago(s)).collect();
        assert_eq!(said, ["0 s ago", "119 s ago", "2 min ago", "2 h ago", "2 days ago"]);
    }
}
