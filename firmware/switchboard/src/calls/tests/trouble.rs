use expect_test::expect;

use super::desk::{check, run};

#[test]
fn the_modem_vanishes_in_a_call() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        line-1 active
        line-1 sound
        line-1 lost
        ok
        stasis pjsip-7 out line-1 0612345678
        ok
        line-1 lost
        ok
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > dial c1-in answer
              line-1: Answer
            > line-1 active
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms
            > line-1 sound
              audio c1: StartModemAudio { line: LineId(1) }
            > line-1 lost
              audio c1: StopModemAudio
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms ended at 0 ms cause 27
            > ok
            > stasis pjsip-7 out line-1 0612345678
              call c2: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c2: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c2-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid2
              POST /ari/bridges?type=mixing&bridgeId=hn-c2-bridge
            > ok
            > line-1 lost
              DELETE /ari/channels/pjsip-7?reason_code=34
              DELETE /ari/channels/hn-c2-media?reason_code=34
              DELETE /ari/bridges/hn-c2-bridge
              audio c2: Close
              call c2: Outgoing line-1 0612345678 Failed ended at 0 ms cause 27
            > ok
        "#]],
    );
}

#[test]
fn a_call_that_comes_while_asterisk_starts_rings_when_it_is_there() {
    check(
        "
        asterisk lost
        line-1 incoming +33612345678
        api originate line-2 0612345678 2001
        asterisk back
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        ",
        &expect![[r#"
            > asterisk lost
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
            > api originate line-2 0612345678 2001
              api: the telephone exchange is starting; try again in a few seconds
            > asterisk back
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > dial c1-in answer
              line-1: Answer
        "#]],
    );
}

#[test]
fn an_answer_that_was_missed_is_found_in_the_bridge() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        asterisk lost
        asterisk back c1-in other=c1-in,local
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > asterisk lost
            > asterisk back c1-in other=c1-in,local
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
              line-1: Answer
        "#]],
    );
}

#[test]
fn a_restart_of_asterisk_ends_the_calls_and_removes_leftovers() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        line-1 active
        asterisk lost
        audio c1 lost
        wait 1000
        asterisk back c9-in c8-media pjsip-3 c8-bridge=c8-media theirs=pjsip-3
        line-1 ended 16
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > dial c1-in answer
              line-1: Answer
            > line-1 active
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms
            > asterisk lost
            > audio c1 lost
            > wait 1000
              line-1: hang up 16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms ended at 1000 ms cause 16
            > asterisk back c9-in c8-media pjsip-3 c8-bridge=c8-media theirs=pjsip-3
              DELETE /ari/channels/hn-c9-in?reason_code=16
              DELETE /ari/channels/hn-c8-media?reason_code=16
              DELETE /ari/channels/pjsip-3?reason_code=34
              DELETE /ari/bridges/hn-c8-bridge
            > line-1 ended 16
        "#]],
    );
}

#[test]
fn a_phone_that_could_not_be_told_of_the_end_is_told_later() {
    check(
        "
        stasis pjsip-7 out default 0612345678
        ok
        asterisk lost
        line-1 ended 17
        asterisk back pjsip-7 c1-media
        ",
        &expect![[r#"
            > stasis pjsip-7 out default 0612345678
              call c1: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c1: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c1-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid1
              POST /ari/bridges?type=mixing&bridgeId=hn-c1-bridge
            > ok
            > asterisk lost
            > line-1 ended 17
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Busy ended at 0 ms cause 17
            > asterisk back pjsip-7 c1-media
              DELETE /ari/channels/pjsip-7?reason_code=34
              DELETE /ari/channels/hn-c1-media?reason_code=16
        "#]],
    );
}

#[test]
fn what_is_not_confirmed_is_asked_for_again() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        api hang-up c1
        silent
        wait 5000
        silent
        wait 20000
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > dial c1-in answer
              line-1: Answer
            > api hang-up c1
              api: c1
              line-1: hang up 21
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Rejected ended at 0 ms cause 21
            > silent
            > wait 5000
              DELETE /ari/channels/hn-c1-in?reason_code=16
              line-1: hang up 16
            > silent
            > wait 20000
              DELETE /ari/channels/hn-c1-in?reason_code=16
              line-1: hang up 16
              DELETE /ari/channels/hn-c1-in?reason_code=16
              DELETE /ari/channels/hn-c1-in?reason_code=16
        "#]],
    );
}

