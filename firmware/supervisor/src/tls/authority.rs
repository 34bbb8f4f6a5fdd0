//! The authority of one box, and the certificate that it issues to the box's server.
//!
//! Each is one PEM file with its key, so that no interruption can part them.

use super::names::{Names, PRIVATE};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tracing::{info, warn};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// No box is older, so a certificate is valid for whoever reads it, however wrong the clock of the box is. Apple's
/// limit of 825 days holds for certificates from July 2019 on.
const FIRST_YEAR: i32 = 2019;
/// The end of the authority. The owner trusts it once, for as long as the hardware can last.
const LAST_YEAR: i32 = 2060;
/// A clock before this is wrong.
const EARLIEST_YEAR: i32 = 2026;
/// How long a certificate of the server lasts. Its key lies beside that of the authority: haste would protect nothing.
const YEARS: i32 = 10;
/// A certificate that ends within this is replaced.
const RENEW_WITHIN_MS: i64 = 365 * 24 * 60 * 60 * 1000;

/// What is wrong with the files of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or directory.
    #[error("cannot use {path}", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Making a certificate.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// Using a certificate.
    #[error("cannot use the certificate")]
    Use(#[from] rustls::Error),
    /// What was just made cannot be read again.
    #[error("the certificate just made cannot be read")]
    Unreadable,
}

/// The authority of this box.
pub struct Authority {
    dir: PathBuf,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The certificate of the server with its key, and how long it will do.
pub(super) struct Issued {
    /// The server's certificate and that of the authority.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    names: Names,
    ends_at_ms: i64,
}

impl Authority {
    /// Reads the authority below `dir`, or makes one.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub fn ensure(dir: &Path) -> Result<Self, TlsError> {
        make_directory(dir)?;
        let file = dir.join("authority.pem");
        if let Some(authority) = read(&file)?.and_then(|text| Self::parse(dir, &text)) {
            return Ok(authority);
        }
        info!("this box gets its own certificate authority");
        let key = KeyPair::generate()?;
        let certificate = authority_params(&key)?.self_signed(&key)?;
        let text = format!("{}{}", certificate.pem(), key.serialize_pem());
        write(&file, &text)?;
        Self::parse(dir, &text).ok_or(TlsError::Unreadable)
    }

    /// The certificate that browsers may trust, as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    fn parse(dir: &Path, text: &str) -> Option<Self> {
        let parsed = || {
            let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
            let key = KeyPair::from_pem(text.get(text.find("-----BEGIN PRIVATE KEY-----")?..)?).ok()?;
            let issuer = Issuer::from_ca_cert_der(&certificate, key).ok()?;
            Some((certificate, issuer))
        };
        let Some((certificate, issuer)) = parsed() else {
            warn!("the certificate authority of this box cannot be read: it gets another one");
            return None;
        };
        let end = text.find("-----BEGIN PRIVATE KEY-----").unwrap_or(text.len());
        let certificate_pem = text.get(..end).unwrap_or_default().to_owned();
        Some(Self { dir: dir.to_owned(), certificate, certificate_pem, issuer })
    }

    /// A certificate for `names`: the one that is there while it will do, or else a new one.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub(super) fn ensure_server(&self, names: &Names, now_ms: i64) -> Result<Issued, TlsError> {
        let file = self.dir.join("server.pem");
        if let Some(issued) = read(&file)?.and_then(|text| self.parse_server(&text))
            && issued.will_do(names, now_ms)
        {
            return Ok(issued);
        }
        let key = KeyPair::generate()?;
        let certificate = server_params(names, now_ms)?.signed_by(&key, &self.issuer)?;
        let text = format!("{}{}", certificate.pem(), key.serialize_pem());
        write(&file, &text)?;
        info!(names = names.hosts.len(), addresses = names.addresses.len(), "the server has a new certificate");
        self.parse_server(&text).ok_or(TlsError::Unreadable)
    }

    fn parse_server(&self, text: &str) -> Option<Issued> {
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).ok()?;
        let (_, authority) = X509Certificate::from_der(&self.certificate).ok()?;
        let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
        // Names of authorities are drawn at random: another one's certificate does not fit.
        if parsed.issuer().as_raw() != authority.subject().as_raw() {
            return None;
        }
        let mut names = Names::default();
        for name in &parsed.subject_alternative_name().ok()??.value.general_names {
            match name {
                GeneralName::DNSName(host) => drop(names.hosts.insert((*host).to_owned())),
                GeneralName::IPAddress(bytes) => names.addresses.extend(address(bytes)),
                _ => {}
            }
        }
        let ends_at_ms = parsed.validity().not_after.timestamp().saturating_mul(1000);
        Some(Issued { chain: vec![certificate, self.certificate.clone()], key: key.into(), names, ends_at_ms })
    }
}

