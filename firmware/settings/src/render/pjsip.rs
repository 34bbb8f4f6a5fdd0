//! SIP: transports, and one account per extension.

use asterisk::ari::Party;
use asterisk::dialplan::{FROM_INTERNAL, FROM_MESSAGE, FROM_WEBRTC, VOICEMAIL};

use super::conf::Conf;
use super::interfaces::known;
use super::{OnChange, RenderError, RenderedFile};
use crate::document::{Extension, Settings};
use crate::places::Places;
use crate::secret::{Secret, Secrets};

/// The file with the accounts: apart from the transports, because a reload reads accounts but not transports.
const ACCOUNTS: &str = "pjsip_extensions.conf";

pub(super) fn files(settings: &Settings, secrets: &Secrets, places: &Places) -> Result<Vec<RenderedFile>, RenderError> {
    Ok(vec![transports(settings, places)?, accounts(settings, secrets, places)?])
}

fn transports(settings: &Settings, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("pjsip.conf");
    conf.section("global")?
        .set("type", "global")?
        .set("user_agent", "HomeniChat")?
        .set("endpoint_identifier_order", "username")?;
    let address = std::net::SocketAddr::new(settings.sip.bind, settings.sip.udp_port);
    conf.section("transport-udp")?
        .set("type", "transport")?
        .set("protocol", "udp")?
        .set("bind", &address.to_string())?;
    conf.comment(
        "SIP over WebSocket listens where http.conf says; a transport of this kind has no address of its own.",
    );
    conf.section("transport-ws")?.set("type", "transport")?.set("protocol", "ws")?.set("bind", "127.0.0.1")?;
    Ok(conf.include(places, ACCOUNTS).additions(places).finish(0o600, OnChange::Restart))
}

fn accounts(settings: &Settings, secrets: &Secrets, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new(ACCOUNTS);
    conf.comment(
        "One name for the three sections of an account: a phone registers to the address of record of its name.",
    );
    for extension in &settings.extensions {
        let number = &extension.number;
        let password = secrets.extensions.get(number).map(|secrets| &secrets.sip_password);
        let missing = Secret::default();
        let password = known(password.unwrap_or(&missing), &format!("extension {number}"))?;
        account(&mut conf, settings, extension, password)?;
    }
    Ok(conf.additions(places).finish(0o600, OnChange::Reload("res_pjsip.so")))
}

fn account(conf: &mut Conf, settings: &Settings, extension: &Extension, password: &str) -> Result<(), RenderError> {
    let number = extension.number.as_str();
    let caller = Party { name: extension.name.to_string(), number: number.to_owned() };
    conf.section(number)?
        .set("type", "endpoint")?
        .set("context", if extension.webrtc { FROM_WEBRTC } else { FROM_INTERNAL })?
        .set("message_context", FROM_MESSAGE)?
        .set("auth", number)?
        .set("aors", number)?
        .set("callerid", &caller.to_string())?
        .set("set_var", &format!("HN_EXTENSION={number}"))?
        .set("language", settings.the_box.language.as_str())?
        .set("tone_zone", super::tones::zone(&settings.the_box.country))?
        .set("disallow", "all")?
        .set("allow", if extension.webrtc { "opus,ulaw" } else { "alaw,ulaw,g722,opus" })?
        .set("direct_media", "no")?
        .set("rtp_symmetric", "yes")?
        .set("force_rport", "yes")?
        .set("rewrite_contact", "yes")?;
    if extension.webrtc {
        conf.set("webrtc", "yes")?.set("dtls_auto_generate_cert", "yes")?;
    }
    if extension.voicemail {
        conf.set("mailboxes", &format!("{number}@{VOICEMAIL}"))?;
    }
    conf.section(number)?
        .set("type", "auth")?
        .set("auth_type", "userpass")?
        .set("username", number)?
        .set("password", password)?;
    conf.section(number)?
        .set("type", "aor")?
        .set("max_contacts", "5")?
        .set("remove_existing", "yes")?
        .set("qualify_frequency", "60")?;
    Ok(())
}
