//! What takes its time on purpose. These runs go side by side, so that all together take as long as the longest.

use super::refusals::{CONFIGURATION, account, fails_as_it_should, sends};
use crate::harness::{Scenario, side_by_side};

#[test]
fn what_stays_wrong_is_given_up_after_the_documented_patience() {
    let rows: [fn(); 3] = [
        a_disk_error_that_stays_is_given_up_after_the_second_send,
        a_start_whose_answers_are_all_lost_before_anything_was_done_is_given_up_after_three_sends,
        a_boot_that_falls_back_is_reported_long_before_the_timeout,
    ];
    side_by_side(&rows, |row| row());
}

fn a_disk_error_that_stays_is_given_up_after_the_second_send() {
    let scenario = Scenario::new(&account("error: DiskError"), CONFIGURATION);
    let applied = scenario.apply().exits(1);
    assert_eq!(sends(&applied), 2);
    fails_as_it_should(&applied, "DiskError", "a disk of the instance is not ready");
    scenario.run(&["plan", "--detailed-exitcode"]).exits(2).prints(&["Plan: 3 to start"]);
}

fn a_start_whose_answers_are_all_lost_before_anything_was_done_is_given_up_after_three_sends() {
    let scenario = Scenario::new(&account("drop: before"), CONFIGURATION);
    let applied =
        scenario.apply().exits(1).prints(&["sent 3 times and not accepted", "broke before the answer"]);
    assert_eq!((sends(&applied), applied.log.accepted("StartInstance", "i-x")), (3, 0));
    assert_eq!(applied.lines.end_of("x")["hook"]["error"]["kind"], "gave_up");
    assert_eq!(applied.lines.summary_of("skipped"), ["y", "yy"]);
}

fn a_boot_that_falls_back_is_reported_long_before_the_timeout() {
    let scenario = Scenario::new(&account("nth: 1, fails_to_boot: true"), CONFIGURATION);
    let applied = scenario.apply().exits(1).prints(&["fell back to Stopped", "Get System Logs"]);
    assert_eq!(sends(&applied), 1);
    assert_eq!(applied.lines.end_of("x")["hook"]["error"]["kind"], "fell_back");
    assert_eq!(applied.lines.summary_of("skipped"), ["y", "yy"]);
    scenario.converge();
}
