//! One SMS on its way out.

use std::fmt;

use crate::gsm7::{self, Tables};
use crate::user_data::{Septets, encode_header, header_octets_as_septets};
use crate::{Alphabet, Body, Concat, DataCoding, NationalLanguage, Ports};

/// Most octets of user data in one SMS, header included (TS 23.040 §9.2.3.24).
pub(crate) const MAX_USER_DATA_OCTETS: usize = 140;
/// Most septets of user data in one SMS, header included.
pub(crate) const MAX_USER_DATA_SEPTETS: usize = 160;

/// One SMS of a message that is to be sent; it fits by construction.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubmitPart {
    concat: Option<Concat>,
    ports: Option<Ports>,
    message_class: Option<u8>,
    payload: Payload,
}

/// The octets do not fit in one SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{octets} octets with their header do not fit in one sms, which holds {MAX_USER_DATA_OCTETS}")]
pub struct PartTooLong {
    /// How many octets the user data would take.
    pub octets: usize,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Payload {
    Septets { septets: Vec<u8>, single_shift: Option<NationalLanguage> },
    Ucs2(Vec<u16>),
    Data(Vec<u8>),
}

/// User data as they follow TP-DCS in a PDU.
pub(crate) struct EncodedUserData {
    pub(crate) has_header: bool,
    /// TP-UDL: septets or octets, as the coding demands.
    pub(crate) length: u8,
    pub(crate) octets: Vec<u8>,
}

impl SubmitPart {
    /// Builds a part of octets for an application, such as a WAP push.
    ///
    /// # Errors
    /// When octets and header do not fit in one SMS.
    pub fn data(octets: Vec<u8>, ports: Option<Ports>, concat: Option<Concat>) -> Result<Self, PartTooLong> {
        let length = encode_header(concat, ports, None).len() + octets.len();
        if length > MAX_USER_DATA_OCTETS {
            return Err(PartTooLong { octets: length });
        }
        Ok(Self { concat, ports, message_class: None, payload: Payload::Data(octets) })
    }

    /// The caller has cut `payload` to the room that [`encode_header`] leaves.
    pub(crate) fn new(concat: Option<Concat>, payload: Payload) -> Self {
        Self { concat, ports: None, message_class: None, payload }
    }

    /// Returns the part with a message class, 0 to 3; class 0 is shown at once and not stored.
    #[must_use]
    pub fn with_message_class(self, class: u8) -> Self {
        Self { message_class: Some(class & 0b11), ..self }
    }

    /// Where the part belongs in its message; `None` when it is alone.
    #[must_use]
    pub fn concat(&self) -> Option<Concat> {
        self.concat
    }

    /// The alphabet of the part.
    #[must_use]
    pub fn alphabet(&self) -> Alphabet {
        match &self.payload {
            Payload::Septets { .. } => Alphabet::Gsm7,
            Payload::Ucs2(_) => Alphabet::Ucs2,
            Payload::Data(_) => Alphabet::Data,
        }
    }

    /// What the part says.
    #[must_use]
    pub fn body(&self) -> Body {
        match &self.payload {
            Payload::Septets { septets, single_shift } => {
                Body::Text(gsm7::decode(septets, Tables { locking: None, single_shift: *single_shift }))
            }
            Payload::Ucs2(units) => Body::from_utf16(units.clone()),
            Payload::Data(octets) => Body::Data(octets.clone()),
        }
    }

    pub(crate) fn data_coding(&self) -> u8 {
        let alphabet = self.alphabet();
        DataCoding { alphabet, message_class: self.message_class, is_compressed: false }.encode()
    }

    pub(crate) fn encode_user_data(&self) -> EncodedUserData {
        let single_shift = match &self.payload {
            Payload::Septets { single_shift, .. } => *single_shift,
            Payload::Ucs2(_) | Payload::Data(_) => None,
        };
        let header = encode_header(self.concat, self.ports, single_shift);
        let (length, text) = match &self.payload {
            Payload::Septets { septets, .. } => {
                let total = header_octets_as_septets(header.len()) + septets.len();
                (total, gsm7::pack(septets, Septets::behind_header(header.len(), total).fill_bits))
            }
            Payload::Ucs2(units) => {
                (header.len() + units.len() * 2, units.iter().flat_map(|unit| unit.to_be_bytes()).collect())
            }
            Payload::Data(octets) => (header.len() + octets.len(), octets.clone()),
        };
        let has_header = !header.is_empty();
        let octets = header.into_iter().chain(text).collect();
        EncodedUserData { has_header, length: u8::try_from(length).unwrap_or(u8::MAX), octets }
    }
}

impl fmt::Debug for SubmitPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitPart").field("concat", &self.concat).field("body", &self.body()).finish()
    }
}
