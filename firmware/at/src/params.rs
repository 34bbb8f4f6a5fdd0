//! The comma-separated values of an answer (V.250 §5.4.2).

/// The text after a prefix such as `+CREG:`, or `None` when the line has another one.
#[must_use]
pub fn value<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    line.strip_prefix(prefix).map(str::trim)
}

/// The values of an answer, split at the commas that stand outside of quotes.
#[derive(Debug, Clone)]
pub struct Params<'a> {
    rest: Option<&'a str>,
}

impl<'a> Params<'a> {
    /// Splits what follows the prefix.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        let text = text.trim();
        Self { rest: if text.is_empty() { None } else { Some(text) } }
    }

    /// The next value as a number.
    pub fn number<N: std::str::FromStr>(&mut self) -> Option<N> {
        self.next()?.parse().ok()
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = &'a str;

    /// The next value without its quotes; an omitted one is empty.
    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let mut is_quoted = false;
        let comma = text.find(|c| {
            is_quoted ^= c == '"';
            c == ',' && !is_quoted
        });
        let (value, rest) = match comma.and_then(|at| text.split_at_checked(at)) {
            Some((value, rest)) => (value, rest.strip_prefix(',')),
            None => (text, None),
        };
        self.rest = rest;
        Some(value.trim().trim_matches('"'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_split_outside_of_quotes() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("1", &["1"]),
            (" 0,0,\"Orange, F\",7 ", &["0", "0", "Orange, F", "7"]),
            ("\"\",128,,,,0", &["", "128", "", "", "", "0"]),
            ("0,\"open", &["0", "open"]),
        ];
        for (text, want) in table {
            assert_eq!(Params::new(text).collect::<Vec<_>>(), *want, "{text}");
        }
    }
}
