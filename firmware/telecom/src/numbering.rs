//! National numbering plans, as far as needed to recognise a correspondent under one name.

use std::ops::RangeInclusive;

/// How the subscribers of a country dial each other.
struct Plan {
    /// Mobile country code of the networks that use the plan (ITU-T E.212).
    mcc: u16,
    /// Country code (ITU-T E.164).
    country: &'static str,
    /// What precedes a national number when dialled inside the country; it is not part of the international form.
    trunk_prefix: &'static str,
    /// Number of digits after the trunk prefix.
    digits: RangeInclusive<usize>,
}

/// Shortest national number, trunk prefix included, that cannot be a service number.
const SHORTEST_NATIONAL: usize = 8;
/// Shortest international number after `00`: below that it is a local service.
const SHORTEST_INTERNATIONAL: usize = 8;

/// Returns `dialled` with `+` and a country code, or `None` when it is best left alone.
pub(crate) fn to_international(dialled: &str, mcc: u16) -> Option<String> {
    if !dialled.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Some(number) = after_international_prefix(dialled, mcc) {
        return Some(format!("+{number}"));
    }
    match mcc {
        208 | 340 | 647 => french(dialled),
        302 | 310..=316 => north_american(dialled),
        _ => PLANS.iter().find(|plan| plan.mcc == mcc).and_then(|plan| by_plan(dialled, plan)),
    }
}

fn after_international_prefix(dialled: &str, mcc: u16) -> Option<&str> {
    let number = match mcc {
        302 | 310..=316 => dialled.strip_prefix("011").or_else(|| dialled.strip_prefix("00")),
        _ => dialled.strip_prefix("00"),
    }?;
    (number.len() >= SHORTEST_INTERNATIONAL && !number.starts_with('0')).then_some(number)
}

/// France and its departments overseas share one plan, in which the first digits tell the country code.
fn french(dialled: &str) -> Option<String> {
    let national = dialled.strip_prefix('0').filter(|national| national.len() == 9 && !national.starts_with('0'))?;
    // 06 39 98 is set aside for works of fiction in mainland France, inside the block of Mayotte (Arcep).
    if national.starts_with("63998") {
        return Some(format!("+33{national}"));
    }
    let country = match national.get(..3)? {
        "262" | "263" | "269" | "639" | "692" | "693" => "262",
        "508" => "",
        "590" | "690" | "691" => "590",
        "594" | "694" => "594",
        "596" | "696" | "697" => "596",
        _ => "33",
    };
    Some(format!("+{country}{national}"))
}

/// The North American plan: ten digits, the first of area code and exchange between 2 and 9, after an optional 1.
fn north_american(dialled: &str) -> Option<String> {
    let national = dialled.strip_prefix('1').unwrap_or(dialled);
    let is_number = national.len() == 10
        && [0, 3]
            .iter()
            .all(|&place| national.as_bytes().get(place).is_some_and(|digit| (b'2'..=b'9').contains(digit)));
    is_number.then(|| format!("+1{national}"))
}

fn by_plan(dialled: &str, plan: &Plan) -> Option<String> {
    let national = dialled.strip_prefix(plan.trunk_prefix)?;
    let keeps_leading_zero = plan.mcc == ITALY;
    let is_number = dialled.len() >= SHORTEST_NATIONAL
        && plan.digits.contains(&national.len())
        && (keeps_leading_zero || !national.starts_with('0'));
    is_number.then(|| format!("+{}{national}", plan.country))
}

/// Italy dials the leading zero of its fixed lines from abroad as well.
const ITALY: u16 = 222;

const fn plan(mcc: u16, country: &'static str, trunk_prefix: &'static str, digits: RangeInclusive<usize>) -> Plan {
    Plan { mcc, country, trunk_prefix, digits }
}

/// Plans by country code of the network (ITU-T E.212 and the national plans notified to ITU-T for E.164).
const PLANS: &[Plan] = &[
    plan(202, "30", "", 10..=10),
    plan(204, "31", "0", 9..=9),
    plan(206, "32", "0", 8..=9),
    plan(212, "377", "", 8..=9),
    plan(214, "34", "", 9..=9),
    plan(216, "36", "06", 8..=9),
    plan(218, "387", "0", 8..=9),
    plan(219, "385", "0", 8..=9),
    plan(220, "381", "0", 8..=10),
    plan(221, "383", "0", 8..=8),
    plan(ITALY, "39", "", 8..=11),
    plan(226, "40", "0", 9..=9),
    plan(228, "41", "0", 9..=9),
    plan(230, "420", "", 9..=9),
    plan(231, "421", "0", 9..=9),
    plan(232, "43", "0", 7..=13),
    plan(234, "44", "0", 9..=10),
    plan(235, "44", "0", 9..=10),
    plan(238, "45", "", 8..=8),
    plan(240, "46", "0", 7..=10),
    plan(242, "47", "", 8..=8),
    plan(244, "358", "0", 7..=11),
    plan(246, "370", "0", 8..=8),
    plan(247, "371", "", 8..=8),
    plan(248, "372", "", 8..=8),
    plan(250, "7", "8", 10..=10),
    plan(255, "380", "0", 9..=9),
    plan(257, "375", "80", 9..=9),
    plan(259, "373", "0", 8..=8),
    plan(260, "48", "", 9..=9),
    plan(262, "49", "0", 7..=12),
    plan(266, "350", "", 8..=8),
    plan(268, "351", "", 9..=9),
    plan(270, "352", "", 8..=9),
    plan(272, "353", "0", 7..=9),
    plan(276, "355", "0", 8..=9),
    plan(278, "356", "", 8..=8),
    plan(280, "357", "", 8..=8),
    plan(284, "359", "0", 8..=9),
    plan(286, "90", "0", 10..=10),
    plan(293, "386", "0", 8..=8),
    plan(294, "389", "0", 8..=8),
    plan(297, "382", "0", 8..=8),
    plan(334, "52", "", 10..=10),
    plan(547, "689", "", 8..=8),
];
