use expect_test::expect;

use super::desk::check;

#[test]
fn a_phone_calls_out_and_hangs_up() {
    check(
        "
        stasis pjsip-7 out default 0612345678
        audio c1 connected
        stasis c1-media
        ok
        line-1 dialing
        line-1 alerting
        ok
        wait 6000
        ok
        line-1 active
        line-1 sound
        ok
        audio c1 key 1
        line-1 key 9
        ok
        stasis-end pjsip-7
        line-1 ended 16
        destroyed pjsip-7 16
        destroyed c1-media 16
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
            > audio c1 connected
            > stasis c1-media
            > ok
            > line-1 dialing
            > line-1 alerting
              POST /ari/channels/pjsip-7/ring
            > ok
            > wait 6000
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
            > ok
            > line-1 active
              POST /ari/channels/pjsip-7/answer
              call c1: Outgoing line-1 0612345678 Answered answered at 6000 ms
              POST /ari/bridges/hn-c1-bridge/addChannel?channel=pjsip-7,hn-c1-media
            > line-1 sound
              audio c1: StartModemAudio { line: LineId(1) }
            > ok
            > audio c1 key 1
              line-1: key 1
            > line-1 key 9
              POST /ari/channels/pjsip-7/dtmf?dtmf=9
            > ok
            > stasis-end pjsip-7
              audio c1: StopModemAudio
              line-1: hang up 16
              DELETE /ari/channels/hn-c1-media?reason_code=16
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Answered answered at 6000 ms ended at 6000 ms cause 16
            > line-1 ended 16
            > destroyed pjsip-7 16
            > destroyed c1-media 16
            > ok
        "#]],
    );
}

