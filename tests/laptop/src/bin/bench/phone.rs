//! A phone for measuring: no more of SIP (RFC 3261) than a call needs, and the times of what happens.

use crate::stand::SipAccount;
use anyhow::{Context, Result, bail, ensure};
use laptop_tests::clock::now;
use md5::{Digest, Md5};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const ANSWER: Duration = Duration::from_secs(20);

/// A phone on a port of its own.
pub(crate) struct Phone {
    account: SipAccount,
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    inbox: mpsc::Receiver<(Instant, Message)>,
    reader: JoinHandle<()>,
    /// Makes branches, tags and call ids.
    serial: u32,
}

/// A call that is up.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    dialog: Dialog,
    /// Where the box wants sound.
    pub(crate) sound: SocketAddr,
}

#[derive(Debug, Clone)]
struct Dialog {
    id: String,
    from: String,
    to: String,
    target: String,
    cseq: u32,
}

/// A request or an answer.
#[derive(Debug, Clone)]
struct Message {
    start: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Phone {
    /// A phone that is not registered: enough to call out.
    pub(crate) async fn open(account: SipAccount) -> Result<Self> {
        let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        socket.connect(account.registrar).await?;
        let (sender, inbox) = mpsc::channel(64);
        let reader = tokio::spawn(read(Arc::clone(&socket), sender));
        Ok(Self { account, address: socket.local_addr()?, socket, inbox, reader, serial: 0 })
    }

    /// Tells the box where it is.
    pub(crate) async fn register(&mut self) -> Result<()> {
        let uri = format!("sip:{}", self.account.registrar);
        let own = format!("<sip:{}@{}>", self.account.user, self.account.registrar);
        let mut dialog = self.dialog(own, uri);
        let answer = self.request("REGISTER", &mut dialog, None).await?;
        ensure!(answer.status() == Some(200), "the box does not register the phone: {}", answer.start);
        Ok(())
    }

    /// Calls a number and waits until it answers; sound is wanted at `sound_port`.
    pub(crate) async fn call(&mut self, number: &str, sound_port: u16) -> Result<Call> {
        let uri = format!("sip:{number}@{}", self.account.registrar);
        let mut dialog = self.dialog(format!("<{uri}>"), uri);
        let answer = self.request("INVITE", &mut dialog, Some(&offer(sound_port))).await?;
        ensure!(answer.status() == Some(200), "the call to {number} failed: {}", answer.start);
        dialog.to = answer.header("to").context("To")?.to_owned();
        dialog.target = answer.contact().context("Contact")?;
        let branch = self.token("z9hG4bK");
        self.send("ACK", &dialog, &branch, "", None).await?;
        Ok(Call { sound: answer.sound()?, dialog })
    }

    /// Hangs up.
    pub(crate) async fn hang_up(&mut self, call: Call) -> Result<()> {
        let mut dialog = call.dialog;
        dialog.cseq += 1;
        let answer = self.request("BYE", &mut dialog, None).await?;
        ensure!(answer.status() == Some(200), "the box does not take BYE: {}", answer.start);
        Ok(())
    }

    /// Waits until somebody calls, says that the phone rings, and returns when the call came.
    pub(crate) async fn ring(&mut self) -> Result<Instant> {
        loop {
            let (at, message) = self.next().await?;
            if message.start.starts_with("INVITE ") {
                let answer = message.answer("180 Ringing", &self.token("t"));
                self.socket.send(answer.as_bytes()).await?;
                return Ok(at);
            }
        }
    }

    /// Sends a request, proves who asks if the box wants to know, and returns the final answer.
    async fn request(&mut self, method: &str, dialog: &mut Dialog, body: Option<&str>) -> Result<Message> {
        let mut proof = String::new();
        loop {
            let branch = self.token("z9hG4bK");
            self.send(method, dialog, &branch, &proof, body).await?;
            let answer = self.final_answer(dialog).await?;
            if method == "INVITE" && answer.status() != Some(200) {
                // A refusal is acknowledged in the same transaction (RFC 3261 §17.1.1.3).
                let refused = Dialog { to: answer.header("to").context("To")?.to_owned(), ..dialog.clone() };
                self.send("ACK", &refused, &branch, "", None).await?;
            }
            if !matches!(answer.status(), Some(401 | 407)) || !proof.is_empty() {
                return Ok(answer);
            }
            proof = self.proof(method, &dialog.target, &answer)?;
            dialog.cseq += 1;
        }
    }

    async fn final_answer(&mut self, dialog: &Dialog) -> Result<Message> {
        let cseq = dialog.cseq.to_string();
        loop {
            let (_, message) = self.next().await?;
            let is_ours = message.header("call-id") == Some(&dialog.id)
                && message.header("cseq").and_then(|text| text.split(' ').next()) == Some(&cseq);
            if is_ours && message.status().is_some_and(|status| status >= 200) {
                return Ok(message);
            }
        }
    }

    async fn next(&mut self) -> Result<(Instant, Message)> {
        let next = tokio::time::timeout(ANSWER, self.inbox.recv()).await;
        next.context("the box says nothing to the phone")?.context("the phone has no socket")
    }

    async fn send(&self, method: &str, dialog: &Dialog, branch: &str, proof: &str, body: Option<&str>) -> Result<()> {
        let Dialog { id, from, to, target, cseq } = dialog;
        let (address, user) = (self.address, &self.account.user);
        let body = body.unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {address};rport;branch={branch}\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{user}@{address}>\r\n\
             {proof}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send(text.as_bytes()).await?;
        Ok(())
    }

    fn dialog(&mut self, to: String, target: String) -> Dialog {
        let (id, tag) = (self.token("c"), self.token("t"));
        let from = format!("<sip:{}@{}>;tag={tag}", self.account.user, self.account.registrar);
        Dialog { id, from, to, target, cseq: 1 }
    }

    /// Unique on this machine: nobody else has the port.
    fn token(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}{}x{}", self.address.port(), self.serial)
    }