#[test]
fn a_lost_audio_connection_ends_the_call_when_nothing_explains_it() {
    check(
        "
        stasis pjsip-7 out default 0612345678
        ok
        audio c1 connected
        line-1 active
        line-1 sound
        ok
        audio c1 lost
        wait 1000
        line-1 ended 16
        ok
        ",
        &expect![[r#"
            > stasis pjsip-7 out default 0612345678
              call c1: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c1: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c1-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid1
              POST /ari/bridges?type=mixing&bridgeId=hn-c1-bridge
            > ok
            > audio c1 connected
            > line-1 active
              POST /ari/channels/pjsip-7/answer
              call c1: Outgoing line-1 0612345678 Answered answered at 0 ms
            > line-1 sound
              audio c1: StartModemAudio { line: LineId(1) }
            > ok
            > audio c1 lost
            > wait 1000
              audio c1: StopModemAudio
              line-1: hang up 16
              DELETE /ari/channels/pjsip-7?reason_code=16
              DELETE /ari/channels/hn-c1-media?reason_code=16
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Answered answered at 0 ms ended at 1000 ms cause 16
            > line-1 ended 16
            > ok
        "#]],
    );
}

#[test]
fn t08_a_modem_that_asks_for_a_pause_is_given_one() {
    check(
        "
        line-1 incoming +33612345678
        ok
        dial c1-in answer
        line-1 active
        audio c1 connected
        line-1 sound
        line-1 flow closed
        line-1 flow open
        line-1 ended 16
        line-1 flow closed
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > dial c1-in answer
              line-1: Answer
            > line-1 active
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms
            > audio c1 connected
            > line-1 sound
              audio c1: StartModemAudio { line: LineId(1) }
            > line-1 flow closed
              audio c1: Flow { is_open: false }
            > line-1 flow open
              audio c1: Flow { is_open: true }
            > line-1 ended 16
              audio c1: StopModemAudio
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms ended at 0 ms cause 16
            > line-1 flow closed
        "#]],
    );
}

#[test]
fn dead_sound_is_told_once_and_repaired_once() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        line-1 active
        line-1 sound
        audio c1 nothing
        audio c1 nothing
        audio c1 one-way
        line-1 ended 16
        ok
        line-2 incoming +33612345678
        line-2 no-sound
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > dial c1-in answer
              line-1: Answer
            > line-1 active
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms
            > line-1 sound
              audio c1: StartModemAudio { line: LineId(1) }
            > audio c1 nothing
              line-1: AudioDead
              alarm line-1: no sound arrives from the modem, 2 s into the call: its voice is switched on again
            > audio c1 nothing
            > audio c1 one-way
              alarm line-1: no sound arrives from the phone, 2 s into the call: check its microphone and network
            > line-1 ended 16
              audio c1: StopModemAudio
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Answered answered at 0 ms ended at 0 ms cause 16
            > ok
            > line-2 incoming +33612345678
              call c2: Incoming line-2 +33612345678 Ringing
              audio c2: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid2/c(slin)&timeout=60&channelId=hn-c2-in&app=homenichat&appArgs=in,c2&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c2"}}
            > line-2 no-sound
              alarm line-2: the modem does not give sound to this call: CPCMREG is refused
        "#]],
    );
}

#[test]
fn only_sound_that_does_not_come_or_is_not_taken_is_switched_on_again() {
    let begun = "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        line-1 active
        line-1 sound";
    let told = |reports: &str| {
        let all = run(&format!("{begun}\n{reports}"));
        let lines = all.lines().map(str::trim).skip_while(|line| !line.starts_with("> audio"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    expect![[r#"
        > audio c1 stuck
        line-1: AudioDead
        alarm line-1: the modem does not take sound, so the other end hears nothing: its voice is switched on again
        > line-1 sound
        audio c1: StartModemAudio { line: LineId(1) }
        > line-1 sound
        audio c1: StartModemAudio { line: LineId(1) }
    "#]]
    .assert_eq(&told("audio c1 stuck\nline-1 sound\nline-1 sound"));
    expect![[r#"
        > audio c1 silent
        alarm line-1: the modem has given only silence for 2 s; the other end may be silent
        > audio c1 other-rate
        note line-1: the modem gives 16000 samples of sound per second, not those of its setting: converted
        > line-1 sound
    "#]]
    .assert_eq(&told("audio c1 silent\naudio c1 other-rate\nline-1 sound"));
}

#[test]
fn a_call_that_nobody_knows_is_hung_up() {
    check(
        "
        line-1 active
        line-1 ended 16
        line-1 alerting
        stasis c9-media
        ",
        &expect![[r#"
            > line-1 active
              line-1: hang up 16
            > line-1 ended 16
            > line-1 alerting
            > stasis c9-media
              DELETE /ari/channels/hn-c9-media?reason_code=34
        "#]],
    );
}

#[test]
fn a_leg_that_waits_when_the_connection_is_lost_is_sent_on_and_only_then() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        asterisk lost
        asterisk back c1-in!
        ok one
        asterisk lost
        asterisk back c1-in!
        ok one
        conflict
        asterisk lost
        asterisk back c1-in
        ok
        dial c1-in answer
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > asterisk lost
            > asterisk back c1-in!
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok one
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > asterisk lost
            > asterisk back c1-in!
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok one
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > conflict
            > asterisk lost
            > asterisk back c1-in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
            > dial c1-in answer
              line-1: Answer
        "#]],
    );
}

#[test]
fn a_leg_that_comes_to_a_call_that_is_over_goes_nowhere() {
    check(
        "
        line-1 incoming +33612345678
        line-1 ended 16
        stasis c1-in in
        ok
        line-1 incoming +33612345678
        ok
        stasis c2-in in
        line-1 ended 16
        ok
        line-1 incoming +33612345678
        ok
        stasis c3-in in
        gone
        ok
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > line-1 ended 16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 0 ms cause 16
            > stasis c1-in in
            > ok
              DELETE /ari/channels/hn-c1-in?reason_code=16
            > line-1 incoming +33612345678
              call c2: Incoming line-1 +33612345678 Ringing
              audio c2: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid2/c(slin)&timeout=60&channelId=hn-c2-in&app=homenichat&appArgs=in,c2&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c2"}}
            > ok
            > stasis c2-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c2-in
            > line-1 ended 16
              DELETE /ari/channels/hn-c2-in?reason_code=16
              audio c2: Close
              call c2: Incoming line-1 +33612345678 Missed ended at 0 ms cause 16
            > ok
            > line-1 incoming +33612345678
              call c3: Incoming line-1 +33612345678 Ringing
              audio c3: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid3/c(slin)&timeout=60&channelId=hn-c3-in&app=homenichat&appArgs=in,c3&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c3"}}
            > ok
            > stasis c3-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c3-in
            > gone
              line-1: hang up 34
              DELETE /ari/channels/hn-c3-in?reason_code=16
              audio c3: Close
              call c3: Incoming line-1 +33612345678 Missed ended at 0 ms cause 34
            > ok
        "#]],
    );
}
