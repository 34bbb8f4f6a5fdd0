//! Our words for ARI, AMI and AudioSocket, and the rendered dialplan, against a real Asterisk.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of a test, with a clock"
)]

#[path = "support/ari_client.rs"]
mod ari_client;
#[path = "support/cases.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod cases;
#[path = "support/running.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod running;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ari_client::{AriClient, Events};
use asterisk::ari::{Application, Bridge, Channel, DialStatus, Endpoint, Event, Originate, Party, Request, Target};
use asterisk::audiosocket::{Decoder, Frame, MediaId};
use asterisk::dialplan::{APP, ARG_IN, GSM_IN};
use asterisk::{BridgeId, ChannelId, ami, ari};
use cases::{line_ids, secrets, two_lines};
use running::Running;
use settings::{OnChange, Places, Secrets, render};
use telecom::HangUpCause;

#[test]
fn every_request_is_understood() {
    let (_asterisk, ari, events) = start();
    let bridge = BridgeId::new("hn-b");
    let expect = |request: &Request, status: u16| {
        let (got, body) = ari.send(request);
        assert_eq!(got, status, "{request:?}: {body}");
        body
    };
    let applications: Vec<Application> = parse(&expect(&Request::list_applications(), 200));
    assert_eq!(applications[0].name, APP);
    let endpoints: Vec<Endpoint> = parse(&expect(&Request::list_endpoints(), 200));
    let resources: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.resource.as_str()).collect();
    assert!(["2001", "2002", "2003"].iter().all(|number| resources.contains(number)), "{resources:?}");
    expect(&Request::subscribe_endpoints(APP), 200);
    expect(&Request::create_bridge(&bridge), 200);
    let bridges: Vec<Bridge> = parse(&expect(&Request::list_bridges(), 200));
    assert_eq!(bridges[0].id, bridge);

    let leg = ChannelId::new("hn-leg");
    let target = Target::App { app: APP.into(), args: vec!["test".into(), "1".into()] };
    let created: Channel =
        parse(&expect(&Request::create_channel(&originate("Local/600@from-internal/n", &leg, target)), 200));
    assert_eq!(created.id, leg);
    wait_for_start(&events, &leg, &["test", "1"]);
    for (request, status) in [
        (Request::answer(&leg), 204),
        (Request::ring(&leg), 204),
        (Request::progress(&leg), 204),
        (Request::set_variable(&leg, "TIMEOUT(absolute)", "15"), 204),
        (Request::variable(&leg, "TIMEOUT(absolute)"), 200),
        (Request::send_dtmf(&leg, "12"), 204),
        (Request::play(&leg, "sound:beep"), 201),
        (Request::add_to_bridge(&bridge, &[&leg]), 204),
        (Request::show_channel(&leg), 200),
        (Request::show_asterisk(), 200),
        (Request::send_message("pjsip:2001", "sip:+4915199@box", "nobody is there, émoji 👍"), 404),
        (Request::continue_in_dialplan(&leg, "from-internal", "600"), 204),
        (Request::hang_up(&leg, HangUpCause::Normal), 204),
    ] {
        expect(&request, status);
    }
    events.wait_for("end of the leg", |event| match event {
        Event::ChannelDestroyed { channel, .. } if channel.id == leg => Some(()),
        _ => None,
    });
    expect(&Request::delete_bridge(&bridge), 204);
    assert_eq!(parse::<Vec<Channel>>(&expect(&Request::list_channels(), 200)), []);
}

#[test]
fn what_a_phone_dials_reaches_the_application_with_its_line() {
    let (_asterisk, ari, events) = start();
    for (index, (dialled, args)) in [
        ("0612345678", ["out", "default", "0612345678"]),
        ("+33612345678", ["out", "default", "+33612345678"]),
        ("112", ["out", "default", "112"]),
        ("*10612345678", ["out", "line-3", "0612345678"]),
        ("*1+33612345678", ["out", "line-3", "+33612345678"]),
        ("06$(x),evil;", ["out", "default", "06"]),
    ]
    .iter()
    .enumerate()
    {
        let leg = ChannelId::new(format!("hn-{index}"));
        let target = Target::Dialplan { context: "from-internal".into(), extension: (*dialled).into() };
        assert_eq!(ari.send(&Request::create_channel(&originate("Local/600@from-internal/n", &leg, target))).0, 200);
        wait_for_start(&events, &leg, args);
        assert_eq!(ari.send(&Request::hang_up(&leg, HangUpCause::Busy)).0, 204);
    }
}