    /// The header that answers a challenge (RFC 2617 with `qop=auth`).
    fn proof(&self, method: &str, uri: &str, answer: &Message) -> Result<String> {
        let (name, challenge) = match answer.challenge("www-authenticate") {
            Some(challenge) => ("Authorization", challenge),
            None => ("Proxy-Authorization", answer.challenge("proxy-authenticate").context("no challenge with MD5")?),
        };
        let of = |key: &str| parameter(challenge, key).with_context(|| format!("no {key} in the challenge"));
        let (realm, nonce) = (of("realm")?, of("nonce")?);
        let SipAccount { user, password, .. } = &self.account;
        let secret = md5_hex(&format!("{user}:{realm}:{password}"));
        let subject = md5_hex(&format!("{method}:{uri}"));
        let response = md5_hex(&format!("{secret}:{nonce}:00000001:measure:auth:{subject}"));
        let opaque = of("opaque").map_or_else(|_| String::new(), |opaque| format!(",opaque=\"{opaque}\""));
        Ok(format!(
            "{name}: Digest username=\"{user}\",realm=\"{realm}\",nonce=\"{nonce}\",uri=\"{uri}\",response=\"{response}\",\
             algorithm=MD5,qop=auth,nc=00000001,cnonce=\"measure\"{opaque}\r\n"
        ))
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Answers what needs no decision, and hands on the rest with the time at which it came.
async fn read(socket: Arc<UdpSocket>, inbox: mpsc::Sender<(Instant, Message)>) {
    let mut buffer = vec![0_u8; 65_536];
    while let Ok(length) = socket.recv(&mut buffer).await {
        let at = now();
        let Some(message) = Message::parse(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default())) else {
            continue;
        };
        let mut answers = Vec::new();
        match message.start.split(' ').next() {
            Some("ACK") => continue,
            Some("INVITE" | "SIP/2.0") => {}
            Some("CANCEL") => {
                answers.push(message.answer("200 OK", "cancelled"));
                answers
                    .push(message.answer("487 Request Terminated", "cancelled").replace(" CANCEL\r\n", " INVITE\r\n"));
            }
            _ => answers.push(message.answer("200 OK", "any")),
        }
        for answer in &answers {
            if socket.send(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        if answers.is_empty() && inbox.send((at, message)).await.is_err() {
            return;
        }
    }
}

impl Message {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let header =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Some(Self { start, headers: lines.filter_map(header).collect(), body: body.to_owned() })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    fn contact(&self) -> Option<String> {
        let (_, rest) = self.header("contact")?.split_once('<')?;
        Some(rest.split_once('>')?.0.to_owned())
    }

    /// The challenge that MD5 answers.
    fn challenge(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        all.find(|text| parameter(text, "algorithm").is_none_or(|algorithm| algorithm.eq_ignore_ascii_case("md5")))
    }

    /// Where the other side wants sound (RFC 4566).
    fn sound(&self) -> Result<SocketAddr> {
        let line = |prefix: &str| self.body.lines().find_map(|line| line.strip_prefix(prefix));
        let (host, port) = (line("c=IN IP4 ").context("c=")?, line("m=audio ").context("m=audio")?);
        let Some(port) = port.split(' ').next() else { bail!("no port in `m=audio {port}`") };
        Ok(SocketAddr::new(host.trim().parse()?, port.parse()?))
    }

    fn answer(&self, status: &str, tag: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for (name, value) in
            self.headers.iter().filter(|(name, _)| matches!(name.as_str(), "via" | "from" | "call-id" | "cseq"))
        {
            text += &format!("{name}: {value}\r\n");
        }
        let to = self.header("to").unwrap_or_default();
        let tag = if to.contains("tag=") { String::new() } else { format!(";tag={tag}") };
        text + &format!("To: {to}{tag}\r\nContact: <sip:phone@127.0.0.1>\r\nContent-Length: 0\r\n\r\n")
    }
}

/// G.711 A-law alone, so that nothing is negotiated.
fn offer(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n\
         a=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// The value of `key=value` or `key="value"` in a challenge.
fn parameter<'a>(challenge: &'a str, key: &str) -> Option<&'a str> {
    let parts = challenge.trim_start_matches("Digest ").split(',');
    let value = parts.filter_map(|part| part.trim().split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case(key));
    value.map(|(_, value)| value.trim_matches('"'))
}

fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let text = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 127.0.0.1:5\r\nCSeq: 7 REGISTER\r\n\
                    WWW-Authenticate: Digest realm=\"asterisk\",nonce=\"1/2\",algorithm=SHA-256\r\n\
                    WWW-Authenticate: Digest realm=\"asterisk\",nonce=\"3/4\",algorithm=MD5,qop=\"auth\"\r\n\
                    Contact: <sip:127.0.0.1:9>;q=1\r\n\r\nv=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n";
        let message = Message::parse(text).unwrap();
        assert_eq!((message.status(), message.header("cseq")), (Some(401), Some("7 REGISTER")));
        let challenge = message.challenge("www-authenticate").unwrap();
        assert_eq!(parameter(challenge, "nonce"), Some("3/4"));
        assert_eq!(message.contact().as_deref(), Some("sip:127.0.0.1:9"));
        assert_eq!(message.sound().unwrap().to_string(), "127.0.0.1:4000");
    }

    #[test]
    fn digests_are_those_of_rfc_1321() {
        assert_eq!(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    }
}