impl Issued {
    /// Whether nothing better could be issued at this moment.
    pub(super) fn will_do(&self, names: &Names, now_ms: i64) -> bool {
        let is_long_enough = self.ends_at_ms.saturating_sub(now_ms) > RENEW_WITHIN_MS || last_year(now_ms) == LAST_YEAR;
        self.names.cover(names) && is_long_enough
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

/// The authority vouches for names that end in `.local` and for addresses of households, and for nothing else: the
/// box can be renamed, and nobody has to fear what a stolen box could pretend to be.
fn authority_params(key: &KeyPair) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(Vec::new())?;
    let digest = CertificateParams::default().key_identifier(key);
    let tail: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name = name(&format!("HomeniChat box {tail}"));
    (params.not_before, params.not_after) = (date_time_ymd(FIRST_YEAR, 1, 1), date_time_ymd(LAST_YEAR, 1, 1));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let networks = PRIVATE.iter().copied().chain([([127, 0, 0, 0], 8)]);
    let mut permitted = vec![GeneralSubtree::DnsName("local".into()), GeneralSubtree::DnsName("localhost".into())];
    permitted.extend(networks.map(|(net, bits)| GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(net, bits))));
    let loopback = CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128);
    permitted.push(GeneralSubtree::IpAddress(loopback));
    params.name_constraints = Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    Ok(params)
}

fn server_params(names: &Names, now_ms: i64) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::new(names.hosts.iter().cloned().collect::<Vec<_>>())?;
    params.subject_alt_names.extend(names.addresses.iter().map(|address| SanType::IpAddress(*address)));
    params.distinguished_name = name("HomeniChat");
    (params.not_before, params.not_after) = (date_time_ymd(FIRST_YEAR, 1, 1), date_time_ymd(last_year(now_ms), 1, 1));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// The year in which a certificate issued now ends.
fn last_year(now_ms: i64) -> i32 {
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(if now_ms > 0 { Timestamp::MAX } else { Timestamp::MIN });
    let year = i32::from(now.to_zoned(TimeZone::UTC).year());
    year.max(EARLIEST_YEAR).saturating_add(YEARS).min(LAST_YEAR)
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

fn make_directory(dir: &Path) -> Result<(), TlsError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| TlsError::File { path: dir.to_owned(), source })
}

fn read(file: &Path) -> Result<Option<String>, TlsError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(TlsError::File { path: file.to_owned(), source }),
    }
}

/// Whole or not at all, and for nobody else's eyes.
fn write(file: &Path, text: &str) -> Result<(), TlsError> {
    let temporary = file.with_extension("new");
    let written = || -> std::io::Result<()> {
        let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&temporary, file)
    };
    written().map_err(|source| TlsError::File { path: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    const NOW: i64 = 1_795_000_000_000;

    fn names(hosts: &[&str], addresses: &[[u8; 4]]) -> Names {
        Names {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            addresses: addresses.iter().map(|address| IpAddr::from(*address)).collect(),
        }
    }

    #[test]
    fn a_certificate_lasts_until_something_is_missing_in_it() {
        let dir = TempDir::new().unwrap();
        let authority = Authority::ensure(dir.path()).unwrap();
        let two = names(&["homenichat.local", "shop.local"], &[[192, 168, 1, 7]]);
        let first = authority.ensure_server(&two, NOW).unwrap().chain;
        // Before an address is there, the certificate that has one stays.
        let fewer = names(&["shop.local"], &[]);
        for (case, wanted, now_ms, is_kept) in [
            ("the same", &two, NOW, true),
            ("no address yet", &fewer, NOW, true),
            ("a clock that starts in 1970", &two, 0, true),
            ("another address", &names(&["shop.local"], &[[192, 168, 1, 8]]), NOW, false),
        ] {
            assert_eq!(authority.ensure_server(wanted, now_ms).unwrap().chain == first, is_kept, "{case}");
        }
        let again = Authority::ensure(dir.path()).unwrap();
        assert_eq!(again.certificate, authority.certificate);
        let before = again.ensure_server(&two, NOW).unwrap().chain;
        let in_ten_years = NOW + 3600 * 24 * 365 * 10 * 1000;
        assert_ne!(again.ensure_server(&two, in_ten_years).unwrap().chain, before);
        // A clock far in the future must not make one after the other.
        let far = authority.ensure_server(&two, i64::MAX / 2).unwrap().chain;
        assert_eq!(authority.ensure_server(&two, i64::MAX / 2).unwrap().chain, far);
    }

    #[test]
    fn a_broken_authority_is_replaced_and_its_certificates_with_it() {
        let dir = TempDir::new().unwrap();
        let wanted = names(&["homenichat.local"], &[]);
        let first = Authority::ensure(dir.path()).unwrap().ensure_server(&wanted, NOW).unwrap().chain;
        for broken in ["", "-----BEGIN CERTIFICATE-----\n", "\u{0}\u{1}"] {
            fs::write(dir.path().join("authority.pem"), broken).unwrap();
            let authority = Authority::ensure(dir.path()).unwrap();
            let second = authority.ensure_server(&wanted, NOW).unwrap().chain;
            assert!(second[0] != first[0] && second[1] != first[1], "{broken:?}");
        }
        fs::write(dir.path().join("server.pem"), "nonsense").unwrap();
        Authority::ensure(dir.path()).unwrap().ensure_server(&wanted, NOW).unwrap();
    }

    #[test]
    fn keys_are_private_and_stay_out_of_what_is_handed_out() {
        let dir = TempDir::new().unwrap();
        let authority = Authority::ensure(&dir.path().join("tls")).unwrap();
        authority.ensure_server(&names(&["homenichat.local"], &[]), NOW).unwrap();
        for file in ["authority.pem", "server.pem"] {
            let mode = fs::metadata(dir.path().join("tls").join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert!(authority.certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!authority.certificate_pem().contains("KEY"));
    }
}
