//! Asterisk itself: directories, modules, log, and files that must exist for modules that the box does not use.

use super::conf::Conf;
use super::{OnChange, RenderError, RenderedFile};
use crate::document::Settings;
use crate::places::Places;

/// The modules that the box uses, in the order in which they are loaded; each needs what stands before it.
///
/// Absent on purpose: `res_stasis_device_state` and `res_ari_device_states`, with which ARI can lock itself up for
/// ever when the event socket closes (asterisk/asterisk issue 2170), and `chan_quectel`, because the supervisor owns
/// the modems.
const MODULES: &str = "
    res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject res_statsd res_geolocation
    res_http_websocket res_websocket_client res_srtp res_rtp_asterisk
    res_pjsip res_pjsip_session res_pjsip_pubsub res_pjsip_authenticator_digest res_pjsip_endpoint_identifier_user
    res_pjsip_registrar res_pjsip_sdp_rtp res_pjsip_caller_id res_pjsip_rfc3326 res_pjsip_nat res_pjsip_dtmf_info
    res_pjsip_transport_websocket res_pjsip_messaging res_pjsip_mwi res_pjsip_mwi_body_generator chan_pjsip
    res_pjsip_header_funcs
    res_stasis res_stasis_answer res_stasis_recording res_stasis_playback res_stasis_snoop
    res_ari_model res_ari res_ari_applications res_ari_asterisk res_ari_bridges res_ari_channels res_ari_endpoints
    res_ari_events res_ari_playbacks res_ari_recordings res_ari_sounds app_stasis
    res_audiosocket chan_audiosocket app_audiosocket chan_websocket res_rtp_multicast chan_rtp
    bridge_simple bridge_native_rtp bridge_softmix bridge_holding bridge_builtin_features
    codec_ulaw codec_alaw codec_a_mu codec_g722 codec_gsm codec_resample codec_opus_open_source res_format_attr_opus
    format_pcm format_wav format_sln format_gsm format_ogg_opus_open_source res_musiconhold pbx_config
    app_dial app_playback app_echo app_milliwatt app_sayunixtime app_record app_mixmonitor app_voicemail app_verbose
    app_exec app_stack app_read app_sendtext app_senddtmf app_bridgewait app_userevent
    func_callerid func_channel func_strings func_logic func_hangupcause func_timeout func_db func_jitterbuffer
    func_pjsip_contact func_pjsip_aor func_pjsip_endpoint func_frame_trace func_global func_config func_uuid
";

/// Files that must exist and be empty, or Asterisk logs errors.
const EMPTY: &[&str] = &["acl.conf", "chan_websocket.conf", "geolocation.conf", "websocket_client.conf"];

/// A file with one section and at most one setting, as key and value.
type Small = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Files that must exist with one section, or Asterisk logs errors: name, section and setting.
const SMALL: &[Small] = &[
    ("ccss.conf", "general", None),
    ("cdr.conf", "general", Some(("enable", "no"))),
    ("cel.conf", "general", Some(("enable", "no"))),
    ("pjproject.conf", "startup", Some(("log_level", "2"))),
    ("stasis.conf", "threadpool", Some(("initial_size", "5"))),
    ("statsd.conf", "general", Some(("enabled", "no"))),
    ("udptl.conf", "general", None),
];

pub(super) fn files(settings: &Settings, places: &Places) -> Result<Vec<RenderedFile>, RenderError> {
    let mut files =
        vec![asterisk(settings, places)?, modules(places)?, logger(places)?, features(places)?, music(places)?];
    files.extend(EMPTY.iter().map(|file| Conf::new(file).finish(0o644, OnChange::Restart)));
    for (file, section, setting) in SMALL {
        let mut conf = Conf::new(file);
        conf.section(section)?;
        if let Some((key, value)) = setting {
            conf.set(key, value)?;
        }
        files.push(conf.finish(0o644, OnChange::Restart));
    }
    Ok(files)
}

fn asterisk(settings: &Settings, places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("asterisk.conf");
    conf.section("directories")?
        .object("astetcdir", &places.etc)?
        .object("astmoddir", &places.modules)?
        .object("astdatadir", &places.data)?
        .object("astvarlibdir", &places.state)?
        .object("astdbdir", &places.state)?
        .object("astkeydir", &places.state)?
        .object("astcachedir", &places.state)?
        .object("astagidir", &format!("{}/agi-bin", places.state))?
        .object("astspooldir", &places.spool)?
        .object("astrundir", &places.run)?
        .object("astlogdir", &places.log)?
        .object("astsbindir", &places.run)?;
    conf.section("options")?
        .set("documentation_language", "en_US")?
        .set("defaultlanguage", settings.the_box.language.as_str())?
        .set("systemname", "homenichat")?
        .set("execincludes", "no")?
        .set("live_dangerously", "no")?
        .set("hide_messaging_ami_events", "yes")?;
    conf.comment("The group of the control socket may not speak to it.");
    conf.section("files")?.set("astctlpermissions", "0600")?;
    Ok(conf.finish(0o644, OnChange::Restart))
}

fn modules(places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("modules.conf");
    conf.section("modules")?.set("autoload", "no")?.set("preload", "res_timing_timerfd.so")?;
    for module in MODULES.split_whitespace() {
        conf.set("load", &format!("{module}.so"))?;
    }
    Ok(conf.additions(places).finish(0o644, OnChange::Restart))
}

fn logger(places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("logger.conf");
    conf.section("general")?.set("dateformat", "%F %T.%3q")?.set("appendhostname", "no")?;
    conf.section("logfiles")?;
    conf.comment("No verbose lines: they name who called whom.");
    conf.object("messages.log", "notice,warning,error")?;
    Ok(conf.additions(places).finish(0o644, OnChange::Reload("logger")))
}

fn features(places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("features.conf");
    conf.section("general")?;
    Ok(conf.additions(places).finish(0o644, OnChange::Reload("features")))
}

fn music(places: &Places) -> Result<RenderedFile, RenderError> {
    let mut conf = Conf::new("musiconhold.conf");
    conf.comment("A class must have a sound, and silence is one; the owner's additions may define music.");
    conf.section("default")?.set("mode", "files")?.set("directory", &format!("{}/sounds/en/silence", places.data))?;
    Ok(conf.additions(places).finish(0o644, OnChange::Reload("res_musiconhold.so")))
}
