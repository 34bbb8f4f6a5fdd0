//! Families of modems, as far as their dialects differ.

use serde::{Deserialize, Serialize};

/// A dialect of AT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Quectel with a Qualcomm chip: EC2x, EG2x, EG9x, EP06, RM5xx.
    Quectel,
    /// SIMCom: SIM7500, SIM7600, A76xx.
    Simcom,
    /// Only what the standards name.
    Standard,
}

impl Family {
    /// Decides by what the modem says of itself (`AT+CGMI`, `AT+CGMM`).
    #[must_use]
    pub fn from_identity(manufacturer: &str, model: &str) -> Self {
        let manufacturer = manufacturer.to_ascii_lowercase();
        let model = model.to_ascii_uppercase();
        if manufacturer.starts_with("quectel") {
            Self::Quectel
        } else if manufacturer.starts_with("simcom") || model.starts_with("SIMCOM") || model.starts_with("A76") {
            Self::Simcom
        } else {
            Self::Standard
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modem_says_what_it_is() {
        let table = [
            ("Quectel", "EC25", Family::Quectel),
            ("SIMCOM INCORPORATED", "SIMCOM_SIM7600G-H", Family::Simcom),
            ("INCORPORATED", "A7670E-FASE", Family::Simcom),
            ("Telit", "LE910C4-EU", Family::Standard),
            ("", "", Family::Standard),
        ];
        for (manufacturer, model, want) in table {
            assert_eq!(Family::from_identity(manufacturer, model), want, "{manufacturer} {model}");
        }
    }
}