#[test]
fn an_address_that_a_phone_registers_carries_no_option_into_dial() {
    let (_asterisk, ari, events) = start();
    let settings = two_lines();
    let files = render(&settings, &secrets(&settings), &Places::under("/x"), &line_ids()).unwrap();
    let dialplan = files.iter().find(|file| file.path == "extensions.conf").unwrap();
    let (_, rest) = dialplan.contents.split_once("devices)=${FILTER(").unwrap();
    let (allowed, _) = rest.split_once(",${").unwrap();
    let leg = ChannelId::new("hn-leg");
    let target = Target::App { app: APP.into(), args: Vec::new() };
    assert_eq!(ari.send(&Request::create_channel(&originate("Local/600@from-internal/n", &leg, target))).0, 200);
    wait_for_start(&events, &leg, &[]);
    for (contact, want) in [
        ("sip:2001-0x7f@192.0.2.1:5060;ob;transport=ws", "sip:2001-0x7f@192.0.2.1:5060;ob;transport=ws"),
        ("sip:a_b@[2001:db8::1]:5060&sip:b%20+~!*@h", "sip:a_b@[2001:db8::1]:5060&sip:b%20+~*@h"),
        ("sip:x@h,30,U(evil)$\"?'", "sip:x@h30Uevil"),
    ] {
        let function = format!("FILTER({allowed},PJSIP/2001/{contact})");
        let (status, body) = ari.send(&Request::variable(&leg, &function));
        let answer: serde_json::Value = parse(&body);
        assert_eq!((status, answer["value"].as_str()), (200, Some(format!("PJSIP/2001/{want}").as_str())), "{body}");
    }
}

/// A mailbox answers in the same moment in which the leg enters the dialplan: thirty times, nothing of it is missed.
#[test]
fn a_call_for_a_line_whose_phones_are_away_is_answered_by_voicemail() {
    let (asterisk, ari, events) = start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for number in 0..30 {
        is_taken_by_voicemail((&asterisk, &ari, &events), &listener, number);
    }
}

fn is_taken_by_voicemail((asterisk, ari, events): (&Running, &AriClient, &Events), listener: &TcpListener, number: u8) {
    let media = MediaId::from_bytes([number; 16]);
    let leg = ChannelId::new(format!("hn-gsm-{number}"));
    let call = Originate {
        endpoint: ari::audiosocket_endpoint(listener.local_addr().unwrap(), media),
        variables: BTreeMap::from([("__HN_CALL".into(), "c1".into())]),
        ..originate("", &leg, Target::App { app: APP.into(), args: vec![ARG_IN.into(), "c1".into()] })
    };
    assert_eq!(ari.send(&Request::create_channel(&call)).0, 200);
    let (mut stream, _) = listener.accept().unwrap();
    let mut decoder = Decoder::default();
    assert_eq!(next_frame(&mut stream, &mut decoder), Frame::Id(media));
    wait_for_start(events, &leg, &[ARG_IN, "c1"]);
    assert_eq!(ari.send(&Request::subscribe_channel(APP, &leg)).0, 200);
    assert_eq!(ari.send(&Request::continue_in_dialplan(&leg, GSM_IN, "3")).0, 204);

    let (mut is_voicemail, mut is_answered) = (false, false);
    events.wait_for("answer by voicemail", |event| {
        match event {
            Event::ChannelVarset { channel, variable, value } if variable == "HN_ANSWERED_BY" => {
                assert_eq!((channel.unwrap().id, value.as_str()), (leg.clone(), "voicemail"));
                is_voicemail = true;
            }
            Event::Dial { caller, status: DialStatus::Answer, .. } if caller.as_ref().unwrap().id == leg => {
                is_answered = true
            }
            _ => {}
        }
        (is_voicemail && is_answered).then_some(())
    });
    let Frame::Slin8(sound) = next_frame(&mut stream, &mut decoder) else { panic!("no sound") };
    assert_eq!(sound.len() % 320, 0);
    assert!(asterisk.console("core show channels concise").contains("!VoiceMail!2001@homenichat,u!"));

    let mut end = Vec::new();
    Frame::Terminate.encode(&mut end);
    stream.write_all(&end).unwrap();
    events.wait_for("end of the call", |event| match event {
        Event::ChannelDestroyed { channel, .. } if channel.id == leg => Some(()),
        _ => None,
    });
}

