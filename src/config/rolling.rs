//! How the instances of an entry take their turns: `at_once`, `order`, `on_failure`, `on_no_stock`.

use super::fields::{Field, Keys, Reader, Words};
use super::problem::quoted;
use super::yaml::Value;
use crate::fleet::{AtOnce, OnFailure, OnNoStock, RollingOrder};

pub(super) const ORDERS: Words<RollingOrder> = Words {
    wanted: &["zones", "as listed"],
    accepted: &[("zones", RollingOrder::Zones), ("as listed", RollingOrder::AsListed)],
    meant: &[
        ("zone", "zones"),
        ("by zone", "zones"),
        ("listed", "as listed"),
        ("list", "as listed"),
        ("as_listed", "as listed"),
    ],
};

pub(super) const ON_FAILURE: Words<OnFailure> = Words {
    wanted: &["continue", "stop"],
    accepted: &[("continue", OnFailure::Continue), ("stop", OnFailure::Stop)],
    meant: &[("abort", "stop"), ("fail", "stop"), ("ignore", "continue"), ("go on", "continue")],
};

pub(super) const ON_NO_STOCK: Keys<1> = Keys { of: "`on_no_stock`", known: ["retry_for"], later: &[] };

/// Reads `at_once`: a number, or a share like `25%`.
pub(super) fn at_once<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<AtOnce> {
    let Value::Text(_) = field.value.value else { return reader.positive(field).map(AtOnce::Count) };
    let text = reader.literal(field.value);
    let percent = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
    match percent {
        Some(percent @ 1..=100) => Some(AtOnce::Percent(percent)),
        _ => {
            let message = format!("{} is neither a number nor a share", quoted(&text));
            reader.wrong_value(field, message, "expected a number like 2, or a share from 1% to 100%")
        }
    }
}

/// Reads `on_no_stock`: `fail`, or how long to ask again.
pub(super) fn on_no_stock<'s>(reader: &mut Reader<'s, '_>, field: Field<'_, 's>) -> Option<OnNoStock> {
    const EXAMPLE: &str = "`fail` or `{ retry_for: 15m }`";
    match &field.value.value {
        Value::Text(_) => {
            let text = reader.literal(field.value);
            if text == "fail" {
                return Some(OnNoStock::Fail);
            }
            let message = format!("`on_no_stock` must be {EXAMPLE}, and this is {}", quoted(&text));
            reader.wrong_value(field, message, "expected `fail` or a mapping")
        }
        Value::Map(pairs) => {
            let [retry_for] = reader.fields(pairs, &ON_NO_STOCK);
            let Some(retry_for) = retry_for else {
                if pairs.is_empty() {
                    reader.wrong_kind::<()>(field, "`fail` or how long to ask again", EXAMPLE);
                }
                return None;
            };
            reader.duration(retry_for).map(OnNoStock::RetryFor)
        }
        _ => reader.wrong_kind(field, "`fail` or a mapping", EXAMPLE),
    }
}
