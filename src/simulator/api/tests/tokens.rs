use super::*;

fn park(count: usize, quirks: &str) -> World {
    let instances: String = (0..count)
        .map(|number| {
            format!(
                "  - {{ id: i-{number}, name: n{}, status: {} }}\n",
                number % 2,
                if number % 7 == 3 { "Released" } else { "Stopped" }
            )
        })
        .collect();
    account(&format!(
        "quirks: {{ {quirks} }}\ninstances:\n{}",
        if count == 0 { "  []\n" } else { &instances }
    ))
}

/// Follows the tokens: the ids of each page.
fn pages(world: &World, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let query = format!("RegionId=cn-hangzhou&{query}&NextToken={token}");
        let answer = call(world, "DescribeInstances", &query).unwrap();
        let shown = answer["Instances"]["Instance"].as_array().unwrap();
        pages.push(shown.iter().map(|it| it["InstanceId"].as_str().unwrap().to_owned()).collect());
        token = answer["NextToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            return pages;
        }
        assert!(pages.len() < 1000, "the tokens lead in a circle");
    }
}

fn sizes(world: &World, query: &str) -> Vec<usize> {
    pages(world, query).iter().map(Vec::len).collect()
}

#[test]
fn the_size_of_a_page_is_silently_put_right() {
    let world = park(0, "");
    assert_eq!(sizes(&world, "MaxResults=50"), [0]);
    let world = account(&format!(
        "instances:\n{}",
        (0..230).map(|number| format!("  - {{ id: i-{number} }}\n")).collect::<String>()
    ));
    for (most, expected) in [("1", 10), ("-5", 10), ("10", 10), ("99", 99), ("100", 100), ("5000", 100)] {
        let sizes = sizes(&world, &format!("MaxResults={most}"));
        assert_eq!((sizes[0], sizes.iter().sum::<usize>()), (expected, 230), "{most}");
    }
    assert_eq!(sizes(&world, "MaxResults=100&PageNumber=7&PageSize=3"), [100, 100, 30]);
    assert_eq!(sizes(&world, "MaxResults=100&InstanceIds=[\"i-1\",\"i-2\",\"i-1\",\"i-z\"]"), [2]);
}

#[test]
fn a_page_may_be_empty_or_short_and_not_the_last() {
    let world = account(
        "quirks: { empty_pages: true }
instances: [{ id: i-a }, { id: i-b }, { id: i-c }, { id: i-d }, { id: i-e }, { id: i-f }]",
    );
    assert_eq!(sizes(&world, "MaxResults=10"), [0, 5, 0, 1]);
}

#[test]
fn a_token_leads_nowhere_in_another_listing() {
    let world = park(40, "");
    let first = call(&world, "DescribeInstances", "RegionId=cn-hangzhou&MaxResults=10").unwrap();
    let token = first["NextToken"].as_str().unwrap();
    assert_eq!(first["TotalCount"], 0, "nothing is said about the whole");
    for (query, expected) in [
        (format!("RegionId=cn-hangzhou&NextToken={token}"), "ok"),
        (format!("RegionId=cn-hangzhou&NextToken={token}&MaxResults=50"), "ok"),
        (format!("RegionId=cn-hongkong&NextToken={token}"), "InvalidParameter"),
        (format!("RegionId=cn-hangzhou&Status=Running&NextToken={token}"), "InvalidParameter"),
        ("RegionId=cn-hangzhou&NextToken=nonsense".to_owned(), "InvalidParameter"),
        ("RegionId=cn-hangzhou&MaxResults=many".to_owned(), "InvalidParameter"),
    ] {
        assert_eq!(code(&world, "DescribeInstances", &query), expected, "{query}");
    }
}

/// Documented: with filters by tag or by resource group, no more than a thousand are found, and nothing says so.
#[test]
fn of_what_has_a_label_only_the_first_thousand_are_found_where_the_account_says_so() {
    let instances: String = (0..2_300)
        .map(|number| {
            let (role, group) = (if number % 2 == 0 { "even" } else { "odd" }, number % 3);
            let zone = if number < 1_000 { "a" } else { "b" };
            format!("  - {{ id: i-{number}, zone: {zone}, tags: {{ role: {role} }}, resource_group: rg-{group} }}\n")
        })
        .collect();
    for (quirk, tagged, in_zone, grouped) in [("false", 1_150, 650, 767), ("true", 1_000, 500, 767)] {
        let world = account(&format!("quirks: {{ first_thousand: {quirk} }}\ninstances:\n{instances}"));
        let all = |query: &str| sizes(&world, &format!("MaxResults=100&{query}")).iter().sum::<usize>();
        assert_eq!(all("Tag.1.Key=role&Tag.1.Value=even"), tagged, "{quirk}");
        assert_eq!(all("Tag.1.Key=role&Tag.1.Value=even&ZoneId=b"), in_zone, "{quirk}");
        assert_eq!(all("ResourceGroupId=rg-1"), grouped, "{quirk}");
        assert_eq!(all("ZoneId=b"), 1_300, "{quirk}");
        let query = "RegionId=cn-hangzhou&Tag.1.Key=role&Tag.1.Value=even&PageSize=100";
        let page = call(&world, "DescribeInstances", query).unwrap();
        assert_eq!(page["TotalCount"], tagged, "{quirk}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the size of the pages, and however odd they are.
    #[test]
    fn pages_put_together_are_the_whole_list_each_instance_once(
        count in 0..130_usize, most in 0..60_usize, odd in any::<bool>(), half in any::<bool>(),
    ) {
        let world = park(count, &format!("empty_pages: {odd}"));
        let filter = if half { "&InstanceName=n1" } else { "" };
        let seen = pages(&world, &format!("MaxResults={most}{filter}")).concat();
        let all: Vec<String> = (0..count)
            .filter(|number| number % 7 != 3 && (!half || number % 2 == 1))
            .map(|number| format!("i-{number}"))
            .collect();
        prop_assert_eq!(seen, all);
    }
}
