use proptest::prelude::*;

use super::*;
use crate::fleet::{CallLimits, Goal, Power, ProviderAlias};
use crate::plan::saved::Account;
use crate::plan::{Block, Change, Pattern, Scope};
use crate::render::fixtures::{
    self, change, every_block, every_verdict, every_warning, every_why, hostile, hostile_pieces,
};

fn saved(plan: Plan) -> SavedPlan {
    SavedPlan {
        made_at: fixtures::now(),
        lineage: None,
        serial: 4,
        configuration: "3f2a9c61b0de7788990011223344556677889900".to_owned(),
        limits: CallLimits::default(),
        accounts: std::collections::BTreeMap::new(),
        shape: Shape::default(),
        plan,
    }
}

/// Fails if anything could be read as something else than text by GitHub or GitLab, outside of fences and code spans.
pub(in crate::render) fn assert_sound(text: &str) {
    assert!(text.len() < LONGEST, "{} bytes", text.len());
    let mut fence: Option<String> = None;
    let mut cells = 0;
    for line in text.lines() {
        assert!(!line.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{line:?}");
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                // What code spans hold means nothing, and what a backslash stands before neither.
                let bare = line.replace("\\\\", "").replace("\\`", "");
                assert_eq!(bare.matches('`').count() % 2, 0, "{line}");
                let outside: String = bare.split('`').step_by(2).collect::<Vec<_>>().join("`");
                let is_ours = |rest: &str| {
                    ["<details>", "<summary>", "</summary>", "</details>", "<!-- powerform: "]
                        .iter()
                        .any(|tag| rest.starts_with(tag))
                };
                for (at, c) in outside.char_indices() {
                    let escaped = outside[..at].ends_with('\\');
                    match c {
                        '<' => assert!(escaped || is_ours(&outside[at..]), "{line}"),
                        '@' | '[' | ']' | '~' | '$' | '&' | '_' => assert!(escaped, "{c} in {line}"),
                        _ => {}
                    }
                }
                assert!(!outside.contains("://") && !outside.contains("www.e"), "{line}");
                if line.starts_with('|') {
                    let number = bare.replace("\\|", "").matches('|').count();
                    cells = if line.starts_with("|---") || cells == 0 { number } else { cells };
                    assert_eq!(number, cells, "{line}");
                } else {
                    cells = 0;
                }
            }
        }
    }
    assert!(fence.is_none(), "a fence has no end");
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