#[test]
fn the_network_plays_an_announcement_before_the_answer() {
    check(
        "
        stasis pjsip-7 out line-2 0612345678
        ok
        stasis c1-media
        line-2 sound
        ok
        line-2 alerting
        line-2 active
        ok
        line-2 ended 16
        ok
        ",
        &expect![[r#"
            > stasis pjsip-7 out line-2 0612345678
              call c1: Outgoing line-2 0612345678 Ringing
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-2: dial 0612345678
              audio c1: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c1-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid1
              POST /ari/bridges?type=mixing&bridgeId=hn-c1-bridge
            > ok
            > stasis c1-media
            > line-2 sound
              POST /ari/channels/pjsip-7/progress
              audio c1: StartModemAudio { line: LineId(2) }
              POST /ari/bridges/hn-c1-bridge/addChannel?channel=pjsip-7,hn-c1-media
            > ok
            > line-2 alerting
            > line-2 active
              POST /ari/channels/pjsip-7/answer
              call c1: Outgoing line-2 0612345678 Answered answered at 0 ms
            > ok
            > line-2 ended 16
              audio c1: StopModemAudio
              DELETE /ari/channels/pjsip-7?reason_code=16
              DELETE /ari/channels/hn-c1-media?reason_code=16
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-2 0612345678 Answered answered at 0 ms ended at 0 ms cause 16
            > ok
        "#]],
    );
}

#[test]
fn failures_reach_the_phone_with_their_cause() {
    check(
        "
        stasis pjsip-7 out line-1 0612345678
        ok
        line-1 ended 17
        ok
        stasis pjsip-8 out line-1 0612345678
        ok
        line-1 ended 19
        ok
        stasis pjsip-9 out line-1 0612345678
        ok
        line-1 ended 16
        ok
        stasis pjsip-10 out line-1 0612345678
        ok
        line-1 ended 1
        ok
        stasis pjsip-11 out line-1 0612345678
        ok
        line-1 ended 27
        ok
        ",
        &expect![[r#"
            > stasis pjsip-7 out line-1 0612345678
              call c1: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c1: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c1-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid1
              POST /ari/bridges?type=mixing&bridgeId=hn-c1-bridge
            > ok
            > line-1 ended 17
              DELETE /ari/channels/pjsip-7?reason_code=17
              DELETE /ari/channels/hn-c1-media?reason_code=17
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Busy ended at 0 ms cause 17
            > ok
            > stasis pjsip-8 out line-1 0612345678
              call c2: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-8/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c2: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c2-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid2
              POST /ari/bridges?type=mixing&bridgeId=hn-c2-bridge
            > ok
            > line-1 ended 19
              DELETE /ari/channels/pjsip-8?reason_code=19
              DELETE /ari/channels/hn-c2-media?reason_code=19
              DELETE /ari/bridges/hn-c2-bridge
              audio c2: Close
              call c2: Outgoing line-1 0612345678 Missed ended at 0 ms cause 19
            > ok
            > stasis pjsip-9 out line-1 0612345678
              call c3: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-9/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c3: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c3-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid3
              POST /ari/bridges?type=mixing&bridgeId=hn-c3-bridge
            > ok
            > line-1 ended 16
              DELETE /ari/channels/pjsip-9?reason_code=19
              DELETE /ari/channels/hn-c3-media?reason_code=19
              DELETE /ari/bridges/hn-c3-bridge
              audio c3: Close
              call c3: Outgoing line-1 0612345678 Failed ended at 0 ms cause 16
            > ok
            > stasis pjsip-10 out line-1 0612345678
              call c4: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-10/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c4: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c4-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid4
              POST /ari/bridges?type=mixing&bridgeId=hn-c4-bridge
            > ok
            > line-1 ended 1
              DELETE /ari/channels/pjsip-10?reason_code=1
              DELETE /ari/channels/hn-c4-media?reason_code=1
              DELETE /ari/bridges/hn-c4-bridge
              audio c4: Close
              call c4: Outgoing line-1 0612345678 Failed ended at 0 ms cause 1
            > ok
            > stasis pjsip-11 out line-1 0612345678
              call c5: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-11/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c5: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c5-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid5
              POST /ari/bridges?type=mixing&bridgeId=hn-c5-bridge
            > ok
            > line-1 ended 27
              DELETE /ari/channels/pjsip-11?reason_code=34
              DELETE /ari/channels/hn-c5-media?reason_code=34
              DELETE /ari/bridges/hn-c5-bridge
              audio c5: Close
              call c5: Outgoing line-1 0612345678 Failed ended at 0 ms cause 27
            > ok
        "#]],
    );
}

#[test]
fn the_phone_gives_up_while_it_rings() {
    check(
        "
        stasis pjsip-7 out default 0612345678
        ok
        line-1 alerting
        ok
        stasis-end pjsip-7
        destroyed pjsip-7 127
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
            > line-1 alerting
              POST /ari/channels/pjsip-7/ring
            > ok
            > stasis-end pjsip-7
              line-1: hang up 16
              DELETE /ari/channels/hn-c1-media?reason_code=19
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Missed ended at 0 ms cause 16
            > destroyed pjsip-7 127
            > line-1 ended 16
            > ok
        "#]],
    );
}

#[test]
fn the_phone_gives_up_before_its_audio_leg_exists() {
    check(
        "
        stasis pjsip-7 out default 0612345678
        stasis-end pjsip-7
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
            > stasis-end pjsip-7
              line-1: hang up 16
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Missed ended at 0 ms cause 16
            > line-1 ended 16
            > ok
              DELETE /ari/channels/hn-c1-media?reason_code=16
              DELETE /ari/bridges/hn-c1-bridge
        "#]],
    );
}

#[test]
fn nobody_answers_for_ninety_seconds() {
    check(
        "
        lines 1=registered
        stasis pjsip-7 out default 0612345678
        ok
        wait 4000
        asterisk lost
        wait 500
        asterisk back pjsip-7 c1-media c1-bridge=c1-media
        ok
        line-1 ended 19
        ",
        &expect![[r#"
            > lines 1=registered
            > stasis pjsip-7 out default 0612345678
              call c1: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c1: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c1-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid1
              POST /ari/bridges?type=mixing&bridgeId=hn-c1-bridge
            > ok
            > wait 4000
            > asterisk lost
            > wait 500
            > asterisk back pjsip-7 c1-media c1-bridge=c1-media
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
            > ok
            > line-1 ended 19
              DELETE /ari/channels/pjsip-7?reason_code=19
              DELETE /ari/channels/hn-c1-media?reason_code=19
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Missed ended at 4500 ms cause 19
        "#]],
    );
    check(
        "
        stasis pjsip-7 out default 0612345678
        ok
        wait 89999
        ok
        wait 1
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
            > wait 89999
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
            > ok
            > wait 1
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-1: hang up 19
              DELETE /ari/channels/pjsip-7?reason_code=19
              DELETE /ari/channels/hn-c1-media?reason_code=19
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Missed ended at 90000 ms cause 19
        "#]],
    );
}

#[test]
fn a_call_without_a_usable_line_fails_at_once() {
    check(
        "
        lines 1=searching 2=searching
        stasis pjsip-7 out default 0612345678
        stasis pjsip-8 out line-2 0612345678
        stasis pjsip-9 out line-3 0612345678
        stasis pjsip-10 out default x
        stasis pjsip-11 something else
        ",
        &expect![[r#"
            > lines 1=searching 2=searching
            > stasis pjsip-7 out default 0612345678
              DELETE /ari/channels/pjsip-7?reason_code=34
              call c1: Outgoing no line 0612345678 Failed ended at 0 ms cause 34
            > stasis pjsip-8 out line-2 0612345678
              DELETE /ari/channels/pjsip-8?reason_code=34
              call c2: Outgoing no line 0612345678 Failed ended at 0 ms cause 34
            > stasis pjsip-9 out line-3 0612345678
              DELETE /ari/channels/pjsip-9?reason_code=34
              call c3: Outgoing no line 0612345678 Failed ended at 0 ms cause 34
            > stasis pjsip-10 out default x
              DELETE /ari/channels/pjsip-10?reason_code=1
            > stasis pjsip-11 something else
              DELETE /ari/channels/pjsip-11?reason_code=34
        "#]],
    );
}

#[test]
fn a_line_in_a_call_gives_way_to_the_other_unless_it_was_named() {
    check(
        "
        line-1 incoming +33612345678
        ok
        stasis c1-in in
        ok
        stasis pjsip-7 out line-1 0612345678
        ok
        stasis pjsip-8 out default 0612345678
        ok
        stasis pjsip-9 out default 0612345678
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
            > stasis pjsip-7 out line-1 0612345678
              DELETE /ari/channels/pjsip-7?reason_code=34
              call c2: Outgoing no line 0612345678 Failed ended at 0 ms cause 34
            > ok
            > stasis pjsip-8 out default 0612345678
              call c3: Outgoing line-2 0612345678 Ringing
              POST /ari/channels/pjsip-8/variable?variable=TIMEOUT(absolute)&value=15
              line-2: dial 0612345678
              audio c3: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c3-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid3
              POST /ari/bridges?type=mixing&bridgeId=hn-c3-bridge
            > ok
            > stasis pjsip-9 out default 0612345678
              DELETE /ari/channels/pjsip-9?reason_code=34
              call c4: Outgoing no line 0612345678 Failed ended at 0 ms cause 34
        "#]],
    );
}

#[test]
fn a_user_calls_from_an_extension() {
    check(
        "
        api originate line-2 0612345678 2001
        ok
        line-2 ended 16
        stasis c1-phone out own c1
        ok
        stasis c1-media
        line-2 alerting
        line-2 active
        ok
        api hang-up c1
        line-2 ended 16
        ok
        api hang-up c1
        api originate line-9 0612345678 2001
        api originate line-1 0612345678 2001@evil
        ",
        &expect![[r#"
            > api originate line-2 0612345678 2001
              api: c1
              call c1: Outgoing line-2 0612345678 Ringing
              POST /ari/channels?endpoint=Local/2001%40ring-only/n&timeout=30&channelId=hn-c1-phone&app=homenichat&appArgs=out,own,c1&callerId=%220612345678%22%20%3C0612345678%3E&otherChannelId=hn-c1-ring&formats=slin
            > ok
            > line-2 ended 16
            > stasis c1-phone out own c1
              POST /ari/channels/hn-c1-phone/variable?variable=TIMEOUT(absolute)&value=15
              line-2: dial 0612345678
              audio c1: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c1-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid1
              POST /ari/bridges?type=mixing&bridgeId=hn-c1-bridge
            > ok
            > stasis c1-media
            > line-2 alerting
              POST /ari/channels/hn-c1-phone/ring
            > line-2 active
              POST /ari/channels/hn-c1-phone/answer
              call c1: Outgoing line-2 0612345678 Answered answered at 0 ms
              POST /ari/bridges/hn-c1-bridge/addChannel?channel=hn-c1-phone,hn-c1-media
            > ok
            > api hang-up c1
              api: c1
              line-2: hang up 16
              DELETE /ari/channels/hn-c1-phone?reason_code=16
              DELETE /ari/channels/hn-c1-media?reason_code=16
              DELETE /ari/bridges/hn-c1-bridge
              audio c1: Close
              call c1: Outgoing line-2 0612345678 Answered answered at 0 ms ended at 0 ms cause 16
            > line-2 ended 16
            > ok
            > api hang-up c1
              api: there is no such call
            > api originate line-9 0612345678 2001
              api: there is no such line
            > api originate line-1 0612345678 2001@evil
              api: the extension is not made of digits
        "#]],
    );
}

#[test]
fn the_extension_of_a_user_does_not_answer() {
    check(
        "
        api originate default 0612345678 2001
        ok
        destroyed c1-phone 19
        api originate default 0612345678 2001
        destroyed c2-phone 17
        ok
        ",
        &expect![[r#"
            > api originate default 0612345678 2001
              api: c1
              call c1: Outgoing line-1 0612345678 Ringing
              POST /ari/channels?endpoint=Local/2001%40ring-only/n&timeout=30&channelId=hn-c1-phone&app=homenichat&appArgs=out,own,c1&callerId=%220612345678%22%20%3C0612345678%3E&otherChannelId=hn-c1-ring&formats=slin
            > ok
            > destroyed c1-phone 19
              call c1: Outgoing line-1 0612345678 Missed ended at 0 ms cause 16
            > api originate default 0612345678 2001
              api: c2
              call c2: Outgoing line-1 0612345678 Ringing
              POST /ari/channels?endpoint=Local/2001%40ring-only/n&timeout=30&channelId=hn-c2-phone&app=homenichat&appArgs=out,own,c2&callerId=%220612345678%22%20%3C0612345678%3E&otherChannelId=hn-c2-ring&formats=slin
            > destroyed c2-phone 17
              call c2: Outgoing line-1 0612345678 Rejected ended at 0 ms cause 17
            > ok
        "#]],
    );
}

#[test]
fn the_audio_leg_cannot_be_made() {
    check(
        "
        stasis pjsip-7 out default 0612345678
        ok one
        refused
        ok
        line-1 ended 16
        ",
        &expect![[r#"
            > stasis pjsip-7 out default 0612345678
              call c1: Outgoing line-1 0612345678 Ringing
              POST /ari/channels/pjsip-7/variable?variable=TIMEOUT(absolute)&value=15
              line-1: dial 0612345678
              audio c1: expect
              POST /ari/channels/externalMedia?app=homenichat&channelId=hn-c1-media&external_host=127.0.0.1:9&encapsulation=audiosocket&transport=tcp&connection_type=client&format=slin&data=uuid1
              POST /ari/bridges?type=mixing&bridgeId=hn-c1-bridge
            > ok one
            > refused
              line-1: hang up 34
              DELETE /ari/channels/pjsip-7?reason_code=34
              audio c1: Close
              call c1: Outgoing line-1 0612345678 Failed ended at 0 ms cause 34
            > ok
              DELETE /ari/bridges/hn-c1-bridge
            > line-1 ended 16
        "#]],
    );
}
