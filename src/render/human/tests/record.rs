use std::time::Duration;

use crate::fleet::{Goal, Power, Recorded, RecordedInstance};
use crate::render::fixtures;
use crate::render::human::{state, state_list, state_show};
use crate::render::style::Style;

fn recorded() -> Recorded {
    let lineage = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().expect("a UUID");
    let mut recorded = Recorded::new("web-shop".parse().expect("a stack"), lineage);
    recorded.serial = 7;
    for one in fixtures::web_shop().changes.into_iter().take(3) {
        let mut instance = RecordedInstance {
            address: one.address,
            goal: Goal::Running,
            power: Power::Running,
            recorded_at: fixtures::since(),
            took: crate::fleet::Durations::default(),
        };
        instance.took.add_start(Duration::from_millis(4_100));
        recorded.instances.insert(one.key, instance);
    }
    recorded
}

#[test]
fn the_record_is_shown_as_a_table_a_list_and_yaml() {
    let recorded = recorded();
    assert_eq!(
        state(&recorded, Style::plain()),
        "\
# stack web-shop
lineage 67e55044-10b1-426f-9247-bb680e5fe0c8, serial 7

app[i-bp1app000000000001]  Running   goal Running  2026-11-21 20:04 UTC
cache                      Running   goal Running  2026-11-21 20:04 UTC  i-bp1cache0000000000001
db                         Running   goal Running  2026-11-21 20:04 UTC  i-bp1db0000000000001

3 instances as the last apply left them; plan shows what they are now.
"
    );
    assert_eq!(state_list(&recorded), "app[i-bp1app000000000001]\ncache\ndb\n");
    assert_eq!(
        state_show(&recorded, &fixtures::address("db")).expect("recorded"),
        "\
address: db
provider: default
id: i-bp1db0000000000001
goal: Running
status: Running
recorded_at: 2026-11-21T20:04:31Z
took:
  starts:
  - 4.1s
"
    );
    let app = state_show(&recorded, &fixtures::address("app")).expect("an entry stands for its instances");
    assert!(app.starts_with("address: app[i-bp1app000000000001]\n"), "{app}");
    assert_eq!(state_show(&recorded, &fixtures::address("nobody")), None);
}

#[test]
fn an_empty_record_says_what_fills_it() {
    let mut recorded = recorded();
    recorded.instances.clear();
    assert!(state(&recorded, Style::plain()).ends_with(
        "\nNothing is recorded any more: what was is released or forgotten. The \
         next apply records what it manages.\n"
    ));
    recorded.serial = 0;
    assert!(state(&recorded, Style::plain()).ends_with("the first apply writes the record.\n"));
    assert_eq!(state_list(&recorded), "");
}