#[test]
fn a_reviewer_sees_what_will_happen_and_what_speaks_against_it() {
    let mut plan = fixtures::web_shop();
    plan.changes[0].warnings = vec![Warning::InitLocalDisk { local_disks: 2 }, Warning::EconomicalStart];
    let text = saved_plan(&saved(plan));
    assert_sound(&text);
    let expected = "<!-- powerform: web-shop -->
### powerform: 3 to start, 1 to stop, 1 blocked in `web-shop`, with 2 warnings

Made on 2026-11-22 08:00 UTC from the configuration `3f2a9c61b0de` and the state with the serial 4, in `cn-hangzhou`. \
An apply of this plan is refused as soon as either of them, or an instance, is not as it was then.

**DATA WILL BE LOST.** Apply asks for `--allow-data-loss`.

| What | Instances | What to do |
|---|---|---|
| **the start destroys the data on its 2 local disks** | `db` | save the data first, or take init\\_local\\_disk out of its \
entry; apply asks for --allow-data-loss |

**1 blocked.** Nothing can be done about it now:

| Why | Instances | What to do |
|---|---|---|
| ECS refuses to start it until the security lock is lifted | `app[i-bp1app000000000003]` | console \\> Security Center |

**1 warning to read before this is approved:**

| Warning | Instances | What to do |
|---|---|---|
| it was stopped in economical mode, so a start may find no stock, and its public IP address may change | `db` | stop it \
with the mode KeepCharging where that matters; on\\_no\\_stock of its entry can ask again for a while |

| Action | Instances | Now | Then | Why |
|---|---|---|---|---|
| start | `db` | Stopped | Running | stopped outside powerform since the last apply 2026-11-21 20:\u{2060}04 UTC |
| start | `app[i-bp1app000000000001]` | Stopped | Running | it was not there yet when it was last recorded, on \
2026-11-21 20:\u{2060}04 UTC |
| start | `edge` | Stopped | Running | not in the record yet: this is the first apply that manages it |
| **stop** | `batch` | Running | Stopped | the configuration wants Stopped now; the last apply was for Running |

<details><summary>All details, and the order</summary>

```text
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("```mermaid\nflowchart RL\n") && text.ends_with("```\n\n</details>\n"), "{text}");
}

#[test]
fn a_plan_over_the_limits_of_its_configuration_says_so_before_anything_else() {
    let mut saved = saved(fixtures::web_shop());
    saved.limits = CallLimits { starts: Some(2), stops: None };
    let text = saved_plan(&saved);
    assert_sound(&text);
    let (said, table) = (text.find("**Over the limit.**"), text.find("| Action |"));
    assert!(said.is_some() && said < table && text.contains("`--allow-over-limit`"), "{text}");
}

#[test]
fn the_scope_is_said_and_so_is_a_plan_with_nothing_to_do() {
    let mut nothing =
        saved(fixtures::plan(vec![change("db", Power::Running, Goal::Running, Verdict::InSync)], &[]));
    let text = saved_plan(&nothing);
    assert!(text.contains("### powerform: no changes in `web-shop`\n"), "{text}");
    assert!(text.contains("There is nothing to do.") && !text.contains("**Scope:**"), "{text}");
    nothing.shape.power_off = true;
    nothing.shape.preflight = true;
    nothing.shape.scope = Scope {
        targets: vec![Pattern("db*".to_owned()), Pattern("a|b".to_owned())],
        excludes: vec![Pattern("x".to_owned())],
    };
    let text = saved_plan(&nothing);
    assert_sound(&text);
    assert!(
        text.contains(
            "**Scope:** everything that shall run is powered off; only `db*` and a\\|b and what is needed for it; without `x` \
             and what needs it; ECS was asked about every call beforehand.\n"
        ),
        "{text}"
    );
}

#[test]
fn what_moved_is_shown_where_only_that_was_asked_for() {
    let moved = fixtures::drifted(
        change("db", Power::Stopped, Goal::Running, Verdict::InSync),
        Power::Running,
        Power::Stopped,
    );
    let mut drift = saved(fixtures::plan(vec![moved], &[]));
    drift.plan.changes[0].goal = None;
    drift.plan.changes[0].why = None;
    drift.shape.refresh_only = true;
    let text = saved_plan(&drift);
    assert_sound(&text);
    assert!(text.contains("### powerform: 1 instance has moved in `web-shop`\n"), "{text}");
    assert!(text.contains("| none | `db` | Stopped | as it is | stopped outside powerform"), "{text}");
}

#[test]
fn what_is_held_up_by_one_instance_is_one_row() {
    let held = |at: usize| {
        let block = Block::HeldUp {
            by: fixtures::address(&format!("e{}", at.max(1) - 1)),
            root: fixtures::address("db"),
        };
        change(&format!("e{at}"), Power::Stopped, Goal::Running, Verdict::Blocked(block))
    };
    let root = change("z", Power::Stopped, Goal::Running, Verdict::Blocked(Block::Overdue));
    let text = saved_plan(&saved(fixtures::plan((0..40).map(held).chain([root]).collect(), &[])));
    assert_sound(&text);
    assert!(
        text.contains("| held up by db, which is blocked | `e0`, `e1`, `e2`, `e3`, `e4` and 35 more | see what blocks db |\n"),
        "{text}"
    );
}

/// A plan in which every instance has something of its own to say, in `text`.
fn loud(text: &str, instances: usize) -> Plan {
    let (blocks, warnings) = (every_block(text), every_warning(text));
    let (verdicts, whys) = (every_verdict(), every_why());
    let changes = (0..instances)
        .map(|at| {
            let verdict = match at % 3 {
                0 => Verdict::Blocked(blocks[at / 3 % blocks.len()].clone()),
                _ => verdicts[at % verdicts.len()].clone(),
            };
            let odd = Power::Unrecognised(text.into());
            let mut one = change(&format!("e{}[i-x{at}]", at / 7), odd.clone(), Goal::Running, verdict);
            one.why = Some(whys[at % whys.len()].clone());
            one.warnings = vec![warnings[at % warnings.len()].clone()];
            fixtures::drifted(one, Power::Running, odd)
        })
        .collect::<Vec<Change>>();
    fixtures::plan(changes, &[])
}

#[test]
fn no_text_from_elsewhere_means_anything() {
    for text in hostile_pieces().into_iter().map(ToOwned::to_owned).chain([hostile()]) {
        let mut saved = saved(loud(&text, 200));
        saved.shape.scope.targets = vec![Pattern(text.clone()); 9];
        let account = Account { source: text.clone(), fingerprint: Some(text.clone()) };
        saved.accounts.insert(ProviderAlias::main(), account);
        saved.configuration = text;
        assert_sound(&saved_plan(&saved));
    }
}

#[test]
fn a_comment_about_the_largest_fleet_fits_and_says_what_it_leaves_out() {
    let text = saved_plan(&saved(loud("数据库正在备份请稍候".repeat(20).as_str(), 100_000)));
    assert_sound(&text);
    assert!(text.len() > 20_000 && text.matches("**Shortened:**").count() >= 2, "{text}");
    assert!(text.contains("more instances would not fit here"), "{text}");
    assert!(text.contains("```mermaid"), "a graph is there all the same");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_comment_fits_whatever_the_text_and_the_fleet(text in any::<String>(), repeated in 1_usize..200, instances in 0_usize..400) {
        assert_sound(&saved_plan(&saved(loud(&text.repeat(repeated), instances))));
    }
}
