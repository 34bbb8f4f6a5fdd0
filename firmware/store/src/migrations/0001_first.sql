-- Times are milliseconds since the epoch. Words of state are those of the API.

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT    NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'user')),
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;

-- Only the SHA-256 of a token is kept: a stolen database opens no session.
CREATE TABLE sessions (
    token_hash BLOB    PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lines (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    iccid          TEXT    NOT NULL UNIQUE,
    imsi           TEXT,
    number         TEXT,
    name           TEXT    NOT NULL,
    country        INTEGER NOT NULL DEFAULT 0, -- mobile country code of the SIM; 0 while unknown
    next_reference INTEGER NOT NULL DEFAULT 0, -- concatenation reference of the next long message
    created_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE modems (
    id         TEXT    PRIMARY KEY,
    imei       TEXT    NOT NULL UNIQUE,
    usb_path   TEXT,
    model      TEXT,
    firmware   TEXT,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- A PIN that its SIM has refused is never tried again.
CREATE TABLE pins (
    iccid    TEXT    PRIMARY KEY,
    pin      TEXT    NOT NULL,
    rejected INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE chats (
    id           TEXT    PRIMARY KEY,
    line_id      INTEGER NOT NULL REFERENCES lines (id),
    remote       TEXT    NOT NULL,
    name         TEXT,
    unread_count INTEGER NOT NULL DEFAULT 0,
    last_message TEXT    NOT NULL DEFAULT '',
    last_at      INTEGER NOT NULL DEFAULT 0,
    UNIQUE (line_id, remote)
) STRICT;
CREATE INDEX chats_by_time ON chats (last_at);

CREATE TABLE messages (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id         TEXT    NOT NULL REFERENCES chats (id),
    line_id         INTEGER NOT NULL REFERENCES lines (id),
    direction       TEXT    NOT NULL CHECK (direction IN ('in', 'out')),
    sender          TEXT    NOT NULL, -- as it stood on the air; the recipient of an outgoing message
    kind            TEXT    NOT NULL CHECK (kind IN ('text', 'data', 'unreadable')),
    body            TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    segments        INTEGER NOT NULL,
    is_complete     INTEGER NOT NULL DEFAULT 1,
    created_at      INTEGER NOT NULL,
    sent_at         INTEGER,
    delivered_at    INTEGER,
    error           TEXT,
    idempotency_key TEXT UNIQUE,
    -- A page ends at a time: two messages of a chat never share one.
    UNIQUE (chat_id, created_at)
) STRICT;

-- Parts of one long incoming message. Hidden while message_id is null.
CREATE TABLE groups (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    line_id      INTEGER NOT NULL REFERENCES lines (id),
    sender       TEXT    NOT NULL,
    reference    INTEGER NOT NULL,
    is_16_bit    INTEGER NOT NULL,
    total        INTEGER NOT NULL,
    opened_at    INTEGER NOT NULL,
    completed_at INTEGER,
    message_id   INTEGER REFERENCES messages (id)
) STRICT;
CREATE INDEX groups_by_key ON groups (line_id, sender, reference, is_16_bit, total);
CREATE INDEX groups_hidden ON groups (line_id, opened_at) WHERE message_id IS NULL;

-- Everything that came from the air, octet by octet. cleared_at is null while the modem may still hold it.
CREATE TABLE arrivals (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    line_id       INTEGER NOT NULL REFERENCES lines (id),
    kind          TEXT    NOT NULL CHECK (kind IN ('part', 'report', 'unreadable')),
    storage_owner TEXT    NOT NULL,
    slot          INTEGER,
    pdu           BLOB    NOT NULL,
    received_at   INTEGER NOT NULL,
    cleared_at    INTEGER,
    message_id    INTEGER REFERENCES messages (id),
    group_id      INTEGER REFERENCES groups (id),
    sequence      INTEGER,
    stamped_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX arrivals_uncleared ON arrivals (storage_owner, slot) WHERE cleared_at IS NULL AND slot IS NOT NULL;
CREATE INDEX arrivals_by_group ON arrivals (group_id) WHERE group_id IS NOT NULL;

-- Parts to send, and what became of them.
CREATE TABLE parts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id INTEGER NOT NULL REFERENCES messages (id),
    line_id    INTEGER NOT NULL REFERENCES lines (id),
    recipient  TEXT    NOT NULL,
    pdu        BLOB    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('queued', 'sending', 'sent', 'delivered', 'failed', 'unknown')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    claimed_at INTEGER,
    sent_at    INTEGER,
    reference  INTEGER
) STRICT;
CREATE INDEX parts_by_message ON parts (message_id);
CREATE INDEX parts_queued ON parts (line_id, id) WHERE status = 'queued';
CREATE INDEX parts_sending ON parts (id) WHERE status = 'sending';
CREATE INDEX parts_awaiting_report ON parts (line_id, reference) WHERE status = 'sent';
CREATE INDEX parts_unanswered ON parts (line_id) WHERE status = 'unknown';

-- Delivery reports; those without a part wait for the answer to the sending that they overtook.
CREATE TABLE reports (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    line_id      INTEGER NOT NULL REFERENCES lines (id),
    reference    INTEGER NOT NULL,
    recipient    TEXT    NOT NULL,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('delivered', 'pending', 'failed')),
    status_code  INTEGER NOT NULL,
    pdu          BLOB    NOT NULL,
    received_at  INTEGER NOT NULL,
    discharge_at INTEGER,
    part_id      INTEGER REFERENCES parts (id)
) STRICT;
CREATE INDEX reports_by_reference ON reports (line_id, reference);

CREATE TABLE calls (
    id                    TEXT    PRIMARY KEY,
    direction             TEXT    NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    caller_number         TEXT    NOT NULL,
    called_number         TEXT    NOT NULL,
    caller_name           TEXT,
    line_id               INTEGER REFERENCES lines (id),
    line_name             TEXT,
    start_at              INTEGER NOT NULL,
    answer_at             INTEGER,
    end_at                INTEGER,
    answered_by_username  TEXT,
    answered_by_extension TEXT,
    status                TEXT    NOT NULL
        CHECK (status IN ('ringing', 'missed', 'answered', 'rejected', 'busy', 'failed')),
    source                TEXT    NOT NULL,
    pbx_call_id           TEXT,
    seen                  INTEGER NOT NULL DEFAULT 0,
    notes                 TEXT,
    recording_url         TEXT,
    created_at            INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_by_time ON calls (start_at);

CREATE TABLE events (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT    NOT NULL,
    json TEXT    NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
