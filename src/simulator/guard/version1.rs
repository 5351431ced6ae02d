//! Version 1 of the signature: HMAC-SHA1 over all parameters, those of the query and those of the form.

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::{Asked, Claimed, Nonce, Passed, check_time};
use crate::aliyun::sign;
use crate::simulator::account::Account;
use crate::simulator::answer::Format;
use crate::simulator::keys::{self, Key};
use crate::simulator::refusal::Refusal;
use crate::simulator::request::{Incoming, Parameters};

pub(super) fn asked(incoming: &Incoming) -> Asked<'_> {
    match incoming.parameters() {
        Ok(parameters) => Asked { action: parameters.value("Action"), version: parameters.value("Version") },
        Err(_) => Asked::default(),
    }
}

pub(super) fn claimed(incoming: &Incoming) -> Claimed<'_> {
    let Ok(parameters) = incoming.parameters() else { return Claimed::default() };
    Claimed {
        key: parameters.value("AccessKeyId").map(str::to_owned),
        token: parameters.value("SecurityToken"),
    }
}

pub(super) fn format(incoming: &Incoming) -> Result<Format, Refusal> {
    match incoming.parameters()?.value("Format") {
        None => Ok(Format::Xml),
        Some(text) if text.eq_ignore_ascii_case("XML") => Ok(Format::Xml),
        Some(text) if text.eq_ignore_ascii_case("JSON") => Ok(Format::Json),
        Some(_) => Err(Refusal::invalid("Format", "it is neither JSON nor XML")),
    }
}

pub(super) fn check(account: &Account, incoming: &Incoming, now: Timestamp) -> Result<Passed, Refusal> {
    let parameters = incoming.parameters()?;
    for name in [
        "Action",
        "Version",
        "AccessKeyId",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ] {
        parameters.required(name)?;
    }
    for (name, only) in [("SignatureMethod", "HMAC-SHA1"), ("SignatureVersion", "1.0")] {
        if parameters.required(name)? != only {
            return Err(Refusal::of("IncompleteSignature")
                .saying(format!("The specified {name} is not supported here: use {only}.")));
        }
    }
    if parameters.value("SignatureType").is_some() {
        return Err(Refusal::of("IncompleteSignature")
            .saying("The specified SignatureType is not supported here: leave it out."));
    }
    check_time(parameters.required("Timestamp")?, now)?;
    let token = parameters.value("SecurityToken");
    let key = keys::find(account, parameters.required("AccessKeyId")?, token)?;
    check_signature(&key, &incoming.method, parameters)?;
    key.check(token, now)?;
    let nonce = Nonce::new(&key.id, parameters.required("SignatureNonce")?);
    Ok(Passed { caller: key.caller, nonce: Some(nonce) })
}

fn check_signature(key: &Key, method: &str, parameters: &Parameters) -> Result<(), Refusal> {
    let signed: Vec<(&str, &str)> = parameters.iter().filter(|(name, _)| *name != "Signature").collect();
    let text = sign::string_to_sign_v1(method, &sign::canonical_query(&signed));
    if parameters.required("Signature")? == sign::signature_v1(key.secret.expose_secret(), &text) {
        Ok(())
    } else {
        Err(Refusal::of("SignatureDoesNotMatch").saying(format!(
            "Specified signature is not matched with our calculation. server string to sign is:{text}"
        )))
    }
}
