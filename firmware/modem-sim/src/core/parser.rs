//! Command line grammar of V.250 §5: one line in, its commands out.

/// One command of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Upper case, with its prefix: `E`, `&F`, `D`, `+CSQ`, `^DSCI`.
    pub name: String,
    /// How it is used.
    pub form: Form,
}

/// The four uses of an extended command; basic commands use `Exec` and `Set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `AT+X`.
    Exec,
    /// `AT+X?`.
    Read,
    /// `AT+X=?`.
    Test,
    /// `AT+X=…`, the text after the equal sign.
    Set(String),
}

impl Form {
    /// Returns the arguments of a set command, without quotes; empty for the other forms.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        match self {
            Self::Set(raw) => split_outside_quotes(raw, ',').map(|part| part.trim().replace('"', "")).collect(),
            Self::Exec | Self::Read | Self::Test => Vec::new(),
        }
    }
}

/// Returns the commands of `line`, or `None` when the line does not contain the attention code.
///
/// `Some(Err(..))` carries the commands before the first that cannot be read: they are executed all the same.
#[must_use]
pub fn parse_line(line: &str) -> Option<Result<Vec<Command>, Vec<Command>>> {
    let upper = line.to_ascii_uppercase();
    let start = upper.find("AT")?;
    let mut rest = line.get(start + 2..).unwrap_or_default();
    let mut commands = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ';']);
        if rest.is_empty() {
            return Some(Ok(commands));
        }
        match next_command(rest) {
            Some((command, tail)) => {
                commands.push(command);
                rest = tail;
            }
            None => return Some(Err(commands)),
        }
    }
}

/// Splits at `separator` where it is not between quotes.
pub(crate) fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
}

fn next_command(rest: &str) -> Option<(Command, &str)> {
    let first = rest.chars().next()?.to_ascii_uppercase();
    match first {
        '+' | '^' | '$' | '*' | '#' | '%' => Some(extended(rest)),
        'D' => Some(dial(rest)),
        '&' => {
            let letter = rest.chars().nth(1).filter(char::is_ascii_alphabetic)?.to_ascii_uppercase();
            Some(basic(format!("&{letter}"), rest.get(2..)?))
        }
        'S' => {
            let digits = rest.get(1..)?.chars().take_while(char::is_ascii_digit).count();
            let (name, tail) = rest.split_at_checked(1 + digits)?;
            Some(basic(name.to_ascii_uppercase(), tail))
        }
        letter if letter.is_ascii_alphabetic() => Some(basic(letter.to_string(), rest.get(1..)?)),
        _ => None,
    }
}

fn extended(rest: &str) -> (Command, &str) {
    let segment = split_outside_quotes(rest, ';').next().unwrap_or(rest);
    let tail = rest.get(segment.len()..).unwrap_or_default();
    let end = segment.find(['=', '?']).unwrap_or(segment.len());
    let (name, suffix) = segment.split_at_checked(end).unwrap_or((segment, ""));
    let form = match suffix.trim_end() {
        "" => Form::Exec,
        "?" => Form::Read,
        "=?" => Form::Test,
        other => Form::Set(other.strip_prefix(['=', '?']).unwrap_or(other).to_owned()),
    };
    (Command { name: name.trim_end().to_ascii_uppercase(), form }, tail)
}

/// The semicolon belongs to a dial string: it asks for voice (V.250 §6.3.1).
fn dial(rest: &str) -> (Command, &str) {
    let end = rest.find(';').map_or(rest.len(), |position| position + 1);
    let (string, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let number = string.get(1..).unwrap_or_default().to_owned();
    (Command { name: "D".to_owned(), form: Form::Set(number) }, tail)
}

fn basic(name: String, tail: &str) -> (Command, &str) {
    if let Some(tail) = tail.strip_prefix('?') {
        return (Command { name, form: Form::Read }, tail);
    }
    let tail = tail.strip_prefix('=').unwrap_or(tail);
    let digits = tail.chars().take_while(char::is_ascii_digit).count();
    let (value, tail) = tail.split_at_checked(digits).unwrap_or((tail, ""));
    let form = if value.is_empty() { Form::Exec } else { Form::Set(value.to_owned()) };
    (Command { name, form }, tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(line: &str) -> String {
        match parse_line(line) {
            None => "not a command line".to_owned(),
            Some(Ok(commands)) => commands.iter().map(command_shape).collect::<Vec<_>>().join(" | "),
            Some(Err(commands)) => {
                commands.iter().map(command_shape).chain(["error".to_owned()]).collect::<Vec<_>>().join(" | ")
            }
        }
    }

    fn command_shape(command: &Command) -> String {
        match &command.form {
            Form::Exec => command.name.clone(),
            Form::Read => format!("{}?", command.name),
            Form::Test => format!("{}=?", command.name),
            Form::Set(raw) => format!("{}={raw}", command.name),
        }
    }

    #[test]
    fn lines_split_into_commands() {
        const LINES: &[(&str, &str)] = &[
            ("AT", ""),
            ("hello", "not a command line"),
            ("\u{0}\u{ff}at+csq", "+CSQ"),
            ("ATE0V1+CMEE=1", "E=0 | V=1 | +CMEE=1"),
            ("AT&FE0S0=0", "&F | E=0 | S0=0"),
            ("AT+QSPN;+QNWINFO", "+QSPN | +QNWINFO"),
            ("AT+COPS=3,0;+COPS?", "+COPS=3,0 | +COPS?"),
            (r#"AT+CUSD=1,"a;b",15;+CSQ"#, r#"+CUSD=1,"a;b",15 | +CSQ"#),
            ("ATD+33612;+CSQ", "D=+33612; | +CSQ"),
            ("ATD*99#", "D=*99#"),
            ("AT+CPMS=?", "+CPMS=?"),
            ("ATS3?", "S3?"),
            ("ATE0!", "E=0 | error"),
            ("AT+CSQ ?", "+CSQ?"),
        ];
        for (line, want) in LINES {
            assert_eq!(shape(line), *want, "{line}");
        }
    }

    #[test]
    fn arguments_lose_quotes_and_keep_commas_inside_them() {
        let form = Form::Set(r#""SC", 2,"a,b",,"#.to_owned());
        assert_eq!(form.arguments(), ["SC", "2", "a,b", "", ""]);
    }
}
