//! Which requests were sent before.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::LARGEST_SKEW;
use crate::simulator::refusal::Refusal;

/// How many nonces are remembered at most. Each takes some 80 bytes; a client would have to send 560 requests every
/// second for half an hour to fill it.
const MOST_NONCES: usize = 1 << 20;

/// A nonce of one access key: a digest, so that its length does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::simulator) struct Nonce([u8; 16]);

impl Nonce {
    pub(super) fn new(key: &str, nonce: &str) -> Self {
        let digest = Sha256::new_with_prefix(key).chain_update([0]).chain_update(nonce).finalize();
        let mut short = [0; 16];
        short.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(short)
    }
}

/// The nonces that were used while their timestamps are still acceptable.
#[derive(Debug)]
pub(in crate::simulator) struct Nonces {
    most: usize,
    until: HashMap<Nonce, Timestamp>,
    /// In the order in which they were used.
    order: VecDeque<Nonce>,
}

impl Default for Nonces {
    fn default() -> Self {
        Self { most: MOST_NONCES, until: HashMap::new(), order: VecDeque::new() }
    }
}

impl Nonces {
    /// Uses a nonce up.
    ///
    /// # Errors
    /// `SignatureNonceUsed`; `ServiceUnavailable` where more are in use than can be remembered, because to forget one
    /// would let a request be replayed.
    pub(in crate::simulator) fn spend(&mut self, nonce: Nonce, now: Timestamp) -> Result<(), Refusal> {
        while let Some(oldest) = self.order.front() {
            if self.until.get(oldest).is_some_and(|until| *until >= now) {
                break;
            }
            self.until.remove(oldest);
            self.order.pop_front();
        }
        if self.until.contains_key(&nonce) {
            return Err(Refusal::of("SignatureNonceUsed"));
        }
        if self.until.len() >= self.most {
            return Err(Refusal::of("ServiceUnavailable"));
        }
        // A request may be sent again for as long as its own time is acceptable. That is at most twice the skew from
        // now; all are remembered that long, so that they end in the order in which they were used.
        let until = now.checked_add(LARGEST_SKEW * 2).unwrap_or(Timestamp::MAX);
        self.until.insert(nonce, until);
        self.order.push_back(nonce);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_nonce_is_spent_for_as_long_as_its_request_could_be_sent_again() {
        let mut nonces = Nonces::default();
        let nonce = Nonce::new("k", "n");
        let spend = |nonces: &mut Nonces, nonce, minutes| {
            let at = now().checked_add(SignedDuration::from_mins(minutes)).unwrap();
            nonces.spend(nonce, at).map_err(|refusal| refusal.code)
        };
        let used = Err("SignatureNonceUsed".to_owned());
        assert_eq!(spend(&mut nonces, nonce, 0), Ok(()));
        assert_eq!(spend(&mut nonces, nonce, 0), used);
        assert_eq!(spend(&mut nonces, Nonce::new("other key", "n"), 0), Ok(()));
        assert_eq!(spend(&mut nonces, nonce, 30), used);
        assert_eq!(spend(&mut nonces, nonce, 31), Ok(()));
        assert_eq!(nonces.until.len(), 1, "what has expired is forgotten");
    }

    #[test]
    fn no_more_nonces_are_taken_than_can_be_remembered() {
        let mut nonces = Nonces { most: 100, ..Nonces::default() };
        for number in 0..100 {
            nonces.spend(Nonce([number; 16]), now()).unwrap();
        }
        assert_eq!(nonces.spend(Nonce([255; 16]), now()).unwrap_err().code, "ServiceUnavailable");
        let later = now().checked_add(SignedDuration::from_mins(31)).unwrap();
        assert!(nonces.spend(Nonce([255; 16]), later).is_ok());
    }
}
