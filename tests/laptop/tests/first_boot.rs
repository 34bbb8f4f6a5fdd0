//! A new box: its authority, its pages, its card, and giving it back as it came.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking")]

use anyhow::Context;
use laptop_tests::browser::{Browser, curl, hidden};
use laptop_tests::clock::wait_for;
use laptop_tests::lab::{EC25, Lab, START, program};
use serde_json::json;
use std::path::Path;
use tokio::process::Command;

const PASSWORD: &str = "blaue Katze";
/// Long enough that no port and no process id holds it by chance.
const PIN: &str = "47110815";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_trusts_the_authority_trusts_the_box_under_its_names_only() {
    let mut lab = Lab::prepare(|_| {}, |_| {}).await.unwrap();
    lab.start_supervisor().await.unwrap();
    let browser = Browser::start(&lab, "browser").await.unwrap();
    for host in ["homenichat.local", "localhost", "127.0.0.1"] {
        assert_eq!(browser.at(host).open("/livez").await.unwrap().status, 200, "{host}");
    }
    for host in ["other.local", "evil.example"] {
        assert!(browser.at(host).open("/livez").await.is_err(), "{host}");
    }
    let tls = lab.settings().https.clone().unwrap();
    let untrusted = curl(&[&format!("https://{}/livez", tls.listen)]).await.unwrap_err();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");

    let plain = tls.redirect.unwrap();
    let led = curl(&["-H", "Host: box.local", &format!("http://{plain}/setup?a=b")]).await.unwrap();
    assert_eq!((led.status, led.location), (307, format!("https://box.local:{}/setup?a=b", tls.listen.port())));
    let refused = curl(&["-d", "password=x", &format!("http://{plain}/login")]).await.unwrap();
    assert_eq!(refused.status, 403);

    // A power cut changes neither authority nor certificate.
    lab.kill_supervisor().await.unwrap();
    let before = std::fs::read(lab.dir().join("etc/tls/server.pem")).unwrap();
    lab.start_supervisor().await.unwrap();
    assert_eq!(browser.open("/livez").await.unwrap().status, 200);
    assert_eq!(std::fs::read(lab.dir().join("etc/tls/server.pem")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_is_set_up_by_forms_and_an_interruption_costs_nothing() {
    let mut lab = Lab::prepare(|config| config.modems[0].profile.sim.as_mut().unwrap().pin = Some(PIN.into()), |_| {})
        .await
        .unwrap();
    lab.start_supervisor().await.unwrap();
    let browser = Browser::start(&lab, "browser").await.unwrap();
    assert!(browser.open("/").await.unwrap().location.ends_with("/setup"));
    assert!(browser.open("/setup").await.unwrap().location.ends_with("/setup/language"));
    // Nothing that comes later answers before its time, and no other site sends our forms.
    for path in ["/setup/owner", "/setup/name", "/setup/lines", "/setup/test", "/reset"] {
        let answer = browser.open(path).await.unwrap();
        assert_eq!(answer.status, 303, "{path}: {}", answer.body);
    }
    let foreign = browser.submit_from("https://evil.example", "/setup/language", &[("language", "fr")]).await.unwrap();
    assert_eq!(foreign.status, 403);
    browser.submit("/setup/language", &[("language", "fr")]).await.unwrap();
    let owner = browser.open("/setup/owner").await.unwrap();
    assert!(owner.body.contains("<html lang=\"fr\">") && owner.body.contains("Mot de passe"), "{}", owner.body);

    for (password, again, why) in [("kurz", "kurz", "au moins 8"), (PASSWORD, "rote Katze", "différents")] {
        let fields = [("username", "<b>Zoé</b>"), ("password", password), ("again", again)];
        let refused = browser.submit("/setup/owner", &fields).await.unwrap();
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains(why) && refused.body.contains("&lt;b&gt;Zoé"), "{}", refused.body);
        assert!(!refused.body.contains("<b>") && !refused.body.contains(password), "{}", refused.body);
    }
    let fields = [("username", "Zoé"), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(browser.submit("/setup/owner", &fields).await.unwrap().status, 303);

    // The power goes in the middle of it.
    lab.kill_supervisor().await.unwrap();
    lab.start_supervisor().await.unwrap();
    assert!(browser.open("/setup").await.unwrap().location.ends_with("/setup/name"));
    let stranger = Browser::start(&lab, "stranger").await.unwrap();
    assert!(stranger.open("/setup/name").await.unwrap().location.ends_with("/login"));
    assert!(stranger.submit("/setup/owner", &fields).await.unwrap().location.ends_with("/setup/name"));

    assert_eq!(browser.submit("/setup/name", &[("name", "  ")]).await.unwrap().status, 422);
    let hostile = "Zoé's <script>alert(1)</script>";
    assert_eq!(browser.submit("/setup/name", &[("name", hostile)]).await.unwrap().status, 303);
    enter_pins(&lab, &browser).await;
    send_a_test(&lab, &browser).await;
    assert!(browser.submit("/setup/finish", &[]).await.unwrap().status == 303);
    let home = browser.open("/").await.unwrap();
    assert_eq!(home.status, 200, "{}", home.location);
    assert!(!home.body.contains("<script"), "{}", home.body);
    assert!(home.body.contains("Zoé&#39;s &lt;script&gt;") && home.body.contains("▮▯ bon"), "{}", home.body);
    // The certificate follows the name.
    let renamed = browser.at("zoe-s-script-alert-1-script.local");
    let answers = || async { renamed.open("/livez").await.ok().filter(|answer| answer.status == 200) };
    wait_for("the certificate to cover the new name", START, answers).await.unwrap();
    lab.assert_private(&[PASSWORD, PIN, "+33612000001"]);
}

async fn enter_pins(lab: &Lab, browser: &Browser) {
    let modem = wait_for("the page to ask for the PIN", START, || async {
        let page = browser.open("/setup/lines").await.ok()?;
        let (_, rest) = page.body.split_once("name=\"modem\" value=\"")?;
        page.body.contains("3 essais restants").then(|| rest.split('"').next().unwrap_or_default().to_owned())
    });
    let modem = modem.await.with_context(|| lab.log()).unwrap();
    let wrong = browser.submit("/setup/pin", &[("modem", &modem), ("pin", "0816")]).await.unwrap();
    assert!(wrong.status == 422 && wrong.body.contains("refusé ce code PIN"), "{}", wrong.body);
    assert!(!wrong.body.contains("0816"), "{}", wrong.body);
    let right = browser.submit("/setup/pin", &[("modem", &modem), ("pin", PIN)]).await.unwrap();
    assert_eq!(right.status, 303, "{}", right.body);
    let ready = || async {
        let page = browser.open("/setup/lines").await.ok()?;
        let is_ready = page.body.matches("<dd>prêt</dd>").count() == 2 && page.body.contains("Orange F");
        (is_ready && page.body.contains("▮")).then_some(())
    };
    wait_for("both lines to be ready on the page", START, ready).await.with_context(|| lab.log()).unwrap();
    assert!(browser.submit("/setup/lines", &[]).await.unwrap().location.ends_with("/setup/test"));
}

async fn send_a_test(lab: &Lab, browser: &Browser) {
    let page = browser.open("/setup/test").await.unwrap();
    let line = page.body.split_once("<option value=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a line");
    let refused = browser.submit("/setup/test", &[("line", line), ("to", "Mum")]).await.unwrap();
    assert!(refused.status == 422 && refused.body.contains("numéro de téléphone"), "{}", refused.body);
    let sent = browser.submit("/setup/test", &[("line", line), ("to", "+33 6 98 76 54 32")]).await.unwrap();
    let path = sent.location.split_once("/setup/test").map(|(_, query)| format!("/setup/test{query}")).unwrap();
    lab.wait_for_sent("Bonjour de votre box HomeniChat.").await.unwrap();
    let works = || async { browser.open(&path).await.ok()?.body.contains("Tout fonctionne").then_some(()) };
    wait_for("the page to say that it works", START, works).await.with_context(|| lab.log()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_factory_reset_leaves_nothing_of_the_owner() {
    let mut lab = Lab::start().await.unwrap();
    let browser = Browser::start(&lab, "before").await.unwrap();
    lab.send_by(&lab.line_of(EC25).await.unwrap(), "Zaunkönig").await.unwrap();
    lab.wait_for_sent("Zaunkönig").await.unwrap();
    let wrong = json!({"password": "rote Katze"});
    let (status, _) = lab.api.post("/api/system/factory-reset", wrong).await.unwrap();
    assert_eq!(status.as_u16(), 401);
    assert_eq!(lab.api.get("/api/lines").await.unwrap().0.as_u16(), 200);
    let refused = browser.submit("/reset", &[("password", PASSWORD)]).await.unwrap();
    assert_eq!((refused.status, refused.location.ends_with("/login")), (303, true), "nobody is signed in here");
    browser.submit("/login", &[("username", "owner"), ("password", PASSWORD)]).await.unwrap();
    let page = browser.open("/reset").await.unwrap();
    assert!(page.body.contains("This cannot be undone"), "{}", page.body);
    let wrong = browser.submit("/reset", &[("password", "rote Katze")]).await.unwrap();
    assert!(wrong.status == 401 && wrong.body.contains("<form"), "{}: {}", wrong.status, wrong.body);
    let begun = browser.submit("/reset", &[("password", PASSWORD)]).await.unwrap();
    assert!(begun.status == 200 && begun.body.contains("begins anew"), "{}: {}", begun.status, begun.body);
    lab.wait_for_end().await.unwrap();
    for dir in ["state", "etc", "run"] {
        let left: Vec<_> = std::fs::read_dir(lab.dir().join(dir)).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{dir}: {left:?}");
    }
    assert!(lab.asterisk_pid().is_none());

    lab.write_settings().unwrap();
    lab.start_supervisor().await.unwrap();
    let (_, setup) = lab.api.get("/api/setup/status").await.unwrap();
    assert_eq!(setup["setupNeeded"], json!(true));
    assert!(browser.open("/livez").await.is_err(), "the old authority still vouches for the box");
    let again = Browser::start(&lab, "after").await.unwrap();
    assert_eq!(again.open("/livez").await.unwrap().status, 200);
    assert_ne!(std::fs::read(again.authority()).unwrap(), std::fs::read(browser.authority()).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_changes_the_files_of_the_box_in_a_browser_and_a_mistake_changes_nothing() {
    let lab = Lab::start().await.unwrap();
    let browser = Browser::start(&lab, "owner").await.unwrap();
    let settings = std::fs::read_to_string(lab.settings_file()).unwrap();
    assert!(browser.open("/settings").await.unwrap().location.ends_with("/login"));
    assert!(browser.submit("/settings", &[("before", ""), ("text", "")]).await.unwrap().location.ends_with("/login"));
    browser.submit("/login", &[("username", "owner"), ("password", PASSWORD)]).await.unwrap();
    let page = browser.open("/settings").await.unwrap().body;
    assert!(page.contains("settings.toml<textarea"), "{page}");
    let before: [&str; 2] = hidden(&page, "before").try_into().unwrap();

    let no_doors = &settings[..settings.find("[https]").unwrap()];
    let other_door = settings.replace("[http]\nlisten = \"127.0.0.1", "[http]\nlisten = \"10.9.8.7");
    assert_ne!(other_door, settings);
    let added = ["[box", "nonsense = 1\n", "[network]\naddress = \"192.168.1.0/24\"\n", &"#".repeat(70_000)]
        .map(|wrong| format!("{settings}\n{wrong}"));
    for wrong in added.iter().map(String::as_str).chain([no_doors, &other_door]) {
        let refused = browser.submit("/settings", &[("before", before[0]), ("text", wrong)]).await.unwrap();
        assert!(refused.status == 422 && refused.body.contains("role=\"alert\""), "{}: {wrong:.2000}", refused.status);
        let refused = browser.submit("/settings/modems", &[("before", before[1]), ("text", wrong)]).await.unwrap();
        assert_eq!(refused.status, 422, "{wrong:.2000}");
    }
    assert_eq!(std::fs::read_to_string(lab.settings_file()).unwrap(), settings);
    assert!(!lab.settings_file().with_file_name("modems.toml").exists());

    // As a browser sends it, with the ends of its lines.
    let changed = settings.replace("name = \"HomeniChat\"", "name = \"Étude\"");
    assert_ne!(changed, settings);
    let sent = changed.replace('\n', "\r\n");
    assert_eq!(browser.submit("/settings", &[("before", before[0]), ("text", &sent)]).await.unwrap().status, 303);
    assert_eq!(std::fs::read_to_string(lab.settings_file()).unwrap(), changed);
    // What the first page showed is not what the file has now.
    let late = browser.submit("/settings", &[("before", before[0]), ("text", &settings)]).await.unwrap();
    assert!(late.status == 422 && late.body.contains("changed meanwhile"), "{}", late.status);
    let is_applied = || async { browser.open("/settings").await.ok()?.body.contains("Étude</").then_some(()) };
    wait_for("the pages to bear the new name", START, is_applied).await.unwrap();
    let row =
        "[[modem]]\nname = \"Maker Model\"\nvendor = \"2c7c\"\nproduct = \"0999\"\nfamily = \"quectel\"\nat = [2]\n";
    let kept = browser.submit("/settings/modems", &[("before", before[1]), ("text", row)]).await.unwrap();
    assert_eq!(kept.status, 303, "{}", kept.body);
    assert!(browser.open("/settings").await.unwrap().body.contains("Maker Model"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_shows_where_to_go_and_how_the_modems_are_and_nothing_private() {
    let lab = Lab::start().await.unwrap();
    let port = lab.settings().https.as_ref().unwrap().listen.port();
    let run_dir = lab.dir().join("run");
    let shown = || async {
        let card = card(&run_dir).await;
        (card.matches(": ready").count() == 2 && card.contains("This box is open at")).then_some(card)
    };
    let card = wait_for("the card to show both modems", START, shown).await.unwrap();
    assert!(card.contains(&format!("https://127.0.0.1:{port}")) && card.contains('█'), "{card}");
    assert!(card.contains("EC25") && !card.contains("+336") && !card.contains("owner"), "{card}");
}

async fn card(run_dir: &Path) -> String {
    let output = Command::new(program("homenichat").unwrap()).arg("card").arg("--run-dir").arg(run_dir).output().await;
    String::from_utf8(output.unwrap().stdout).unwrap()
}