#[test]
fn the_media_leg_of_an_outgoing_call_is_a_connection_to_us() {
    let (_asterisk, ari, events) = start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let (leg, media) = (ChannelId::new("hn-media"), MediaId::from_bytes([9; 16]));
    let (status, body) = ari.send(&Request::external_media(APP, &leg, address, media));
    assert_eq!(status, 200, "{body}");
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(next_frame(&mut stream, &mut Decoder::default()), Frame::Id(media));
    // Asterisk hands the media id to the application as its argument.
    wait_for_start(&events, &leg, &[&media.to_string()]);
    drop(stream);
    events.wait_for("end of the leg", |event| match event {
        Event::StasisEnd { channel } if channel.id == leg => Some(()),
        _ => None,
    });
}

#[test]
fn a_lease_that_nobody_renews_ends_the_leg() {
    let (_asterisk, ari, events) = start();
    let (leg, bridge) = (ChannelId::new("hn-leg"), BridgeId::new("hn-b"));
    let target = Target::App { app: APP.into(), args: Vec::new() };
    assert_eq!(ari.send(&Request::create_channel(&originate("Local/600@from-internal/n", &leg, target))).0, 200);
    wait_for_start(&events, &leg, &[]);
    assert_eq!(ari.send(&Request::create_bridge(&bridge)).0, 200);
    assert_eq!(ari.send(&Request::add_to_bridge(&bridge, &[&leg])).0, 204);
    assert_eq!(ari.send(&Request::set_variable(&leg, "TIMEOUT(absolute)", "1")).0, 204);
    events.wait_for("end of the leg", |event| match event {
        Event::ChannelDestroyed { channel, .. } if channel.id == leg => Some(()),
        _ => None,
    });
}

#[test]
fn a_phone_that_is_rung_for_somebody_is_not_replaced_by_its_mailbox() {
    let (_asterisk, ari, events) = start();
    let leg = ChannelId::new("hn-leg");
    let target = Target::App { app: APP.into(), args: Vec::new() };
    let call = originate(&asterisk::dialplan::ring_endpoint("2001"), &leg, target);
    assert_eq!(ari.send(&Request::create_channel(&call)).0, 200);
    let cause = events.wait_for("end of the leg", |event| match event {
        Event::StasisStart { .. } => panic!("somebody answered"),
        Event::ChannelDestroyed { channel, cause } if channel.id == leg => Some(cause),
        _ => None,
    });
    assert_eq!(cause.code(), 20);
}

#[test]
fn every_file_that_a_reload_reads_can_be_reloaded() {
    let settings = two_lines();
    let made = secrets(&settings);
    let files = render(&settings, &made, &Places::under("/x"), &line_ids()).unwrap();
    let mut modules: Vec<&str> = files
        .iter()
        .filter_map(|file| match file.on_change {
            OnChange::Reload(module) => Some(module),
            OnChange::ReloadDialplan => Some("pbx_config.so"),
            OnChange::None | OnChange::Restart => None,
        })
        .collect();
    modules.sort_unstable();
    modules.dedup();
    let asterisk = Running::start(settings, &made, &line_ids());
    let commands = modules.iter().zip(1..).map(|(module, token)| {
        let action = ami::Action::new("Reload").with("Module", *module).unwrap();
        ami::Command { token: ami::Token(token), action }
    });
    let events = talk(asterisk.settings.asterisk.manager_port, made.ami_password.expose(), commands.collect());
    let done = events.iter().filter(|event| matches!(event, ami::Event::Completed { reply, .. } if reply.is_success));
    assert_eq!(done.count(), modules.len(), "{modules:?}: {events:?}");
    assert_eq!(asterisk.complaints(), Vec::<String>::new());
}

