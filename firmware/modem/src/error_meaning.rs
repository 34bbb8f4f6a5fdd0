//! What the numbers in `+CME ERROR` and `+CMS ERROR` mean, in words for the owner.

/// The meaning of a `+CME ERROR` (TS 27.007 §9.2).
#[must_use]
pub fn cme_error_meaning(code: u16) -> &'static str {
    match code {
        0 => "the phone part of the modem failed",
        1 => "no connection to the phone",
        3 => "operation not allowed",
        4 => "operation not supported",
        5 => "the modem is locked to another SIM",
        10 => "no SIM inserted",
        11 => "the SIM needs its PIN",
        12 => "the SIM needs its PUK",
        13 => "the SIM failed",
        14 => "the SIM is busy",
        15 => "wrong SIM",
        16 => "incorrect PIN",
        17 => "the SIM needs its PIN2",
        18 => "the SIM needs its PUK2",
        20 => "memory full",
        21 => "invalid index",
        22 => "not found",
        23 => "memory failure",
        24 => "text too long",
        25 => "invalid characters in the text",
        26 => "number too long",
        27 => "invalid characters in the number",
        30 => "no network service",
        31 => "the network did not answer in time",
        32 => "only emergency calls are allowed",
        40..=47 => "the modem is locked to another network",
        50 => "incorrect parameters",
        51 => "the command is disabled",
        52 => "aborted",
        103 => "the network rejects this SIM",
        106 => "the network rejects this modem",
        107 => "GPRS is not allowed",
        111 => "this network is not allowed",
        112 => "this location area is not allowed",
        113 => "roaming is not allowed here",
        258 => "the network does not offer this here",
        _ => "unknown error",
    }
}

/// The meaning of a `+CMS ERROR` (TS 27.005 §3.2.5, TS 24.011 annex E, TS 23.040 §9.2.3.22).
#[must_use]
pub fn cms_error_meaning(code: u16) -> &'static str {
    match code {
        0..=127 => network_cause_meaning(code),
        128..=255 => service_centre_cause_meaning(code),
        _ => modem_cause_meaning(code),
    }
}

/// TS 24.011 annex E-2.
fn network_cause_meaning(code: u16) -> &'static str {
    match code {
        1 => "the number does not exist",
        8 => "barred by the operator",
        10 => "barred for this SIM",
        21 => "rejected; often no credit left",
        27 => "the recipient is out of service",
        28 => "the subscriber is unknown to the network",
        29 => "the facility was refused",
        30 => "the recipient is unknown",
        38 => "the network is out of order",
        41 => "temporary failure of the network",
        42 => "the network is congested",
        47 => "no resources in the network",
        50 => "not part of the subscription",
        69 => "not offered by the network",
        81 => "invalid message reference",
        95..=99 => "the network did not understand the message",
        111 => "protocol error in the network",
        _ => "failure in the network",
    }
}

/// TS 23.040 §9.2.3.22.
fn service_centre_cause_meaning(code: u16) -> &'static str {
    match code {
        128 => "telematic interworking is not supported",
        129 => "short messages of type 0 are not supported",
        130 => "the message cannot be replaced",
        143..=145 => "the service centre does not support this kind of message",
        159..=161 => "the service centre does not support this command",
        175 | 176 => "the service centre does not support this message",
        192 => "the service centre is busy",
        193 => "no subscription at the service centre",
        194 => "the service centre has failed",
        195 => "invalid recipient for the service centre",
        196 => "the recipient is barred",
        197 => "the service centre rejected it as a duplicate",
        198 | 199 => "the validity period is not supported",
        208 => "the SIM's message memory is full",
        209 => "the SIM cannot store messages",
        210 => "error in the recipient's phone",
        211 => "the recipient's memory is full",
        212 => "the SIM toolkit is busy",
        213 => "error while downloading to the SIM",
        _ => "refused by the service centre",
    }
}

/// TS 27.005 §3.2.5.
fn modem_cause_meaning(code: u16) -> &'static str {
    match code {
        300 => "the modem failed",
        301 => "the message service of the modem is reserved",
        302 => "operation not allowed",
        303 => "operation not supported",
        304 => "invalid message octets",
        305 => "invalid text",
        310 => "no SIM inserted",
        311 => "the SIM needs its PIN",
        312 => "the modem is locked to another SIM",
        313 => "the SIM failed",
        314 => "the SIM is busy",
        315 => "wrong SIM",
        316 => "the SIM needs its PUK",
        317 => "the SIM needs its PIN2",
        318 => "the SIM needs its PUK2",
        320 => "memory failure",
        321 => "invalid memory index",
        322 => "message memory full",
        330 => "the number of the service centre is unknown",
        331 => "no network service",
        332 => "the network did not answer in time",
        340 => "no acknowledgement was expected",
        500 => "unknown error of the modem",
        _ => "unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_words() {
        let table = [
            (cme_error_meaning(10), "no SIM inserted"),
            (cme_error_meaning(30), "no network service"),
            (cme_error_meaning(9999), "unknown error"),
            (cms_error_meaning(38), "the network is out of order"),
            (cms_error_meaning(322), "message memory full"),
            (cms_error_meaning(208), "the SIM's message memory is full"),
            (cms_error_meaning(9999), "unknown error"),
        ];
        for (meaning, want) in table {
            assert_eq!(meaning, want);
        }
        for code in 0..=1000 {
            assert!(!cme_error_meaning(code).is_empty() && !cms_error_meaning(code).is_empty());
        }
    }
}
