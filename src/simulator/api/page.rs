//! Which part of a list an answer holds: pages by number, or the one that a token leads to.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::simulator::account::Quirks;
use crate::simulator::answer::Value;
use crate::simulator::refusal::Refusal;
use crate::simulator::request::Parameters;

/// How many entries a page holds where the request does not say.
const USUAL_PAGE: usize = 10;

/// What may differ between the requests of one listing.
const NOT_FILTERS: [&str; 18] = [
    "AccessKeyId",
    "Action",
    "DryRun",
    "Format",
    "MaxResults",
    "NextToken",
    "OwnerAccount",
    "OwnerId",
    "PageNumber",
    "PageSize",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "Version",
];

/// Which part.
pub(super) enum Page {
    /// The one of that number, from 1.
    Numbered { number: usize, size: usize },
    /// The one from a place on.
    From { token: Token, size: usize, quirks: Quirks },
}

/// Where a listing goes on.
pub(super) struct Token {
    /// The place of the next candidate.
    place: usize,
    /// Whether the page before was an empty one.
    after_empty: bool,
    /// What the listing is of: a token leads nowhere in another.
    filters: String,
}

/// One page.
pub(super) struct Cut<T> {
    pub(super) shown: Vec<T>,
    /// Empty where this is the last.
    pub(super) next: String,
    /// What the answer says about the page.
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl Page {
    /// With a token or `MaxResults`, page numbers are ignored. `sizes` are those that a token can lead to; that of a
    /// numbered page may be smaller.
    pub(super) fn read(
        parameters: &Parameters,
        sizes: RangeInclusive<usize>,
        quirks: Quirks,
    ) -> Result<Self, Refusal> {
        let (token, most) = (parameters.value("NextToken"), parameters.value("MaxResults"));
        if token.is_none() && most.is_none() {
            return Self::numbered(parameters, *sizes.end());
        }
        let wrong = || Refusal::invalid("MaxResults", "it is not a number");
        let most = most.map(|text| text.parse::<i64>().map_err(|_| wrong())).transpose()?;
        let most = most.map_or(USUAL_PAGE, |most| usize::try_from(most).unwrap_or_default());
        // Too few and too many are silently put right.
        let size = most.clamp(*sizes.start(), *sizes.end());
        let filters = filters(parameters);
        let token = match token {
            None => Token { place: 0, after_empty: false, filters },
            Some(text) => Token::read(text)
                .filter(|token| token.filters == filters)
                .ok_or_else(|| Refusal::invalid("NextToken", "no earlier answer to this request gave it"))?,
        };
        Ok(Self::From { token, size, quirks })
    }

    pub(super) fn numbered(parameters: &Parameters, largest: usize) -> Result<Self, Refusal> {
        let whole = |name: &str, usual: usize, largest: usize| match parameters.value(name) {
            None => Ok(usual),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| (1..=largest).contains(number))
                .ok_or_else(|| Refusal::invalid(name, &format!("it is not a number from 1 to {largest}"))),
        };
        Ok(Self::Numbered {
            number: whole("PageNumber", 1, i32::MAX as usize)?,
            size: whole("PageSize", USUAL_PAGE, largest)?,
        })
    }

    /// The place of the first candidate that [`Page::cut`] is to be given.
    pub(super) fn first(&self) -> usize {
        match self {
            Self::Numbered { .. } => 0,
            Self::From { token, .. } => token.place,
        }
    }

    /// Takes the page from the candidates, each with its place.
    pub(super) fn cut<T>(self, candidates: impl Iterator<Item = (usize, T)>) -> Cut<T> {
        match self {
            Self::Numbered { number, size } => {
                let first = (number - 1).saturating_mul(size);
                let mut shown = Vec::with_capacity(size);
                let mut total: usize = 0;
                for (_, candidate) in candidates {
                    if total >= first && shown.len() < size {
                        shown.push(candidate);
                    }
                    total += 1;
                }
                Cut { shown, next: String::new(), fields: about(total, number, size) }
            }
            Self::From { token, size, quirks } => {
                // What a token leads to says nothing about the whole.
                let fields = about(0, 0, 0);
                let Token { place, after_empty, filters } = token;
                if quirks.empty_pages && !after_empty {
                    let next = Token { place, after_empty: true, filters }.text();
                    return Cut { shown: Vec::new(), next, fields };
                }
                let size = if quirks.empty_pages { size / 2 } else { size };
                let mut candidates = candidates;
                let shown: Vec<T> = candidates.by_ref().take(size).map(|(_, shown)| shown).collect();
                let next = candidates
                    .next()
                    .map_or(String::new(), |(place, _)| Token { place, after_empty: false, filters }.text());
                Cut { shown, next, fields }
            }
        }
    }
}

fn about(total: usize, number: usize, size: usize) -> Vec<(&'static str, Value)> {
    let number_of = |number: usize| Value::Number(u64::try_from(number).unwrap_or(u64::MAX));
    vec![("TotalCount", number_of(total)), ("PageNumber", number_of(number)), ("PageSize", number_of(size))]
}

impl Token {
    fn text(&self) -> String {
        let Self { place, after_empty, filters } = self;
        URL_SAFE_NO_PAD.encode(format!("{place} {after_empty} {filters}"))
    }

    fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        Some(Self {
            place: parts.next()?.parse().ok()?,
            after_empty: parts.next()?.parse().ok()?,
            filters: parts.next()?.to_owned(),
        })
    }
}

/// A digest of what a listing is of.
fn filters(parameters: &Parameters) -> String {
    let mut digest = Sha256::new();
    for (name, value) in parameters.iter().filter(|(name, _)| !NOT_FILTERS.contains(name)) {
        for part in [name, value] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    URL_SAFE_NO_PAD.encode(digest.finalize().iter().copied().take(9).collect::<Vec<u8>>())
}
