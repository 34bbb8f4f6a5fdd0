//! A browser without scripts: curl, which brings its own TLS and its own view of certificates.

use crate::lab::Lab;
use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// What a page answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Where it leads.
    pub location: String,
    /// The page.
    pub body: String,
}

/// A browser with its cookies, that trusts the authority of one box.
#[derive(Debug, Clone)]
pub struct Browser {
    host: String,
    address: SocketAddr,
    authority: PathBuf,
    cookies: PathBuf,
}

impl Browser {
    /// A browser that fetched the authority's certificate from the plain port, as people do.
    ///
    /// # Errors
    /// When the box does not hand it out.
    pub async fn start(lab: &Lab, name: &str) -> Result<Self> {
        let https = lab.settings().https.as_ref().context("no TLS in the settings")?;
        let plain = https.redirect.context("no plain port in the settings")?;
        Self::visit(https.listen, plain, &lab.dir().join(name)).await
    }

    /// The same at any box; what the browser keeps begins with `kept`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn visit(address: SocketAddr, plain: SocketAddr, kept: &Path) -> Result<Self> {
        let browser = Self {
            host: "homenichat.local".to_owned(),
            address,
            authority: kept.with_extension("crt"),
            cookies: kept.with_extension("cookies"),
        };
        let fetched = curl(&["-o", text(&browser.authority)?, &format!("http://{plain}/authority.crt")]).await?;
        ensure!(fetched.status == 200, "the certificate was answered with {}", fetched.status);
        Ok(browser)
    }

    /// The same browser at another name of the box.
    #[must_use]
    pub fn at(&self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self.clone() }
    }

    /// The authority's certificate.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Opens a page.
    ///
    /// # Errors
    /// When there is no connection, or it cannot be trusted.
    pub async fn open(&self, path: &str) -> Result<Answer> {
        self.send(path, &[]).await
    }

    /// Sends a form as the page of this box does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        self.submit_from(&self.origin(), path, fields).await
    }

    /// Sends a form from a page of `origin`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn submit_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let mut arguments = vec!["-X".to_owned(), "POST".to_owned(), "-H".to_owned(), format!("Origin: {origin}")];
        for (name, value) in fields {
            arguments.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        self.send(path, &arguments).await
    }

    fn origin(&self) -> String {
        format!("https://{}:{}", self.host, self.address.port())
    }

    async fn send(&self, path: &str, more: &[String]) -> Result<Answer> {
        let resolve = format!("{}:{}:{}", self.host, self.address.port(), self.address.ip());
        let url = format!("{}{path}", self.origin());
        let (authority, cookies) = (text(&self.authority)?, text(&self.cookies)?);
        let mut arguments = vec!["--resolve", &resolve, "--cacert", authority, "-b", cookies, "-c", cookies];
        arguments.extend(more.iter().map(String::as_str));
        arguments.push(&url);
        curl(&arguments).await
    }
}

/// The hidden fields of a page that have this name, in order.
#[must_use]
pub fn hidden<'page>(page: &'page str, name: &str) -> Vec<&'page str> {
    let begin = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    page.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Runs curl once; it follows nothing.
///
/// # Errors
/// With curl's own words, when there is no answer or it cannot be trusted.
pub async fn curl(arguments: &[&str]) -> Result<Answer> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "30", "-w", "\n%{http_code} %{redirect_url}"]);
    let output = command.args(arguments).output().await.context("starting curl")?;
    if !output.status.success() {
        bail!("curl: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let printed = String::from_utf8(output.stdout).context("the page is not UTF-8")?;
    let (body, result) = printed.rsplit_once('\n').context("no result")?;
    let (status, location) = result.split_once(' ').context("no status")?;
    Ok(Answer { status: status.parse()?, location: location.to_owned(), body: body.to_owned() })
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}
