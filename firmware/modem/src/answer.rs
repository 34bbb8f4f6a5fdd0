//! Reading of answers and unsolicited codes. Lines come from the air: whatever cannot be read is `None`, never a panic.

use at::{Params, hex_octets, value};
use telecom::{AccessTechnology, Iccid, PhoneNumber, Registration, Signal};

use crate::command::StorageMemory;

/// `<stat>` and `<AcT>` of a registration (TS 27.007 §7.2, §10.1.22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetworkState {
    pub(crate) state: Registration,
    pub(crate) technology: Option<AccessTechnology>,
}

/// Reads `+CREG:` or `+CEREG:`, both as answer (`n,stat,…`) and as unsolicited code (`stat,…`).
pub(crate) fn network_state(text: &str) -> Option<NetworkState> {
    let all: Vec<&str> = Params::new(text).collect();
    // A location area code has four hexadecimal digits or quotes; `<stat>` has neither.
    let has_mode = !is_quoted(text, 1) && all.get(1).is_some_and(|second| second.len() <= 2 && is_number(second));
    let fields = if has_mode { all.get(1..)? } else { all.as_slice() };
    let state = Registration::from_stat(fields.first()?.parse().ok()?);
    let technology = fields.get(3).and_then(|act| act.parse().ok()).map(AccessTechnology::from_act);
    Some(NetworkState { state, technology })
}

/// Reads `<n>` of an answered `+CREG: n,stat,…`: 0 when the modem does not report by itself (TS 27.007 §7.2).
pub(crate) fn reporting_mode(text: &str) -> Option<u8> {
    let mut fields = Params::new(text);
    let (mode, second) = (fields.next()?, fields.next()?);
    let is_answer = !is_quoted(text, 1) && second.len() <= 2 && is_number(second);
    mode.parse().ok().filter(|_| is_answer)
}

fn is_quoted(text: &str, field: usize) -> bool {
    text.split(',').nth(field).is_some_and(|field| field.trim_start().starts_with('"'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads `+CSQ: <rssi>,<ber>`.
pub(crate) fn signal(text: &str) -> Option<Signal> {
    Signal::from_csq(Params::new(text).number()?)
}

/// Reads `+COPS: <mode>[,<format>,<oper>[,<AcT>]]`; the name may be in UCS-2, as `AT+CSCS="UCS2"` asks.
pub(crate) fn operator(text: &str) -> Option<String> {
    let name = Params::new(text).nth(2)?;
    if name.is_empty() { None } else { Some(ucs2_text(name).unwrap_or_else(|| name.to_owned())) }
}

/// Decodes hexadecimal UCS-2 when the text is nothing else and yields no control characters.
pub(crate) fn ucs2_text(text: &str) -> Option<String> {
    let octets = hex_octets(text)?;
    if octets.len() < 2 || !octets.len().is_multiple_of(2) {
        return None;
    }
    let units = octets.chunks_exact(2).map(|pair| pair.iter().fold(0, |unit, octet| (unit << 8) | u16::from(*octet)));
    let text: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if text.chars().all(is_plain) { Some(text) } else { None }
}

/// Encodes hexadecimal UCS-2.
pub(crate) fn ucs2_hex(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("{unit:04X}")).collect()
}

/// Upper-case hexadecimal, as `AT+CMGS` takes octets.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// Reads `+QCCID:`, `+ICCID:`, `+CCID:` or a bare number.
pub(crate) fn iccid(lines: &[String]) -> Option<Iccid> {
    lines.iter().find_map(|line| line.rsplit(':').next()?.trim().trim_matches('"').parse().ok())
}

/// Attempts left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SimCounters {
    pub(crate) pin: u8,
    pub(crate) puk: u8,
}

/// Reads `+QPINC: "SC",3,10` or `+SPIC: 3,10,3,10`.
pub(crate) fn sim_counters(lines: &[String]) -> Option<SimCounters> {
    lines.iter().find_map(|line| {
        let mut params = match (value(line, "+QPINC:"), value(line, "+SPIC:")) {
            (Some(text), _) => {
                let mut params = Params::new(text);
                if params.next() != Some("SC") {
                    return None;
                }
                params
            }
            (None, Some(text)) => Params::new(text),
            (None, None) => return None,
        };
        Some(SimCounters { pin: params.number()?, puk: params.number()? })
    })
}

/// Reads `+CNUM: "alpha","+33…",145`: the first number that can be dialled.
pub(crate) fn own_number(lines: &[String]) -> Option<PhoneNumber> {
    lines.iter().filter_map(|line| value(line, "+CNUM:")).find_map(|text| caller(Params::new(text).nth(1)?))
}

/// A number as `+CLIP:`, `+CLCC:` and the like give it; `None` when it is withheld or cannot be read.
pub(crate) fn caller(number: &str) -> Option<PhoneNumber> {
    number.parse().ok()
}

/// Reads a memory's name (TS 27.005 §3.1 `<mem>`).
pub(crate) fn memory(name: &str) -> Option<StorageMemory> {
    match name {
        "ME" => Some(StorageMemory::Me),
        "SM" => Some(StorageMemory::Sm),
        "SR" => Some(StorageMemory::Sr),
        _ => None,
    }
}

/// The name of a memory.
pub(crate) fn memory_name(memory: StorageMemory) -> &'static str {
    match memory {
        StorageMemory::Me => "ME",
        StorageMemory::Sm => "SM",
        StorageMemory::Sr => "SR",
    }
}

