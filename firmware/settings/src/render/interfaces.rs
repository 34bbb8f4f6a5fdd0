//! Where the supervisor speaks with Asterisk, and the ports for sound.

use super::conf::Conf;
use super::{OnChange, RenderError, RenderedFile};
use crate::document::Settings;
use crate::places::Places;
use crate::secret::{Secret, Secrets};

const LOOPBACK: &str = "127.0.0.1";

/// The name of our user, of ARI and of the manager interface.
const USER: &str = asterisk::dialplan::APP;

/// The events that the supervisor reads from the manager interface; all others stay with Asterisk.
const EVENTS: &[&str] = &["ContactStatus", "MessageWaiting", "Shutdown"];

pub(super) fn files(settings: &Settings, secrets: &Secrets, places: &Places) -> Result<Vec<RenderedFile>, RenderError> {
    Ok(vec![
        http(settings, places)?,
        ari(secrets, places)?,
        manager(settings, secrets, places)?,
        rtp(settings, places)?,
    ])
}

fn http(settings: &Settings, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("http.conf");
    conf.comment("Browsers come through the supervisor, which speaks TLS; this port is for the box alone.");
    conf.section("general")?
        .set("enabled", "yes")?
        .set("bindaddr", LOOPBACK)?
        .set("bindport", &settings.asterisk.http_port.to_string())?
        .set("tlsenable", "no")?
        .set("enable_static", "no")?
        .set("enable_status", "no")?;
    Ok(conf.additions(places).finish(0o644, OnChange::Restart))
}

fn ari(secrets: &Secrets, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("ari.conf");
    conf.section("general")?.set("enabled", "yes")?.set("pretty", "no")?;
    conf.section(USER)?
        .set("type", "user")?
        .set("read_only", "no")?
        .set("password_format", "plain")?
        .set("password", known(&secrets.ari_password, "ARI")?)?;
    Ok(conf.additions(places).finish(0o600, OnChange::Reload("res_ari.so")))
}

fn manager(settings: &Settings, secrets: &Secrets, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("manager.conf");
    conf.section("general")?
        .set("enabled", "yes")?
        .set("webenabled", "no")?
        .set("bindaddr", LOOPBACK)?
        .set("port", &settings.asterisk.manager_port.to_string())?;
    conf.section(USER)?
        .set("secret", known(&secrets.ami_password, "the manager interface")?)?
        .set("deny", "0.0.0.0/0.0.0.0")?
        .set("permit", "127.0.0.1/255.255.255.255")?
        .set("read", "system,call,user,reporting")?
        .set("write", "system,call,config,reporting,message")?;
    for event in EVENTS {
        conf.set("eventfilter", &format!("Event: {event}"))?;
    }
    Ok(conf.additions(places).finish(0o600, OnChange::Reload("manager")))
}

fn rtp(settings: &Settings, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("rtp.conf");
    conf.section("general")?
        .set("rtpstart", &settings.rtp.first_port.to_string())?
        .set("rtpend", &settings.rtp.last_port.to_string())?
        .set("strictrtp", "yes")?
        .set("icesupport", "yes")?;
    Ok(conf.additions(places).finish(0o644, OnChange::Reload("res_rtp_asterisk.so")))
}

/// Returns a secret in clear, once it was made.
pub(super) fn known<'a>(secret: &'a Secret, of: &str) -> Result<&'a str, RenderError> {
    let text = secret.expose();
    if text.is_empty() { Err(RenderError::MissingSecret(of.to_owned())) } else { Ok(text) }
}
