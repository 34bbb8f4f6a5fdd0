//! The program `homenichatd`: tasks and drivers around the pure crates, and the command line `homenichat`.
//!
//! Everything that touches the outside lives here: ttys, sysfs, netlink, Asterisk's process and sockets, HTTP.
//! Decisions live in `modem`, `switchboard` and `settings`.
//!
//! | task | reads | writes | owns |
//! |---|---|---|---|
//! | `devices::Monitor` | uevents, sysfs | device events | which USB devices are there |
//! | `fleet` | device events | starts and ends the tasks of modems | which modems run |
//! | `drive`, one per modem | the AT port, commands | the AT port, modem events | the modem's machine |
//! | `line`, one per modem | modem events, requests | commands, the store, the registry, live events | the part on its way |
//! | `exchange` | calls of lines, Asterisk's events, sound, requests | Asterisk, modems, sound, call records | the calls |
//! | `pbx` | Asterisk's process and sockets | the same | whether Asterisk runs |
//! | `http` | clients | the store, requests | sessions |
//! | `announce` | the registry | live events | what was told last |
//! | `vitals` | answers of the store, `exchange` and `fleet` | signs of life to the service manager | who was silent last |

pub mod announce;
pub mod app;
pub mod card;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod daemon;
pub mod devices;
pub mod drive;
pub mod event_log;
pub mod exchange;
pub mod fleet;
mod guard;
pub mod http;
pub mod hub;
pub mod line;
pub mod mdns;
pub mod media;
pub mod network;
pub mod no_data;
pub mod notify;
pub mod pbx;
mod power;
pub mod records;
pub mod registry;
pub mod reset;
pub mod selfcheck;
pub mod space;
pub mod tls;
pub mod views;
pub mod vitals;
pub mod web;
