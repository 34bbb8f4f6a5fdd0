-- Cheap modems share an IMEI: where they are plugged in tells them apart.
-- line_id is the line whose messages the modem's own memory holds, once that memory was read for it.
CREATE TABLE modems_by_place (
    id         TEXT    PRIMARY KEY,
    imei       TEXT    NOT NULL,
    usb_path   TEXT,
    model      TEXT,
    firmware   TEXT,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    line_id    INTEGER REFERENCES lines (id)
) STRICT;
INSERT INTO modems_by_place
    SELECT id, imei, usb_path, model, firmware, name, created_at, NULL FROM modems ORDER BY rowid;
DROP TABLE modems;
ALTER TABLE modems_by_place RENAME TO modems;
CREATE INDEX modems_by_imei ON modems (imei);
