//! A whole run in each signature and format: looks, single calls, batches, stops, errors.

use super::served_with;
use super::wire::{Deed, Wire};
use crate::harness::side_by_side;

const ACCOUNT: &str = "instances:
  - { id: i-db, name: \"db <&> datenbank\" }
  - { id: i-cache, status: Running }
  - { id: i-edge }
  - { id: i-nightly, status: Running }
  - { id: i-locked }
  - { id: i-app01 }
  - { id: i-app02 }
  - { id: i-app03 }
  - { id: i-app04 }
  - { id: i-app05 }
faults:
  - { action: StartInstance, instance: i-app03, nth: 1, error: InternalError }
  - { action: StartInstance, instance: i-locked, nth: 1, error: InstanceLockedForSecurity, message: \"Locked <&>.\" }
  - { action: StopInstance, nth: 1, drop: after }
";

const CONFIGURATION: &str = "instances:
  edge: { id: i-edge, status: Running, depends_on: [app] }
  app:
    ids: [i-app01, i-app02, i-app03, i-app04, i-app05]
    status: Running
    depends_on: [db, cache]
  db: { id: i-db, status: Running }
  cache: { id: i-cache, status: Running }
  locked: { id: i-locked, status: Running }
  nightly: { id: i-nightly, status: Stopped, stop: { mode: StopCharging, force: true } }
";

#[test]
fn a_shop_is_opened_in_every_signature_and_format() {
    let mut rows = Vec::new();
    for signature in ["v1", "v3"] {
        for format in ["json", "xml"] {
            rows.push((signature, format));
        }
    }
    side_by_side(&rows, |(signature, format)| {
        let keys = format!("signature: {signature}, format: {format}, batch_above: 3");
        let mut scenario = served_with(&keys, ACCOUNT, CONFIGURATION);
        let wire = Wire::before(&scenario.address(), |_, _| Deed::Pass);
        scenario.redirect(wire.address());
        scenario.write_configuration(CONFIGURATION);
        let applied = scenario.apply().exits(1);
        assert_eq!(applied.lines.summary()["counts"]["started"], 7, "{signature} {format}");
        assert_eq!(applied.lines.summary_of("stopped"), ["nightly"], "{signature} {format}");
        let error = &applied.lines.end_of("locked")["hook"]["error"];
        assert_eq!(error["code"], "InstanceLockedForSecurity", "{signature} {format}");
        assert!(error["message"].as_str().is_some_and(|it| it.contains("Locked <&>")), "{error}");
        assert_eq!(applied.log.requests_of("StartInstances")[0].1.ids, Some(5), "{signature} {format}");
        let again = scenario.converge();
        assert_eq!(again.calls(), ["Start i-locked"], "{signature} {format}");
        for seen in wire.seen() {
            let signed = seen.head.contains("ACS3-HMAC-SHA256");
            assert_eq!(signed, *signature == "v3", "{signature} {format}: {}", seen.head);
            let asked = format!("{}{}", seen.head, seen.body).to_lowercase();
            let xml = asked.contains("format=xml")
                || asked.contains("application/xml")
                || asked.contains("text/xml");
            assert_eq!(xml, *format == "xml", "{signature} {format}: {asked}");
        }
    });
}
