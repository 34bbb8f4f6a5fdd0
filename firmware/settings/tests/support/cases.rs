//! Settings that the tests render.

use settings::{EmergencyPolicy, Greeting, LineIds, Secret, Secrets, Settings};
use telecom::{Iccid, LineId};

/// A SIM with settings.
pub(crate) const FAMILY: &str = "8933012345678901234";
/// Another SIM with settings.
pub(crate) const SHOP: &str = "8933098765432109876";

/// A household with two lines, one of them with everything that a line can have.
pub(crate) fn two_lines() -> Settings {
    let lines = format!(
        r#"
        [[lines]]
        iccid = "{FAMILY}"
        name = "Family"

        [[lines]]
        iccid = "{SHOP}"
        name = "Shop"
        ring = ["2002"]
        ring_seconds = 15
        voicemail = "2001"
        prefix = "*1"
        "#
    );
    Settings::parse(&(Settings::for_laptop().encode().unwrap() + &lines)).unwrap()
}

/// Nobody has voicemail, and calls for help are made elsewhere.
pub(crate) fn austere() -> Settings {
    let mut settings = two_lines();
    settings.emergency.policy = EmergencyPolicy::Refuse;
    settings.voicemail.greeting = Greeting::Beep;
    settings.lines.iter_mut().for_each(|line| line.voicemail = None);
    settings.extensions.iter_mut().for_each(|extension| extension.voicemail = false);
    settings.check().unwrap();
    settings
}

/// Names that try to be more than names.
pub(crate) fn hostile() -> (Settings, Secrets) {
    let mut settings = two_lines();
    let names = ["a](!) ;--x", "\"><sip:evil@x>, ,attach=yes|\\;", "=>${SHELL(id)} #exec é [2001](+)"];
    for (extension, name) in settings.extensions.iter_mut().zip(names) {
        extension.name = name.parse().unwrap();
    }
    let mut secrets = secrets(&settings);
    let passwords = [";--[evil]", "a\\;b=>c \"d\"", "${ENV(HOME)}\\"];
    for (extension, password) in secrets.extensions.values_mut().zip(passwords) {
        extension.sip_password = Secret::new(password).unwrap();
    }
    secrets.ari_password = Secret::new("p;w[x]").unwrap();
    secrets.ami_password = Secret::new("\\;=>").unwrap();
    (settings, secrets)
}

/// The ids of both SIMs.
pub(crate) fn line_ids() -> LineIds {
    [(FAMILY, 1), (SHOP, 3)].map(|(iccid, id)| (iccid.parse::<Iccid>().unwrap(), LineId(id))).into()
}

/// Secrets that are the same in every run.
pub(crate) fn secrets(settings: &Settings) -> Secrets {
    let mut secrets = Secrets::default();
    let mut state: u32 = 1;
    secrets.ensure(settings, &mut |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = state.to_be_bytes()[0];
        }
    });
    secrets
}
