//! The ids that a master hands out: its own id, then a number (Mesos: FWK-01, AGT-01).

use tepui_model::{AgentId, FrameworkId, OfferId};

use crate::operations::OperationUuid;

/// The number inside an offer's id. Offers are kept under it, in the order they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OfferNumber(pub(crate) u64);

/// Counts what is handed out.
#[derive(Debug)]
pub(crate) struct Ids {
    master: String,
    frameworks: u64,
    agents: u64,
    offers: u64,
    operations: u64,
}

impl Ids {
    /// Refuses the id of a master with which no valid ids can be made.
    pub(crate) fn new(master: &str) -> Result<Self, tepui_model::InvalidId> {
        // The longest that can follow is `-O` and twenty digits.
        OfferId::new(format!("{master}-O{}", u64::MAX))?;
        Ok(Self {
            master: master.to_owned(),
            frameworks: 0,
            agents: 0,
            offers: 0,
            operations: 0,
        })
    }

    pub(crate) fn next_framework(&mut self) -> FrameworkId {
        let number = self.frameworks;
        self.frameworks += 1;
        valid(FrameworkId::new(format!("{}-{number:04}", self.master)))
    }

    pub(crate) fn next_agent(&mut self) -> AgentId {
        let number = self.agents;
        self.agents += 1;
        valid(AgentId::new(format!("{}-S{number}", self.master)))
    }

    pub(crate) fn next_offer(&mut self) -> (OfferNumber, OfferId) {
        let number = self.offers;
        self.offers += 1;
        (
            OfferNumber(number),
            valid(OfferId::new(format!("{}-O{number}", self.master))),
        )
    }

    /// The name of an operation among all of all masters: what is of the master's id, then a
    /// number, in the form of a UUID of version 8 (RFC 9562). Names of later operations are
    /// greater.
    pub(crate) fn next_operation(&mut self) -> OperationUuid {
        let number = self.operations;
        self.operations += 1;
        let version = |half: u64| (half & !0xf000) | 0x8000;
        let variant = |half: u64| (half & (u64::MAX >> 2)) | (1 << 63);
        let halves = [version(fingerprint(&self.master)), variant(number)];
        let whole = (u128::from(halves[0]) << 64) | u128::from(halves[1]);
        OperationUuid::from_bytes(whole.to_be_bytes())
    }

    /// The number of an offer that this master has made; `None` for any other id.
    pub(crate) fn offer_number(&self, id: &OfferId) -> Option<OfferNumber> {
        let digits = id.as_str().strip_prefix(&self.master)?.strip_prefix("-O")?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let shortest = digits == "0" || !digits.starts_with('0');
        if !plain || !shortest {
            return None;
        }
        digits
            .parse()
            .ok()
            .filter(|number| *number < self.offers)
            .map(OfferNumber)
    }
}

/// FNV-1a of 64 bits.
fn fingerprint(text: &str) -> u64 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[expect(
    clippy::expect_used,
    reason = "Ids::new has checked the longest id with this prefix"
)]
fn valid<T>(id: Result<T, tepui_model::InvalidId>) -> T {
    id.expect("an id of the master's prefix and a number is valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_masters_id_and_a_number() {
        let mut ids = Ids::new("m").unwrap();
        assert_eq!(ids.next_framework().as_str(), "m-0000");
        assert_eq!(ids.next_framework().as_str(), "m-0001");
        assert_eq!(ids.next_agent().as_str(), "m-S0");
        assert_eq!(ids.next_offer().1.as_str(), "m-O0");
        assert_eq!(ids.next_offer().1.as_str(), "m-O1");
    }

    #[test]
    fn an_offers_number_is_read_back_only_from_its_own_id() {
        let mut ids = Ids::new("m").unwrap();
        for _ in 0..12 {
            let (number, id) = ids.next_offer();
            assert_eq!(ids.offer_number(&id), Some(number));
        }
        for foreign in [
            "m-O12", "m-O01", "m-O+1", "m-O", "n-O1", "m-S1", "m-O1 ", "1",
        ] {
            assert_eq!(
                ids.offer_number(&OfferId::new(foreign).unwrap()),
                None,
                "{foreign}"
            );
        }
    }

    #[test]
    fn operations_of_a_master_are_named_in_their_order_and_apart_from_anothers() {
        let (mut one, mut other) = (Ids::new("m").unwrap(), Ids::new("n").unwrap());
        let names: Vec<_> = (0..300).map(|_| one.next_operation()).collect();
        assert!(names.is_sorted_by(|left, right| left < right));
        assert!(!names.contains(&other.next_operation()));
        let text = names[1].to_string();
        assert_eq!(&text[14..15], "8", "{text}");
        assert_eq!(&text[19..], "8000-000000000001", "{text}");
    }

    #[test]
    fn a_master_whose_id_makes_no_ids_is_refused() {
        assert!(Ids::new("a/b").is_err());
        assert!(Ids::new(&"m".repeat(250)).is_err());
    }
}