/// A stored part as `AT+CMGL` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) index: u16,
    /// 0 and 1 are received, 2 and 3 are drafts and sent ones.
    pub(crate) is_received: bool,
    pub(crate) pdu: Vec<u8>,
}

/// Reads the answer to `AT+CMGL=4`.
pub(crate) fn listed(lines: &[String]) -> Vec<Listed> {
    let headers = lines.iter().zip(lines.iter().skip(1));
    let read = |(header, body): (&String, &String)| {
        let mut params = Params::new(value(header, "+CMGL:")?);
        let index = params.number()?;
        let status: u8 = params.number()?;
        Some(Listed { index, is_received: status <= 1, pdu: hex_octets(body)? })
    };
    headers.filter_map(read).collect()
}

/// Reads the answer to `AT+CMGR`: the octets, or `None` for an empty slot.
pub(crate) fn stored_pdu(lines: &[String]) -> Option<Vec<u8>> {
    let header = lines.iter().position(|line| line.starts_with("+CMGR:"))?;
    lines.iter().skip(header + 1).find_map(|line| hex_octets(line))
}

/// Used and total slots of the first memory in an answer to `AT+CPMS=` (TS 27.005 §3.2.2).
pub(crate) fn memory_use(lines: &[String]) -> Option<(u16, u16)> {
    let mut params = lines.iter().find_map(|line| Some(Params::new(value(line, "+CPMS:")?)))?;
    Some((params.number()?, params.number()?))
}

/// The direction of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Outgoing,
    Incoming,
}

/// `<stat>` of `+CLCC` (TS 27.007 §7.18), and the end, which several families report in the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LegState {
    Active,
    Held,
    Dialing,
    Alerting,
    Incoming,
    Waiting,
    Released,
}

/// One row of a list of calls, or one report about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallRow {
    pub(crate) index: u8,
    pub(crate) direction: Direction,
    pub(crate) state: LegState,
    pub(crate) number: Option<PhoneNumber>,
}

/// Reads `+CLCC: idx,dir,stat,mode,mpty[,number,type]`, or the same after `+QIND: "ccinfo",`. `None` for data calls.
pub(crate) fn call_row(text: &str) -> Option<CallRow> {
    let mut params = Params::new(text);
    let (index, direction) = (params.number()?, direction(params.number()?));
    let state = match params.number::<i8>()? {
        0 => LegState::Active,
        1 => LegState::Held,
        2 => LegState::Dialing,
        3 => LegState::Alerting,
        4 => LegState::Incoming,
        5 => LegState::Waiting,
        // SIM7600 says 6 in its unsolicited form, Quectel says -1.
        6 | -1 => LegState::Released,
        _ => return None,
    };
    let is_voice = params.number::<u8>()? == 0;
    let number = params.nth(1).and_then(caller);
    if is_voice { Some(CallRow { index, direction, state, number }) } else { None }
}

/// Reads `^DSCI: id,dir,stat,type,number,numtype`.
pub(crate) fn dsci_row(text: &str) -> Option<CallRow> {
    let mut params = Params::new(text);
    let (index, direction) = (params.number()?, direction(params.number()?));
    let state = match params.number::<u8>()? {
        1 => LegState::Held,
        2 => LegState::Dialing,
        3 => LegState::Active,
        4 => LegState::Incoming,
        5 => LegState::Waiting,
        6 => LegState::Released,
        7 => LegState::Alerting,
        _ => return None,
    };
    let is_voice = params.number::<u8>()? == 0;
    let number = params.next().and_then(caller);
    if is_voice { Some(CallRow { index, direction, state, number }) } else { None }
}

