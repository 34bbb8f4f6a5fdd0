use std::fmt;

/// Length from which the last four characters say too little to name somebody.
const LONG_ENOUGH_TO_SHOW_AN_END: usize = 8;

/// Writes `name(…1234)`: enough to recognise a value one already knows, not enough to learn it.
pub(crate) fn debug(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    let length = value.chars().count();
    let hidden = if length < LONG_ENOUGH_TO_SHOW_AN_END { length } else { length.saturating_sub(4) };
    let end: String = value.chars().skip(hidden).collect();
    write!(f, "{name}(…{end})")
}
