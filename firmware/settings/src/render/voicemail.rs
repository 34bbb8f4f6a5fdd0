//! The answering machine.

use asterisk::dialplan::VOICEMAIL;

use super::conf::Conf;
use super::interfaces::known;
use super::{OnChange, RenderError, RenderedFile};
use crate::document::{Extension, Settings};
use crate::places::Places;
use crate::secret::{Secret, Secrets};

pub(super) fn file(settings: &Settings, secrets: &Secrets, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("voicemail.conf");
    let limits = &settings.voicemail;
    conf.section("general")?
        .set("format", "wav")?
        .set("attach", "no")?
        .set("maxmsg", &limits.max_messages.to_string())?
        .set("maxsecs", &limits.max_seconds.to_string())?
        .set("minsecs", &limits.min_seconds.to_string())?
        .set("maxsilence", "0")?
        .set("pollmailboxes", "no")?;
    conf.comment("The box tells its owner about messages itself; Asterisk never sends mail.");
    conf.set("mailcmd", "/bin/true")?.set("serveremail", "homenichat@localhost")?;
    conf.section(VOICEMAIL)?;
    for extension in settings.extensions.iter().filter(|extension| extension.voicemail) {
        let number = &extension.number;
        let missing = Secret::default();
        let pin = secrets.extensions.get(number).map_or(&missing, |secrets| &secrets.voicemail_pin);
        let pin = known(pin, &format!("the mailbox of extension {number}"))?;
        conf.object(number.as_str(), &format!("{},{},,,", no_commas(pin), no_commas(&name(extension))))?;
    }
    Ok(conf.additions(places).finish(0o600, OnChange::Reload("app_voicemail.so")))
}

fn name(extension: &Extension) -> String {
    extension.name.to_string()
}

/// A comma would begin the next field of a mailbox, and there is no way to escape one.
fn no_commas(text: &str) -> String {
    let text = text.replace(',', " ");
    text.trim().to_owned()
}
