//! What holds for every dialogue.

use std::time::Duration;

use modem_sim::core::{Output, Personality, SimModem};
use proptest::prelude::*;

use crate::bench::Bench;

/// Everything that the simulated modem wrote on `interface`.
fn written(modem: &mut SimModem, interface: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(output) = modem.poll_output() {
        if let Output::Write { interface: on, bytes: new } = output
            && on == interface
        {
            bytes.extend(new);
        }
    }
    bytes
}

proptest! {
    #[test]
    fn chunks_do_not_change_the_dialogue(
        cuts in proptest::collection::vec(1usize..7, 0..60),
        lines in proptest::collection::vec("AT(E0|E1|I|\\+CSQ|\\+CREG=2|\\+CREG\\?|\\+CPMS\\?|;\\+CSQ|\\+CMGL=4|\\+X|V0|V1|)[;]?", 0..12),
    ) {
        let text = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
        let mut whole = Bench::start("sim7600");
        whole.host(2, &text);
        let mut cut = Bench::start("sim7600");
        let mut rest = text.as_bytes();
        for size in cuts.into_iter().chain([usize::MAX]) {
            let (chunk, next) = rest.split_at(size.min(rest.len()));
            cut.modem.handle_bytes(2, chunk, cut.now);
            rest = next;
        }
        prop_assert_eq!(written(&mut whole.modem, 2), written(&mut cut.modem, 2));
    }

    #[test]
    fn hostile_bytes_never_panic(
        personality in proptest::sample::select(Personality::NAMES),
        chunks in proptest::collection::vec((0u8..7, proptest::collection::vec(proptest::num::u8::ANY, 0..80), 0u64..3000), 0..30),
    ) {
        let mut bench = Bench::start(personality);
        for (interface, bytes, wait_ms) in chunks {
            bench.modem.handle_bytes(interface, &bytes, bench.now);
            bench.pass(Duration::from_millis(wait_ms));
        }
        bench.modem.handle_bytes(2, b"\x1b\rAT\r", bench.now);
    }

    #[test]
    fn hostile_commands_never_panic(
        personality in proptest::sample::select(Personality::NAMES),
        lines in proptest::collection::vec(
            "AT(D|A|H|\\+(CMGS|CMGR|CMGD|CMGL|CMGW|CPMS|CNMI|CUSD|CHLD|CLCC|CFUN|CPIN|CLCK|CSCA|VTS|CPCMREG|QPCMV|QINDCFG|QCFG|CSCS|COPS))(=|\\?|=\\?|)[-0-9a-z\",;#*+]{0,20}\r[0-9A-F]{0,40}(\u{1a}|\u{1b}|)",
            0..20,
        ),
    ) {
        let mut bench = Bench::start(personality);
        for line in lines {
            bench.host(2, &line);
            bench.pass(Duration::from_millis(300));
        }
        prop_assert!(bench.transcript.len() < 10_000_000);
    }
}
