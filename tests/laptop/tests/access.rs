//! Who may do what, and what bad requests get.

use api::{Access, ENDPOINTS};
use laptop_tests::clock::wait_for;
use laptop_tests::http::Api;
use laptop_tests::lab::{EC25, Lab};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;

const MOMENT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_an_owner_exists_nothing_else_answers_and_only_one_can_be_made() {
    let mut lab = Lab::prepare(|_| {}, |_| {}).await.unwrap();
    lab.start_supervisor().await.unwrap();
    let (status, setup) = lab.api.get("/api/setup/status").await.unwrap();
    assert_eq!((status.as_u16(), &setup["setupNeeded"]), (200, &json!(true)));
    for path in ["/api/lines", "/api/chats", "/api/health", "/api/calls", "/api/events", "/api/modems"] {
        let (status, body) = lab.api.get(path).await.unwrap();
        assert_eq!((status.as_u16(), &body["code"]), (403, &json!("setup_needed")), "{path}");
        assert!(body["requestId"].as_str().unwrap().starts_with("r-"), "{path}");
    }
    // By then it would have been started long ago.
    let are_ready = || async { (lab.plain_log().matches("line is ready").count() == 2).then_some(()) };
    lab.wait_for("both lines to be ready", MOMENT, are_ready).await.unwrap();
    assert!(lab.asterisk_pid().is_none(), "a telephone would be answered");
    let weak = json!({"username": "me", "password": "12345678"});
    let (status, body) = lab.api.post("/api/setup/owner", weak).await.unwrap();
    assert_eq!(status.as_u16(), 400, "{body}");
    let owner = |name: &str| json!({"username": name, "password": "blaue Katze"});
    let (one, two) =
        tokio::join!(lab.api.post("/api/setup/owner", owner("one")), lab.api.post("/api/setup/owner", owner("two")),);
    let mut statuses = [one.unwrap().0.as_u16(), two.unwrap().0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let is_there = || async { lab.asterisk_pid() };
    lab.wait_for("Asterisk to be started", MOMENT, is_there).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_session_nothing_answers_but_liveness_and_what_comes_before_a_session() {
    let lab = Lab::start().await.unwrap();
    let anonymous = Api::new(lab.api.address);
    let mut impostor = anonymous.clone();
    impostor.token = Some("wrong".to_owned());
    let line = lab.line_of(EC25).await.unwrap();
    let mut open = Vec::new();
    for endpoint in ENDPOINTS {
        let path = endpoint.path.replace("{id}", &line);
        let method = endpoint.method.as_str();
        let body = || endpoint.request.map(|_| b"{}".to_vec());
        match endpoint.access {
            Access::Public => open.push(endpoint.id),
            // It becomes a socket, and the first frame must carry the token.
            Access::WebSocket => {
                let Err(refused) = impostor.events().await else { panic!("an impostor listens") };
                assert!(format!("{refused:#}").contains("auth_error"), "{refused:#}");
            }
            Access::User | Access::Admin => {
                for (who, client) in [("nobody", &anonymous), ("an impostor", &impostor)] {
                    let (status, answer) = client.send(method, &path, body()).await.unwrap();
                    let answer = (status.as_u16(), answer["code"].clone());
                    assert_eq!(answer, (401, json!("unauthorized")), "{method} {path} for {who}");
                }
            }
        }
    }
    assert_eq!(open, ["liveness", "login", "setup_status", "create_owner"]);
    // What apps ask before they can sign in tells whether there is an owner, and nothing else.
    let (status, setup) = anonymous.get("/api/setup/status").await.unwrap();
    assert_eq!((status.as_u16(), setup), (200, json!({"setupNeeded": false, "setupComplete": true})));
    let owner = json!({"username": "two", "password": "blaue Katze"});
    assert_eq!(anonymous.post("/api/setup/owner", owner).await.unwrap().0.as_u16(), 409);
    // Nothing of all this was done.
    assert_eq!(lab.api.read("/api/chats").await.unwrap()["chats"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sixth_wrong_password_waits_and_a_logout_ends_the_session() {
    let lab = Lab::start().await.unwrap();
    let stranger = Api::new(lab.api.address);
    let login = |password: &str| json!({"username": "owner", "password": password});
    let (status, _) = stranger.post("/api/auth/login", login("blaue Katze")).await.unwrap();
    assert_eq!(status.as_u16(), 200);
    for _ in 0..5 {
        let (status, _) = stranger.post("/api/auth/login", login("wrong")).await.unwrap();
        assert_eq!(status.as_u16(), 401);
    }
    let (status, body) = stranger.post("/api/auth/login", login("blaue Katze")).await.unwrap();
    assert_eq!((status.as_u16(), &body["code"]), (429, &json!("rate_limited")));
    let (status, _) = lab.api.post("/api/auth/logout", json!({})).await.unwrap();
    assert_eq!(status.as_u16(), 200);
    assert_eq!(lab.api.get("/api/lines").await.unwrap().0.as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_get_a_reason_and_change_nothing() {
    let lab = Lab::start().await.unwrap();
    let long = "x".repeat(2000);
    for (name, body, want) in [
        ("no number", json!({"to": "Mum", "message": "x"}), "invalid_number"),
        ("no such line", json!({"to": "+33612345678", "message": "x", "from": "line-99"}), "no_such_line"),
        ("empty", json!({"to": "+33612345678", "message": ""}), "invalid_request"),
        ("too long", json!({"to": "+33612345678", "message": long}), "text_too_long"),
        ("wrong shape", json!(["to"]), "invalid_request"),
    ] {
        let (status, answer) = lab.api.post("/api/sms/send", body).await.unwrap();
        assert!(status.is_client_error(), "{name}: {status}");
        assert_eq!(answer["code"], want, "{name}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|text| text.len() > 10), "{name}: {answer}");
    }
    let huge = vec![b' '; 200_000];
    let (status, answer) = lab.api.send("POST", "/api/sms/send", Some(huge)).await.unwrap();
    assert_eq!((status.as_u16(), &answer["code"]), (413, &json!("body_too_large")));
    for path in ["/api/chats?limit=0", "/api/chats?limit=101", "/api/chats?limit=x", "/api/calls?status=no"] {
        assert_eq!(lab.api.get(path).await.unwrap().0.as_u16(), 400, "{path}");
    }
    assert_eq!(lab.api.get("/nothing").await.unwrap().0.as_u16(), 404);
    assert!(lab.messages().await.unwrap().is_empty());
    assert!(lab.sim.sent().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_listen_are_bounded_and_a_place_is_given_back() {
    let lab = Lab::start().await.unwrap();
    let listen = || async {
        let stream = TcpStream::connect(lab.api.address).await.unwrap();
        let url = format!("ws://{}/ws?token={}", lab.api.address, lab.api.token.as_deref().unwrap());
        tokio_tungstenite::client_async(url, stream).await.map(|(socket, _)| socket)
    };
    let mut listeners = Vec::new();
    for _ in 0..256 {
        listeners.push(listen().await.unwrap());
    }
    let Err(tungstenite::Error::Http(refused)) = listen().await else { panic!("one too many listens") };
    assert_eq!(refused.status().as_u16(), 503);
    // Everything else is still there for the household.
    assert_eq!(lab.api.get("/api/lines").await.unwrap().0.as_u16(), 200);
    drop(listeners.pop());
    let has_place = || async { listen().await.ok() };
    wait_for("a place among the listeners", MOMENT, has_place).await.unwrap();
}
