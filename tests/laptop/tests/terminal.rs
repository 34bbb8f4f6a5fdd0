//! The box from a terminal, by nothing but the command line.
#![expect(clippy::unwrap_used, reason = "a story fails by panicking")]

use anyhow::{Context, Result};
use laptop_tests::calls::PHONE_HZ;
use laptop_tests::clock::wait_for;
use laptop_tests::house::OWNER;
use laptop_tests::lab::{EC25, Lab, SIM7600, START, program};
use laptop_tests::typing;
use modem_sim::core::CallState;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;

/// Long enough that no port and no process id holds it by chance.
const PIN: &str = "47110815";
const NUMBER: &str = "+33698765432";
const MOMENT: Duration = Duration::from_secs(30);

/// A terminal of somebody who is signed in, or not yet.
struct Terminal {
    url: String,
    authority: Option<PathBuf>,
    token: PathBuf,
}

impl Terminal {
    fn new(lab: &Lab) -> Self {
        Self { url: format!("http://{}", lab.settings().http.listen), authority: None, token: lab.dir().join("token") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("homenichat").unwrap());
        command.arg("--url").arg(&self.url).arg("--token-file").arg(&self.token);
        if let Some(authority) = &self.authority {
            command.arg("--authority").arg(authority);
        }
        command.args(arguments).kill_on_drop(true);
        command
    }

    /// What a command prints, with `typed` as what is typed; an error when it fails.
    async fn run(&self, arguments: &[&str], typed: &str) -> Result<String> {
        typing::run(&mut self.command(arguments), typed).await
    }

    /// What a command that must fail says of it.
    async fn refused(&self, arguments: &[&str], typed: &str) -> String {
        let error = self.run(arguments, typed).await.unwrap_err().to_string();
        assert!(error.contains("homenichat: ") && !error.contains("panicked"), "{error}");
        error
    }

