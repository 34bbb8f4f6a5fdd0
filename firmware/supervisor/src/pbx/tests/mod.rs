//! The tasks of this module against servers and processes that answer as Asterisk does.

mod drivers;
mod keeper;
