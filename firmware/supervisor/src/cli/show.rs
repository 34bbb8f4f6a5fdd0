//! Answers of the box as text for a person, or as they are.
#![expect(clippy::unnecessary_wraps, reason = "every way of showing has the same shape, so that commands read alike")]

use anyhow::Result;
use serde_json::Value;

/// How answers are shown.
pub(super) struct Show {
    /// As the box gave them.
    pub json: bool,
}

impl Show {
    /// One sentence.
    pub(super) fn line(&self, text: &str) -> Result<()> {
        if !self.json {
            println!("{text}");
        }
        Ok(())
    }

    /// `/api/health`.
    pub(super) fn health(&self, answer: &Value) -> Result<()> {
        self.list(answer, "items", "nothing is watched yet", |item| {
            let age =
                item.get("ageSeconds").and_then(Value::as_u64).map_or("never".to_owned(), |s| format!("{s} s ago"));
            format!("{:9} {:16} {} ({age})", text(item, "status"), text(item, "name"), text(item, "proof"))
        })
    }

    /// `/api/lines`.
    pub(super) fn lines(&self, answer: &Value) -> Result<()> {
        self.list(answer, "lines", "no line yet: plug in a modem with a SIM", |line| {
            format!(
                "{:8} {:16} {:16} {:12} {} {} bars",
                text(line, "id"),
                text(line, "name"),
                text(line, "number"),
                text(line, "state"),
                deep(line, "/operator/value"),
                deep(line, "/signal/value/bars"),
            )
        })
    }

    /// `/api/modems`.
    pub(super) fn modems(&self, answer: &Value) -> Result<()> {
        self.list(answer, "modems", "no modem yet: plug one in", |modem| {
            let tries = modem.get("pinTriesLeft").map_or(String::new(), |n| format!(" ({n} tries left)"));
            let (id, name, state) = (text(modem, "id"), text(modem, "name"), text(modem, "state"));
            format!("{id:18} {name:28} {state}{tries} {}", text(modem, "lineId"))
        })
    }

    /// `/api/voip/extensions`.
    pub(super) fn phones(&self, answer: &Value) -> Result<()> {
        self.list(answer, "extensions", "no phone yet: add one under [[extensions]] in settings.toml", |phone| {
            let port = phone.get("port").and_then(Value::as_u64).unwrap_or(5060);
            let (user, server, password) = (text(phone, "extension"), text(phone, "domain"), text(phone, "password"));
            format!("{user:6} {:20} server {server}:{port}  password {password}", text(phone, "displayName"))
        })
    }

    /// `/api/chats`.
    pub(super) fn chats(&self, answer: &Value) -> Result<()> {
        self.list(answer, "chats", "no conversation yet: send one with homenichat send NUMBER TEXT", |chat| {
            let unread = chat.get("unreadCount").and_then(Value::as_u64).unwrap_or(0);
            format!("{}  {}  [{unread} unread]  {}", text(chat, "id"), text(chat, "name"), text(chat, "lastMessage"))
        })
    }

    /// `/api/chats/ID/messages`.
    pub(super) fn messages(&self, answer: &Value) -> Result<()> {
        self.list(answer, "messages", "no message in this conversation", message)
    }

    /// `/api/calls`.
    pub(super) fn calls(&self, answer: &Value) -> Result<()> {
        self.list(answer, "calls", "no call yet", |call| {
            format!(
                "{}  {}  {:9} {:9} {} -> {}  {} s",
                text(call, "startTime"),
                text(call, "id"),
                text(call, "direction"),
                text(call, "status"),
                text(call, "callerNumber"),
                text(call, "calledNumber"),
                text(call, "duration"),
            )
        })
    }

    /// `/api/events`.
    pub(super) fn events(&self, answer: &Value) -> Result<()> {
        self.list(answer, "events", "nothing happened that needs telling", |event| {
            format!("{}  {}  {}", text(event, "timestamp"), text(event, "kind"), text(event, "data"))
        })
    }

    /// The answer to a message that was accepted.
    pub(super) fn accepted(&self, answer: &Value) -> Result<()> {
        self.one(answer, |answer| {
            format!("message {} accepted, {} part(s)", text(answer, "messageId"), text(answer, "segments"))
        })
    }

    /// The answer to a call that was placed.
    pub(super) fn placed(&self, answer: &Value) -> Result<()> {
        self.one(answer, |answer| format!("your phone rings for call {}", text(answer, "callId")))
    }

    /// The network's answer.
    pub(super) fn ussd(&self, answer: &Value) -> Result<()> {
        self.one(answer, |answer| {
            let more = answer.get("expectsReply").and_then(Value::as_bool).unwrap_or(false);
            let hint = if more { "\n(reply with: homenichat ussd LINE reply:1)" } else { "" };
            format!("{}{hint}", text(answer, "text"))
        })
    }

    /// One live event.
    pub(super) fn event(&self, event: &Value) -> Result<()> {
        // For programs: what a person reads says the same.
        let is_for_apps = matches!(
            text(event, "type").as_str(),
            "auth_success" | "pong" | "chats_list_update" | "chat_updated" | "call_history_update"
        );
        if is_for_apps && !self.json {
            return Ok(());
        }
        self.one(event, |event| {
            let data = event.get("data").unwrap_or(&Value::Null);
            match text(event, "type").as_str() {
                "new_message" | "message_update" => message(data),
                "message_status" => format!("message {} is {}", text(data, "messageId"), text(data, "status")),
                "incoming_call" => format!("call from {} on {}", text(data, "callerNumber"), text(data, "lineName")),
                "call_ended" => format!("call {} ended: {}", text(data, "id"), text(data, "status")),
                "line_update" => format!("{} is {}", text(data, "id"), text(data, "state")),
                "modem_update" => format!("{} is {}", text(data, "name"), text(data, "state")),
                "watchdog_action" => {
                    format!("{}: {} ({})", text(data, "target"), text(data, "action"), text(data, "reason"))
                }
                other => other.to_owned(),
            }
        })
    }

    fn list(&self, answer: &Value, name: &str, empty: &str, view: impl Fn(&Value) -> String) -> Result<()> {
        if self.json {
            println!("{answer}");
            return Ok(());
        }
        let items = super::must(answer.get(name).and_then(Value::as_array), name)?;
        if items.is_empty() {
            println!("{empty}");
        }
        for item in items {
            println!("{}", view(item));
        }
        Ok(())
    }

    fn one(&self, answer: &Value, view: impl Fn(&Value) -> String) -> Result<()> {
        println!("{}", if self.json { answer.to_string() } else { view(answer) });
        Ok(())
    }
}

fn message(message: &Value) -> String {
    let is_ours = message.get("fromMe").and_then(Value::as_bool).unwrap_or(false);
    let who = if is_ours { format!("me ({})", text(message, "status")) } else { text(message, "sender") };
    format!("{who}: {}", text(message, "content"))
}

fn text(value: &Value, key: &str) -> String {
    plain(value.get(key))
}

fn deep(value: &Value, pointer: &str) -> String {
    plain(value.pointer(pointer))
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        // A terminal obeys control characters; a text from the air must not.
        Some(Value::String(text)) => text.chars().map(|c| if c.is_control() && c != '\n' { '�' } else { c }).collect(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        assert_eq!(super::text(&json!({"content": "a\u{1b}[2Jb"}), "content"), "a�[2Jb");
    }
}
