//! The command line `homenichat`. It knows the API and nothing else of the box.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its terminal")]

mod card;
mod client;
mod secret;
mod show;
mod watch;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use client::Client;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Your telephone box from a terminal.
#[derive(Debug, Parser)]
#[command(name = "homenichat", version, arg_required_else_help = true)]
struct Arguments {
    /// Where the box answers.
    #[arg(long, env = "HOMENICHAT_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The certificate of the box's authority, for an address with https; the box offers it at http://BOX/authority.crt.
    #[arg(long, env = "HOMENICHAT_AUTHORITY")]
    authority: Option<PathBuf>,
    /// The file that keeps you signed in.
    #[arg(long, env = "HOMENICHAT_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Print the box's own JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create the owner of a new box and sign in.
    Setup {
        /// Your name on the box.
        username: String,
    },
    /// Sign in; the password is asked for, or read from standard input.
    Login {
        /// Your name on the box.
        username: String,
    },
    /// Sign out.
    Logout,
    /// How everything is, with proofs and their age.
    Status,
    /// The lines: your numbers, their operator and signal.
    Lines,
    /// The modems.
    Modems,
    /// Enter the PIN of a modem's SIM; it is asked for, or read from standard input.
    Pin {
        /// The modem, as `homenichat modems` names it.
        modem: String,
    },
    /// The conversations.
    Chats,
    /// The messages of a conversation, the oldest first.
    Messages {
        /// The conversation, as `homenichat chats` names it.
        chat: String,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Send an SMS.
    Send {
        /// To which number.
        to: String,
        /// The text; without it, it is read from standard input.
        text: Option<String>,
        /// From which of your numbers or lines.
        #[arg(long)]
        from: Option<String>,
        /// Wait until the network took it, or refused it.
        #[arg(long)]
        wait: bool,
    },
    /// Ask the network, such as `*100#`.
    Ussd {
        /// The line, as `homenichat lines` names it.
        line: String,
        /// The code; `reply:1` replies in an open session.
        code: String,
    },
    /// Calls, the most recent first.
    Calls,
    /// Ring your phone, then call a number.
    Call {
        /// Whom to call.
        to: String,
        /// The phone that rings first.
        #[arg(long)]
        extension: Option<String>,
        /// From which of your numbers or lines.
        #[arg(long)]
        from: Option<String>,
    },
    /// End a call.
    Hangup {
        /// The call, as `homenichat calls` names it.
        call: String,
    },
    /// The accounts that SIP phones are configured with.
    Phones,
    /// What the box did by itself.
    Events,
    /// Show messages, calls and changes as they happen, until Ctrl-C.
    Watch,
    /// Show name, addresses and modems of the box that runs on this machine, for its console.
    Card {
        /// Where the box keeps what is derived while it runs.
        #[arg(long, default_value = "/run/homenichat")]
        run_dir: PathBuf,
        /// The file that says why there is no place for messages, where there is none.
        #[arg(long, default_value = "/run/boot/no-data")]
        no_data: PathBuf,
        /// Stay, and draw again what changes.
        #[arg(long)]
        follow: bool,
    },
    /// Remove everything of the owner from the box: messages, voicemail, users, settings.
    FactoryReset {
        /// Do not ask whether you are sure.
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.context("starting").and_then(|runtime| runtime.block_on(run(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("homenichat: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { url, authority, token_file, json, action } = arguments;
    let client = Client::new(&url, authority.as_deref(), token_file)?;
    let show = show::Show { json };
    match action {
        Action::Setup { username } => sign_in(&client, "/api/setup/owner", &username).await,
        Action::Login { username } => sign_in(&client, "/api/auth/login", &username).await,
        Action::Logout => {
            client.post("/api/auth/logout", &json!({})).await?;
            client.forget_token()
        }
        Action::Status => show.health(&client.get("/api/health").await?),
        Action::Lines => show.lines(&client.get("/api/lines").await?),
        Action::Modems => show.modems(&client.get("/api/modems").await?),
        Action::Pin { modem } => {
            let pin = secret::read("PIN: ")?;
            client.post(&format!("/api/modems/{}/pin", segment(&modem)), &json!({ "pin": pin })).await?;
            show.line("the SIM accepted the PIN")
        }
        Action::Chats => show.chats(&client.get("/api/chats").await?),
        Action::Messages { chat, limit } => {
            show.messages(&client.get(&format!("/api/chats/{}/messages?limit={limit}", segment(&chat))).await?)
        }
        Action::Send { to, text, from, wait } => send(&client, &show, to, text, from, wait).await,
        Action::Ussd { line, code } => ussd(&client, &show, &line, &code).await,
        Action::Calls => show.calls(&client.get("/api/calls").await?),
        Action::Call { to, extension, from } => {
            let call = json!({ "destination": to, "extension": extension, "from": from });
            show.placed(&client.post("/api/calls/originate", &call).await?)
        }
        Action::Hangup { call } => {
            client.post(&format!("/api/calls/{}/hangup", segment(&call)), &json!({})).await?;
            show.line("the call was ended")
        }
        Action::Phones => show.phones(&client.get("/api/voip/extensions").await?),
        Action::Events => show.events(&client.get("/api/events").await?),
        Action::Watch => watch::watch(&client, &show).await,
        Action::Card { run_dir, no_data, follow: false } => card::print(&run_dir, &no_data),
        Action::Card { run_dir, no_data, follow: true } => card::follow(&run_dir, &no_data).await,
        Action::FactoryReset { yes } => factory_reset(&client, &show, yes).await,
    }
}

async fn factory_reset(client: &Client, show: &show::Show, is_sure: bool) -> Result<()> {
    if !is_sure {
        eprint!("Everything on the box goes: messages, voicemail, users, settings. Type `erase` to go on: ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).context("reading standard input")?;
        if answer.trim() != "erase" {
            bail!("nothing was changed");
        }
    }
    let password = secret::read("Password: ")?;
    client.post("/api/system/factory-reset", &json!({ "password": password })).await?;
    client.forget_token()?;
    show.line("the box removes everything and begins anew")
}

async fn sign_in(client: &Client, path: &str, username: &str) -> Result<()> {
    let password = secret::read("Password: ")?;
    let answer = client.post(path, &json!({ "username": username, "password": password })).await?;
    let token = answer.get("token").and_then(serde_json::Value::as_str).context("the box gave no token")?;
    client.keep_token(token)?;
    println!("signed in as {username}");
    Ok(())
}

async fn send(
    client: &Client,
    show: &show::Show,
    to: String,
    text: Option<String>,
    from: Option<String>,
    wait: bool,
) -> Result<()> {
    let text = match text {
        Some(text) => text,
        None => std::io::read_to_string(std::io::stdin()).context("reading the text")?.trim_end().to_owned(),
    };
    // The stream is opened first, so that no answer can pass before it is listened to.
    let events = if wait { Some(client.events().await?) } else { None };
    let body = json!({ "to": to, "message": text, "from": from });
    let accepted = client.post("/api/sms/send", &body).await?;
    show.accepted(&accepted)?;
    match events {
        Some(events) => watch::outcome(events, show, accepted.get("messageId")).await,
        None => Ok(()),
    }
}

async fn ussd(client: &Client, show: &show::Show, line: &str, code: &str) -> Result<()> {
    let line = segment(line);
    let answer = match code.strip_prefix("reply:") {
        Some(reply) => client.post(&format!("/api/lines/{line}/ussd/reply"), &json!({ "text": reply })).await?,
        None => client.post(&format!("/api/lines/{line}/ussd"), &json!({ "code": code })).await?,
    };
    show.ussd(&answer)
}

/// A path segment, percent-encoded.
fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Refuses what is not there.
fn must<T>(value: Option<T>, what: &str) -> Result<T> {
    match value {
        Some(value) => Ok(value),
        None => bail!("the box's answer has no {what}; is it a newer or older box?"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_chat_id_becomes_one_path_segment() {
        assert_eq!(super::segment("sms_+336_+337/x"), "sms_%2B336_%2B337%2Fx");
    }
}
