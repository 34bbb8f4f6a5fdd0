//! Final results.

use std::fmt;

/// What `+CME ERROR:` or `+CMS ERROR:` carries: a number with `AT+CMEE=1`, words with `AT+CMEE=2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    /// TS 27.007 §9.2 or TS 27.005 §3.2.5.
    Number(u16),
    /// The modem's own words.
    Text(String),
}

impl ErrorCode {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Number)
    }

    /// The number, when there is one.
    #[must_use]
    pub fn number(&self) -> Option<u16> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// The result that ends a command (V.250 §5.7.1, TS 27.007 §9, TS 27.005 §3.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinalResult {
    /// `OK`.
    Ok,
    /// `CONNECT`, with or without a rate: a data call, which nobody here asks for.
    Connect,
    /// `NO CARRIER`.
    NoCarrier,
    /// `ERROR`, or `COMMAND NOT SUPPORT` of some firmware.
    Error,
    /// `NO DIALTONE`.
    NoDialtone,
    /// `BUSY`.
    Busy,
    /// `NO ANSWER`.
    NoAnswer,
    /// `+CME ERROR:`.
    CmeError(ErrorCode),
    /// `+CMS ERROR:`.
    CmsError(ErrorCode),
}

impl FinalResult {
    /// Recognises a final result.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        if let Some(code) = line.strip_prefix("+CME ERROR:") {
            return Some(Self::CmeError(ErrorCode::parse(code)));
        }
        if let Some(code) = line.strip_prefix("+CMS ERROR:") {
            return Some(Self::CmsError(ErrorCode::parse(code)));
        }
        Some(match line {
            "OK" => Self::Ok,
            "NO CARRIER" => Self::NoCarrier,
            "ERROR" | "COMMAND NOT SUPPORT" => Self::Error,
            "NO DIALTONE" | "NO DIAL TONE" => Self::NoDialtone,
            "BUSY" => Self::Busy,
            "NO ANSWER" => Self::NoAnswer,
            _ if line == "CONNECT" || line.starts_with("CONNECT ") => Self::Connect,
            _ => return None,
        })
    }

    /// Whether this also arrives by itself when a call ends, so that only a command of call control may take it.
    pub(crate) fn is_call_progress(&self) -> bool {
        match self {
            Self::NoCarrier | Self::NoDialtone | Self::Busy | Self::NoAnswer => true,
            Self::Ok | Self::Connect | Self::Error | Self::CmeError(_) | Self::CmsError(_) => false,
        }
    }

    /// Whether the command worked.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        *self == Self::Ok
    }
}

impl fmt::Display for FinalResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Connect => f.write_str("CONNECT"),
            Self::NoCarrier => f.write_str("NO CARRIER"),
            Self::Error => f.write_str("ERROR"),
            Self::NoDialtone => f.write_str("NO DIALTONE"),
            Self::Busy => f.write_str("BUSY"),
            Self::NoAnswer => f.write_str("NO ANSWER"),
            Self::CmeError(code) => write!(f, "+CME ERROR: {code}"),
            Self::CmsError(code) => write!(f, "+CMS ERROR: {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_results_are_recognised_and_nothing_else_is() {
        let table = [
            ("OK", Some(FinalResult::Ok)),
            ("ERROR", Some(FinalResult::Error)),
            ("COMMAND NOT SUPPORT", Some(FinalResult::Error)),
            ("+CME ERROR: 10", Some(FinalResult::CmeError(ErrorCode::Number(10)))),
            ("+CME ERROR: SIM failure", Some(FinalResult::CmeError(ErrorCode::Text("SIM failure".to_owned())))),
            ("+CMS ERROR: 500", Some(FinalResult::CmsError(ErrorCode::Number(500)))),
            ("NO CARRIER", Some(FinalResult::NoCarrier)),
            ("CONNECT 150000000", Some(FinalResult::Connect)),
            ("CONNECTED", None),
            ("OKAY", None),
            ("+CSQ: 1,99", None),
        ];
        for (line, want) in table {
            assert_eq!(FinalResult::parse(line), want, "{line}");
        }
    }
}
