use expect_test::expect;

use super::desk::check;

#[test]
fn a_call_is_answered_by_a_phone_and_ended_by_the_caller() {
    check(
        "
        line-1 incoming +33612345678
        audio c1 connected
        ok
        stasis c1-in in
        ok
        dial c1-in ringing
        wait 4000
        dial c1-in answer
        wait 100
        line-1 active
        line-1 sound
        audio c1 key 5
        wait 10000
        line-1 ended 16
        ok
        destroyed c1-in 16
        line-1 ended 16
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > audio c1 connected
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > dial c1-in ringing
            > wait 4000
            > dial c1-in answer
              line-1: Answer
            > wait 100
            > line-1 active
              call c1: Incoming line-1 +33612345678 Answered answered at 4100 ms
            > line-1 sound
              audio c1: StartModemAudio { line: LineId(1) }
            > audio c1 key 5
              line-1: key 5
            > wait 10000
            > line-1 ended 16
              audio c1: StopModemAudio
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Answered answered at 4100 ms ended at 14100 ms cause 16
            > ok
            > destroyed c1-in 16
            > line-1 ended 16
        "#]],
    );
}

#[test]
fn a_call_is_taken_by_the_voicemail() {
    check(
        "
        line-1 incoming withheld
        ok
        stasis c1-in in
        ok
        answered-by c1-in voicemail
        dial c1-in answer
        line-1 active
        line-1 sound
        wait 8000
        destroyed c1-in 16
        line-1 ended 16
        ",
        &expect![[r#"
            > line-1 incoming withheld
              call c1: Incoming line-1 withheld Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22anonymous%22%20%3Canonymous%3E {"variables":{"__HN_CALL":"c1"}}
            > ok
            > stasis c1-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c1-in
            > ok
              POST /ari/channels/hn-c1-in/continue?context=gsm-in&extension=1&priority=1
            > answered-by c1-in voicemail
            > dial c1-in answer
              line-1: Answer
            > line-1 active
              call c1: Incoming line-1 withheld Voicemail answered at 0 ms
            > line-1 sound
              audio c1: StartModemAudio { line: LineId(1) }
            > wait 8000
            > destroyed c1-in 16
              audio c1: StopModemAudio
              line-1: hang up 16
              audio c1: Close
              call c1: Incoming line-1 withheld Voicemail answered at 0 ms ended at 8000 ms cause 16
            > line-1 ended 16
        "#]],
    );
}

#[test]
fn the_caller_gives_up_before_anybody_answers() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        wait 3000
        line-1 ended 16
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
            > wait 3000
            > line-1 ended 16
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 3000 ms cause 16
            > ok
        "#]],
    );
}

#[test]
fn the_caller_gives_up_before_the_leg_exists() {
    check(
        "
        line-1 incoming +33612345678
        line-1 ended 16
        ok one
        ok one
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > line-1 ended 16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 0 ms cause 16
            > ok one
              DELETE /ari/channels/hn-c1-in?reason_code=16
            > ok one
        "#]],
    );
}

#[test]
fn the_caller_hangs_up_in_the_moment_of_the_answer() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        line-1 ended 16
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
            > line-1 ended 16
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 0 ms cause 16
            > ok
        "#]],
    );
}

#[test]
fn the_network_never_confirms_the_answer() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        wait 15000
        ok
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
            > wait 15000
              line-1: hang up 41
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 15000 ms cause 41
            > ok
            > line-1 ended 16
        "#]],
    );
}

#[test]
fn nobody_answers_and_there_is_no_voicemail() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in noanswer
        destroyed c1-in 19
        line-1 ended 19
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
            > dial c1-in noanswer
              line-1: hang up 19
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 0 ms cause 19
            > destroyed c1-in 19
            > line-1 ended 19
        "#]],
    );
}

#[test]
fn a_phone_refuses() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        destroyed c1-in 17
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
            > destroyed c1-in 17
              line-1: hang up 17
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Rejected ended at 0 ms cause 17
            > line-1 ended 16
        "#]],
    );
}

#[test]
fn a_second_caller_is_refused_and_remembered() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        dial c1-in answer
        line-1 active
        line-1 waiting +33687654321
        line-1 waiting-ended
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
            > line-1 waiting +33687654321
              line-1: RefuseWaiting
              call c2: Incoming line-1 +33687654321 Missed ended at 0 ms cause 17
            > line-1 waiting-ended
        "#]],
    );
}

#[test]
fn asterisk_cannot_ring() {
    check(
        "
        line-1 incoming +33612345678
        refused
        line-1 ended 34
        ",
        &expect![[r#"
            > line-1 incoming +33612345678
              call c1: Incoming line-1 +33612345678 Ringing
              audio c1: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid1/c(slin)&timeout=60&channelId=hn-c1-in&app=homenichat&appArgs=in,c1&callerId=%22+33612345678%22%20%3C+33612345678%3E {"variables":{"__HN_CALL":"c1"}}
            > refused
              line-1: hang up 34
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 0 ms cause 34
            > line-1 ended 34
        "#]],
    );
}

#[test]
fn a_call_that_the_modem_forgot_gives_way_to_the_next() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        line-1 incoming +33687654321
        ok
        stasis c2-in in
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
            > line-1 incoming +33687654321
              DELETE /ari/channels/hn-c1-in?reason_code=16
              audio c1: Close
              call c1: Incoming line-1 +33612345678 Missed ended at 0 ms cause 34
              call c2: Incoming line-1 +33687654321 Ringing
              audio c2: expect
              POST /ari/channels?endpoint=AudioSocket/127.0.0.1:9/uuid2/c(slin)&timeout=60&channelId=hn-c2-in&app=homenichat&appArgs=in,c2&callerId=%22+33687654321%22%20%3C+33687654321%3E {"variables":{"__HN_CALL":"c2"}}
            > ok
            > stasis c2-in in
              POST /ari/applications/homenichat/subscription?eventSource=channel:hn-c2-in
            > ok
              POST /ari/channels/hn-c2-in/continue?context=gsm-in&extension=1&priority=1
        "#]],
    );
}
