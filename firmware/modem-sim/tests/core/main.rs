//! Scripts of what a host and a network do, and the transcript of everything that the simulated modem emits.

#[cfg(test)]
mod basics;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod properties;