#[test]
fn a_manager_session_logs_in_and_lists() {
    let settings = two_lines();
    let secrets = secrets(&settings);
    let asterisk = Running::start(settings, &secrets, &line_ids());
    let port = asterisk.settings.asterisk.manager_port;
    let endpoints = ami::Command { token: ami::Token(1), action: ami::Action::new("PJSIPShowEndpoints") };
    let reload = ami::Action::new("Reload").with("Module", "pbx_config.so").unwrap();
    let reload = ami::Command { token: ami::Token(2), action: reload };

    let events = talk(port, secrets.ami_password.expose(), vec![endpoints, reload]);
    assert!(events.contains(&ami::Event::LoggedIn) && events.contains(&ami::Event::FullyBooted), "{events:?}");
    let replies = events.iter().filter_map(|event| match event {
        ami::Event::Completed { token, reply } => Some((token.0, reply.is_success, reply.events.len())),
        _ => None,
    });
    assert_eq!(replies.collect::<Vec<_>>(), [(1, true, 3), (2, true, 0)]);

    let refused = talk(port, "wrong", Vec::new());
    assert_eq!(refused, [ami::Event::Down(ami::DownReason::LoginRefused)]);
}

fn start() -> (Running, AriClient, Events) {
    let settings = two_lines();
    let secrets: Secrets = secrets(&settings);
    let asterisk = Running::start(settings, &secrets, &line_ids());
    let client = AriClient::new(asterisk.settings.asterisk.http_port, secrets.ari_password.expose());
    let events = client.events(APP);
    (asterisk, client, events)
}

fn originate(endpoint: &str, channel: &ChannelId, target: Target) -> Originate {
    Originate {
        endpoint: endpoint.into(),
        target,
        caller: Some(Party { name: "Anna \"A\"".into(), number: "+4915199".into() }),
        timeout: Duration::from_secs(60),
        channel: channel.clone(),
        other_channel: None,
        formats: None,
        variables: BTreeMap::new(),
    }
}

fn wait_for_start(events: &Events, leg: &ChannelId, want: &[&str]) {
    let args = events.wait_for("start", |event| match event {
        Event::StasisStart { channel, args } if channel.id == *leg => Some(args),
        _ => None,
    });
    assert_eq!(args.0, want);
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn next_frame(stream: &mut TcpStream, decoder: &mut Decoder) -> Frame {
    let mut bytes = [0; 512];
    loop {
        if let Some(frame) = decoder.poll_frame() {
            return frame.unwrap();
        }
        let count = stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the connection ended");
        decoder.handle_bytes(&bytes[..count]);
    }
}

/// Drives a session until every command has its outcome, or until it is down.
fn talk(port: u16, secret: &str, mut commands: Vec<ami::Command>) -> Vec<ami::Event> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut session = ami::Session::new(ami::Login::new(APP, secret).unwrap(), Instant::now());
    let mut missing = commands.len();
    let mut events = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                ami::Output::Write(bytes) => stream.write_all(&bytes).unwrap(),
                ami::Output::Event(event) => {
                    missing -= usize::from(matches!(event, ami::Event::Completed { .. }));
                    if event == ami::Event::LoggedIn {
                        commands.drain(..).for_each(|command| session.submit(command, Instant::now()));
                    }
                    let is_down = matches!(event, ami::Event::Down(_));
                    events.push(event);
                    if is_down {
                        return events;
                    }
                }
            }
        }
        if missing == 0 && events.contains(&ami::Event::FullyBooted) {
            return events;
        }
        let count = stream.read(&mut bytes).unwrap();
        session.handle_bytes(&bytes[..count], Instant::now());
    }
}