    /// The first word of the first line that holds `what`.
    async fn first_word(&self, list: &str, what: &str) -> String {
        let printed = self.run(&[list], "").await.unwrap();
        let line = printed.lines().find(|line| line.contains(what));
        line.and_then(|line| line.split_whitespace().next()).with_context(|| printed.clone()).unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_user_lives_without_a_browser() {
    let mut lab = Lab::prepare(|config| config.modems[0].profile.sim.as_mut().unwrap().pin = Some(PIN.into()), |_| {})
        .await
        .unwrap();
    lab.start_supervisor().await.unwrap();
    let terminal = Terminal::new(&lab);
    let refused = terminal.refused(&["status"], "").await;
    assert!(refused.contains("homenichat setup"), "{refused}");
    assert!(terminal.refused(&["setup", OWNER.0], "short\n").await.contains("password"));
    let password = format!("{}\n", OWNER.1);
    assert!(terminal.run(&["setup", OWNER.0], &password).await.unwrap().contains("signed in"));
    assert_eq!(terminal.run(&["logout"], "").await.unwrap(), "");
    assert!(terminal.refused(&["login", OWNER.0], "rote Katze\n").await.len() > 20);
    terminal.run(&["login", OWNER.0], &password).await.unwrap();
    lab.sign_in().await.unwrap();

    lab.wait_for_modem(EC25, "pin_needed").await.unwrap();
    let modem = terminal.first_word("modems", "pin_needed").await;
    assert!(terminal.refused(&["pin", &modem], "12\n").await.contains("digits"));
    assert!(terminal.run(&["pin", &modem], &format!("{PIN}\n")).await.unwrap().contains("accepted"));
    lab.wait_for_lines(2).await.unwrap();
    lab.wait_for_asterisk().await.unwrap();
    assert_eq!(terminal.run(&["lines"], "").await.unwrap().lines().count(), 2);
    assert!(terminal.run(&["status"], "").await.unwrap().contains("asterisk"));
    assert!(terminal.run(&["phones"], "").await.unwrap().contains("2001"));

    messages(&lab, &terminal).await;
    calls(&lab, &terminal).await;
    lab.assert_private(&[NUMBER, "Zaunkönig", "Rotkehlchen", PIN]);
}

async fn messages(lab: &Lab, terminal: &Terminal) {
    let watch = terminal.command(&["watch"]).stdout(fs::File::create(lab.dir().join("watched")).unwrap()).spawn();
    let mut watch = watch.unwrap();
    let line = lab.line_of(SIM7600).await.unwrap();
    let sent = terminal.run(&["send", NUMBER, "Zaunkönig", "--from", &line, "--wait"], "").await.unwrap();
    assert!(sent.ends_with("sent\n"), "{sent}");
    assert_eq!(lab.wait_for_sent("Zaunkönig").await.unwrap(), SIM7600);
    assert!(terminal.refused(&["send", "not a number", "x"], "").await.contains("not a telephone number"));
    terminal.run(&["send", NUMBER, "--from", &line], "typed\nin two lines\n").await.unwrap();
    lab.wait_for_sent("typed\nin two lines").await.unwrap();

    lab.sim.send_sms(EC25, NUMBER, "Rotkehlchen").await.unwrap();
    let watched = || async {
        let seen = fs::read_to_string(lab.dir().join("watched")).ok()?;
        (seen.contains("Rotkehlchen") && seen.contains(" is sent")).then_some(seen)
    };
    let seen = wait_for("the terminal to show what happens", MOMENT, watched).await.unwrap();
    assert!(!seen.contains("chats_list_update") && !seen.contains("pong"), "{seen}");
    watch.start_kill().unwrap();
    watch.wait().await.unwrap();
    let chat = terminal.first_word("chats", "Rotkehlchen").await;
    assert!(terminal.run(&["messages", &chat], "").await.unwrap().contains(&format!("{NUMBER}: Rotkehlchen")));
    assert!(terminal.run(&["--json", "chats"], "").await.unwrap().starts_with('{'));

    let asked = terminal.run(&["ussd", &line, "#123#"], "").await.unwrap();
    assert!(asked.contains("reply:1"), "{asked}");
    let answered = terminal.run(&["ussd", &line, "reply:1"], "").await.unwrap();
    assert!(!answered.contains("reply:1"), "{answered}");
}

async fn calls(lab: &Lab, terminal: &Terminal) {
    let phone = lab.phone("2001", PHONE_HZ, true).await.unwrap();
    let line = lab.line_of(SIM7600).await.unwrap();
    let placed = terminal.run(&["call", NUMBER, "--extension", "2001", "--from", &line], "").await.unwrap();
    lab.wait_for_call(SIM7600, CallState::Active).await.unwrap();
    let id = placed.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(terminal.run(&["calls"], "").await.unwrap().contains(&id));
    assert!(terminal.run(&["hangup", &id], "").await.unwrap().contains("ended"));
    lab.wait_for_no_call(SIM7600).await.unwrap();
    assert!(terminal.refused(&["hangup", &id], "").await.len() > 20);
    phone.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_command_line_trusts_the_authority_that_it_is_given_and_resets_the_box() {
    let mut lab = Lab::prepare(|_| {}, |_| {}).await.unwrap();
    lab.start_supervisor().await.unwrap();
    lab.create_owner().await.unwrap();
    let tls = lab.settings().https.as_ref().unwrap().listen;
    let mut terminal = Terminal { url: format!("https://{tls}"), ..Terminal::new(&lab) };
    let password = format!("{}\n", OWNER.1);
    assert!(terminal.refused(&["login", OWNER.0], &password).await.contains("/authority.crt"));
    terminal.authority = Some(lab.settings_file());
    assert!(terminal.refused(&["login", OWNER.0], &password).await.contains("no certificate"));
    let authority = lab.dir().join("authority.crt");
    fs::copy(lab.dir().join("etc/tls/authority.pem"), &authority).unwrap();
    terminal.authority = Some(authority);
    terminal.run(&["login", OWNER.0], &password).await.unwrap();
    assert!(terminal.run(&["status"], "").await.unwrap().contains("store"));

    assert!(terminal.refused(&["factory-reset"], "no\n").await.contains("nothing was changed"));
    assert!(terminal.refused(&["factory-reset", "--yes"], "rote Katze\n").await.len() > 20);
    terminal.run(&["lines"], "").await.unwrap();
    assert!(terminal.run(&["factory-reset", "--yes"], &password).await.unwrap().contains("begins anew"));
    lab.wait_for_end().await.unwrap();
    assert!(!terminal.token.exists() && !lab.database().exists());
    lab.write_settings().unwrap();
    lab.start_supervisor().await.unwrap();
    let is_new = || async { lab.api.read("/api/setup/status").await.ok()?["setupNeeded"].as_bool()?.then_some(()) };
    wait_for("the box to be new", START, is_new).await.with_context(|| lab.log()).unwrap();
    assert!(terminal.refused(&["setup", OWNER.0], &password).await.contains("this authority"), "another one by now");
}