fn direction(value: u8) -> Direction {
    if value == 0 { Direction::Outgoing } else { Direction::Incoming }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations_are_read_in_both_shapes() {
        use telecom::{AccessTechnology as Act, Registration as Reg};
        let table = [
            ("0,1", Some((Reg::Home, None))),
            ("2,5,\"2B1F\",\"1A2B3C4\",7", Some((Reg::Roaming, Some(Act::EUtran)))),
            ("2,1,\"2B1F\",\"1A2B\"", Some((Reg::Home, None))),
            ("1,\"2B1F\",\"1A2B3C4\",7", Some((Reg::Home, Some(Act::EUtran)))),
            ("1,2B1F,1A2B3C4,7", Some((Reg::Home, Some(Act::EUtran)))),
            ("2,1,2B1F,1A2B3C4,7", Some((Reg::Home, Some(Act::EUtran)))),
            ("3", Some((Reg::Denied, None))),
            ("", None),
            ("x,y", None),
        ];
        for (text, want) in table {
            let read = network_state(text).map(|found| (found.state, found.technology));
            assert_eq!(read, want, "{text}");
        }
    }

    #[test]
    fn operators_are_read_in_both_character_sets() {
        let table = [
            ("0,0,\"Orange F\",7", Some("Orange F")),
            ("0,0,\"004F00720061006E00670065\",7", Some("Orange")),
            ("0", None),
            ("0,0,\"\"", None),
        ];
        for (text, want) in table {
            assert_eq!(operator(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn counters_are_read_in_both_dialects() {
        let table = [
            (vec!["+QPINC: \"SC\",3,10", "+QPINC: \"P2\",2,9"], Some(SimCounters { pin: 3, puk: 10 })),
            (vec!["+QPINC: \"P2\",2,9", "+QPINC: \"SC\",1,10"], Some(SimCounters { pin: 1, puk: 10 })),
            (vec!["+SPIC: 2,10,3,10"], Some(SimCounters { pin: 2, puk: 10 })),
            (vec!["+SPIC: x"], None),
            (vec![], None),
        ];
        for (lines, want) in table {
            let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
            assert_eq!(sim_counters(&lines), want, "{lines:?}");
        }
    }

    #[test]
    fn calls_are_read_in_every_shape() {
        let row = |index, direction, state, number: Option<&str>| {
            Some(CallRow { index, direction, state, number: number.map(|number| number.parse().unwrap()) })
        };
        let table = [
            (
                call_row("1,1,4,0,0,\"+33612345678\",145"),
                row(1, Direction::Incoming, LegState::Incoming, Some("+33612345678")),
            ),
            (call_row("1,0,-1,0,0,\"0612\",129"), row(1, Direction::Outgoing, LegState::Released, Some("0612"))),
            (call_row("2,0,3,0,0"), row(2, Direction::Outgoing, LegState::Alerting, None)),
            (call_row("1,1,4,0,0,\"\",128"), row(1, Direction::Incoming, LegState::Incoming, None)),
            (call_row("1,0,0,1,0,\"\",128"), None),
            (call_row("1,0,9,0,0"), None),
            (dsci_row("2,1,6,0,0612345678,129"), row(2, Direction::Incoming, LegState::Released, Some("0612345678"))),
            (dsci_row("2,1"), None),
        ];
        for (index, (read, want)) in table.into_iter().enumerate() {
            assert_eq!(read, want, "row {index}");
        }
    }

    #[test]
    fn lists_of_parts_are_read_and_drafts_are_told_apart() {
        let lines = ["+CMGL: 1,0,,3", "00AA", "+CMGL: 2,1,\"x\",3", "00BB", "+CMGL: 7,2,,3", "00CC", "+CMGL: 9,1,,3"];
        let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        let read: Vec<_> = listed(&lines).into_iter().map(|part| (part.index, part.is_received, part.pdu)).collect();
        assert_eq!(read, [(1, true, vec![0, 0xaa]), (2, true, vec![0, 0xbb]), (7, false, vec![0, 0xcc])]);
    }
}
