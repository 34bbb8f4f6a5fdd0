//! Which numbers call for help.

/// Numbers that reach an emergency service in some country where the box may stand.
///
/// The list is deliberately flat: a box travels, and to treat `18` as a call for help where it is not costs nothing,
/// while the reverse may cost a life.
/// Sources: TS 22.101 §10.1.1 (112, 911, and 000, 08, 110, 118, 119, 999 without a SIM), the French list of Arcep
/// (15, 17, 18, 114, 115, 119, 191, 196, 197), and the national numbers of neighbours.
const EMERGENCY: &[&str] = &[
    "000", "061", "062", "08", "080", "085", "088", "091", "092", "100", "101", "110", "111", "112", "113", "114",
    "115", "117", "118", "119", "122", "133", "144", "15", "17", "18", "191", "196", "197", "911", "999",
];

pub(crate) fn is_emergency(dialled: &str) -> bool {
    EMERGENCY.contains(&dialled)
}
