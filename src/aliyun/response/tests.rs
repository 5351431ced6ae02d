use proptest::prelude::*;

use super::*;
use crate::fleet::{Charge, LockReason, Power, Sighting, StoppedMode};

/// An answer as the pages document it, with more fields than are read.
const PAGE: &str = r#"{
  "RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E", "TotalCount": 2, "PageNumber": 1, "PageSize": 100,
  "NextToken": "",
  "Instances": {"Instance": [
    {"InstanceId": "i-bp1db", "InstanceName": "db 数据", "Status": "Stopped", "StoppedMode": "StopCharging",
     "OperationLocks": {"LockReason": [{"LockReason": "security", "LockMsg": "a reason"}]},
     "InstanceChargeType": "PrePaid", "ExpiredTime": "2026-01-01T00:00Z", "SpotStrategy": "NoSpot",
     "ZoneId": "cn-hangzhou-i", "LocalStorageAmount": 2, "IoOptimized": true, "Cpu": 2,
     "VpcAttributes": {"PrivateIpAddress": {"IpAddress": ["10.0.0.1"]}}, "Tags": {"Tag": []}},
    {"InstanceId": "i-bp1app", "InstanceName": "", "Status": "Running", "StoppedMode": "Not-applicable",
     "OperationLocks": {"LockReason": []}, "InstanceChargeType": "PostPaid",
     "ExpiredTime": "2099-12-31T15:59Z", "SpotStrategy": "SpotAsPriceGo", "ZoneId": "cn-hangzhou-h"}
  ]}
}"#;

/// The same answer in XML.
const XML_PAGE: &str = r#"<?xml version='1.0' encoding='UTF-8'?>
<DescribeInstancesResponse>
  <RequestId>473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E</RequestId><TotalCount>2</TotalCount><PageNumber>1</PageNumber>
  <PageSize>100</PageSize><NextToken/>
  <Instances>
    <Instance>
      <InstanceId>i-bp1db</InstanceId><InstanceName>db 数据</InstanceName><Status>Stopped</Status>
      <StoppedMode>StopCharging</StoppedMode>
      <OperationLocks><LockReason><LockReason>security</LockReason><LockMsg>a reason</LockMsg></LockReason></OperationLocks>
      <InstanceChargeType>PrePaid</InstanceChargeType><ExpiredTime>2026-01-01T00:00Z</ExpiredTime>
      <SpotStrategy>NoSpot</SpotStrategy><ZoneId>cn-hangzhou-i</ZoneId><LocalStorageAmount>2</LocalStorageAmount>
      <IoOptimized>true</IoOptimized><Cpu>2</Cpu>
      <VpcAttributes><PrivateIpAddress><IpAddress>10.0.0.1</IpAddress></PrivateIpAddress></VpcAttributes><Tags/>
    </Instance>
    <Instance>
      <InstanceId>i-bp1app</InstanceId><InstanceName></InstanceName><Status>Running</Status>
      <StoppedMode>Not-applicable</StoppedMode><OperationLocks/><InstanceChargeType>PostPaid</InstanceChargeType>
      <ExpiredTime>2099-12-31T15:59Z</ExpiredTime><SpotStrategy>SpotAsPriceGo</SpotStrategy>
      <ZoneId>cn-hangzhou-h</ZoneId>
    </Instance>
  </Instances>
</DescribeInstancesResponse>"#;

#[test]
fn the_same_page_in_xml_is_the_same_page() {
    assert_eq!(decode_instances(XML_PAGE.as_bytes()), decode_instances(PAGE.as_bytes()));
    let one_of_two = XML_PAGE.rsplit_once("<Instance>").expect("two instances").0;
    let single = format!("{one_of_two}</Instances></DescribeInstancesResponse>");
    let page = decode_instances(single.as_bytes()).expect("one instance is a list too").value;
    assert_eq!(page.sightings.len(), 1);
}

#[test]
fn several_locks_in_xml_are_all_seen() {
    let lock = |word: &str| format!("<LockReason><LockReason>{word}</LockReason><LockMsg/></LockReason>");
    let body = format!(
        "<DescribeInstancesResponse><Instances><Instance><InstanceId>i-1</InstanceId><OperationLocks>{}{}\
         </OperationLocks></Instance></Instances></DescribeInstancesResponse>",
        lock("financial"),
        lock("security")
    );
    let page = decode_instances(body.as_bytes()).expect("readable").value;
    let reasons: Vec<&LockReason> = page.sightings[0].locks.iter().map(|lock| &lock.reason).collect();
    assert_eq!(reasons, [&LockReason::Financial, &LockReason::Security]);
}

fn one(fields: &str) -> Sighting {
    let body = format!(r#"{{"Instances":{{"Instance":[{{"InstanceId":"i-1"{fields}}}]}}}}"#);
    let mut page = decode_instances(body.as_bytes()).expect(&body).value;
    assert_eq!(page.sightings.len(), 1);
    page.sightings.remove(0)
}

#[test]
fn a_documented_page_of_instances_is_read() {
    let decoded = decode_instances(PAGE.as_bytes()).expect("readable");
    assert_eq!(decoded.request_id.as_deref(), Some("473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E"));
    let page = decoded.value;
    assert_eq!((page.next_token, page.total), (None, Some(2)));
    let [db, app] = page.sightings.as_slice() else { panic!("two instances: {:?}", page.sightings) };
    assert_eq!((db.id.as_str(), db.name.as_str()), ("i-bp1db", "db 数据"));
    assert_eq!((&db.power, db.stopped_mode), (&Power::Stopped, StoppedMode::StopCharging));
    assert_eq!((db.charge, db.spot, db.local_disks), (Charge::PrePaid, false, 2));
    assert_eq!(db.expires, Some("2026-01-01T00:00:00Z".parse().expect("valid")));
    assert_eq!(db.zone, "cn-hangzhou-i");
    assert_eq!(db.locks.len(), 1);
    assert_eq!((&db.locks[0].reason, db.locks[0].message.as_str()), (&LockReason::Security, "a reason"));
    assert_eq!((&app.power, app.charge, app.spot), (&Power::Running, Charge::PostPaid, true));
    assert!(app.locks.is_empty());
}

#[test]
fn only_the_tag_of_auto_scaling_is_kept_of_the_tags() {
    let tag = |tags: &str| one(&format!(r#","Tags":{tags}"#)).scaling_tag;
    let group = r#"{"TagKey":"acs:autoscaling:scalingGroupId","TagValue":"asg-1"}"#;
    let other = r#"{"TagKey":"role","TagValue":"acs:autoscaling:x"}"#;
    let known = Some("acs:autoscaling:scalingGroupId=asg-1".into());
    for tags in [
        format!(r#"{{"Tag":[{other},{group}]}}"#),
        format!(r#"{{"Tag":[{group},{{"TagKey":"acs:autoscaling:more","TagValue":"x"}}]}}"#),
        format!(r#"{{"Tag":{group}}}"#),
        format!("[{other},{group}]"),
    ] {
        assert_eq!(tag(&tags), known, "{tags}");
    }
    for tags in [
        format!(r#"{{"Tag":[{other}]}}"#),
        r#"{"Tag":[{"TagValue":"x"},{"TagKey":null},7,true,null,-1,1.5,"acs:autoscaling:x",[[]]]}"#.to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        r#""""#.to_owned(),
        r#"{"Tag":[{"TagKey":"acs:autoscalin","TagValue":"x"},{"TagKey":"数据数据数据数据","TagValue":"x"}]}"#.to_owned(),
    ] {
        assert_eq!(tag(&tags), None, "{tags}");
    }
    assert_eq!(tag(r#"{"Tag":[{"TagKey":"ACS:AutoScaling:"}]}"#), Some("ACS:AutoScaling:=".into()));
    let xml = "<DescribeInstancesResponse><Instances><Instance><InstanceId>i-1</InstanceId><Tags/></Instance><Instance>\
               <InstanceId>i-2</InstanceId><Tags><Tag><TagKey>acs:autoscaling:scalingGroupId</TagKey><TagValue>asg-1\
               </TagValue></Tag></Tags></Instance></Instances></DescribeInstancesResponse>";
    let page = decode_instances(xml.as_bytes()).expect("readable").value;
    assert_eq!((&page.sightings[0].scaling_tag, &page.sightings[1].scaling_tag), (&None, &known));
}

#[test]
fn fields_that_are_absent_null_or_odd_do_not_spoil_an_instance() {
    let bare = one("");
    assert_eq!(bare.power, Power::from_word(""), "no status is not a status that is known");
    assert_eq!((bare.charge, bare.expires, bare.spot), (Charge::Other, None, false));
    let nulls = one(
        r#","InstanceName":null,"Status":null,"StoppedMode":null,"OperationLocks":null,"InstanceChargeType":null,
           "ExpiredTime":null,"SpotStrategy":null,"ZoneId":null,"LocalStorageAmount":null"#,
    );
    assert_eq!(nulls, bare);
    let odd = one(r#","InstanceName":7,"Status":{"Name":"Running"},"StoppedMode":[1],"OperationLocks":true,
           "InstanceChargeType":1.5,"ExpiredTime":"soon","SpotStrategy":"","ZoneId":false,"LocalStorageAmount":"3",
           "Cpu":[[[{}]]],"Status":{}"#);
    assert_eq!((odd.name.as_str(), odd.local_disks, odd.expires), ("7", 3, None));
    assert_eq!(odd.power, bare.power);
    assert_eq!(one(r#","LocalStorageAmount":-1"#).local_disks, 0);
    assert_eq!(one(r#","LocalStorageAmount":99999999999"#).local_disks, u32::MAX);
}

#[test]
fn words_are_read_in_any_letter_case_and_times_with_or_without_seconds() {
    let sighting = one(
        r#","Status":"RUNNING","StoppedMode":"keepCharging","InstanceChargeType":"prepaid","SpotStrategy":"nospot",
           "ExpiredTime":"2026-01-01T00:00:30Z""#,
    );
    assert_eq!((sighting.power, sighting.stopped_mode), (Power::Running, StoppedMode::KeepCharging));
    assert_eq!((sighting.charge, sighting.spot), (Charge::PrePaid, false));
    assert_eq!(sighting.expires, Some("2026-01-01T00:00:30Z".parse().expect("valid")));
    assert_eq!(read_time("2026-01-01T00:00Z"), Some("2026-01-01T00:00:00Z".parse().expect("valid")));
    for text in ["", "2026-01-01", "2026-01-01T00:00", "99999-01-01T00:00Z", "Z"] {
        assert_eq!(read_time(text), None, "{text:?}");
    }
}

#[test]
fn a_lock_is_seen_in_whatever_shape_it_comes() {
    let security = LockReason::Security;
    let unnamed = LockReason::from_word("unnamed");
    for (json, reasons) in [
        (r#"{"LockReason":[]}"#, vec![]),
        (r#"{"LockReason":null}"#, vec![]),
        ("{}", vec![]),
        ("[]", vec![]),
        (r#""""#, vec![]),
        (r#"{"LockReason":""}"#, vec![]),
        (r#"{"LockReason":[{"LockReason":"Security"}]}"#, vec![&security]),
        (
            r#"{"LockReason":["security",{"LockReason":"odd"}]}"#,
            vec![&security, &LockReason::Other("odd".into())],
        ),
        (r#"{"LockReason":{"LockReason":"security"}}"#, vec![&security]),
        (r#"{"LockReason":"security","LockMsg":"m"}"#, vec![&security]),
        (r#"[{"LockReason":"security"}]"#, vec![&security]),
        (r#""security""#, vec![&security]),
        (r#"{"LockReason":[{}]}"#, vec![&unnamed]),
        (r#"{"LockReason":[{"LockReason":5}]}"#, vec![&unnamed]),
        (r#"{"LockReason":[5]}"#, vec![&unnamed]),
    ] {
        let sighting = one(&format!(r#","OperationLocks":{json}"#));
        let seen: Vec<&LockReason> = sighting.locks.iter().map(|lock| &lock.reason).collect();
        assert_eq!(seen, reasons, "{json}");
    }
}

#[test]
fn an_empty_list_is_read_and_a_missing_one_is_not() {
    for body in [
        r#"{"Instances":{"Instance":[]},"RequestId":"x"}"#,
        r#"{"Instances":{"Instance":null}}"#,
        "\u{feff}{\"Instances\":{}}",
        "<DescribeInstancesResponse><Instances/></DescribeInstancesResponse>",
        "<DescribeInstancesResponse><NextToken/><Instances>\n</Instances><RequestId>x</RequestId></DescribeInstancesResponse>",
    ] {
        assert_eq!(decode_instances(body.as_bytes()).expect(body).value, InstancePage::default());
    }
    for body in [
        "",
        "  ",
        "{}",
        "null",
        "[]",
        "{\"Instances\":null}",
        r#"{"Instances":"none"}"#,
        r#"{"Instances":[]}"#,
        r#"{"Instances":[[]]}"#,
        r#"{"Instances":{"Instance":[null]}}"#,
        r#"{"Instances":{"Instance":[{"Status":"Running"}]}}"#,
        r#"{"Instances":{"Instance":[{"InstanceId":"../etc"}]}}"#,
        r#"{"Instances":{"Instance":[{"InstanceId":null}]}}"#,
        r#"{"Instances":{"Instance":[]}} trailing"#,
        "<html></html>",
        "<DescribeInstancesResponse></DescribeInstancesResponse>",
        "<DescribeInstancesResponse><Instances>none</Instances></DescribeInstancesResponse>",
        "<DescribeInstancesResponse><Instances><Instance/></Instances></DescribeInstancesResponse>",
        "<DescribeInstancesResponse><Instances>",
        "<Error><Instances/></Error>",
    ] {
        assert!(decode_instances(body.as_bytes()).is_err(), "{body}");
    }
    let cut = &PAGE.as_bytes()[..PAGE.len() / 2];
    assert_eq!(decode_instances(cut).expect_err("cut").to_string(), "its JSON ends too early");
    assert_eq!(decode_instances(b" ").expect_err("empty").to_string(), "its body is empty");
}

#[test]
fn tokens_and_totals_are_read_as_text_or_numbers() {
    let body = r#"{"Instances":{"Instance":[]},"NextToken":"t","TotalCount":"12"}"#;
    let page = decode_instances(body.as_bytes()).expect("readable").value;
    assert_eq!((page.next_token.as_deref(), page.total), (Some("t"), Some(12)));
}

#[test]
fn only_an_answer_with_a_request_id_and_without_an_error_is_an_acceptance() {
    for body in [
        r#"{"RequestId":"A"}"#,
        r#"{"requestId":"A","Code":"200"}"#,
        r#"{"RequestId":"A","Code":200}"#,
        "<StartInstanceResponse><RequestId>A</RequestId></StartInstanceResponse>",
        "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\n<StopInstanceResponse>\n<RequestId> A </RequestId></StopInstanceResponse>",
    ] {
        assert_eq!(decode_acceptance(body.as_bytes()).expect(body).request_id.as_deref(), Some("A"));
    }
    for body in [
        "",
        "{}",
        "[\"A\"]",
        r#"{"RequestId":""}"#,
        r#"{"RequestId":"A","Code":"InternalError"}"#,
        r#"{"RequestId":"A""#,
        "<StartInstanceResponse><RequestId>A</RequestId>",
        "<StartInstanceResponse><RequestId>A</RequestId><Code>InternalError</Code></StartInstanceResponse>",
        "<StartInstanceResponse><RequestId/></StartInstanceResponse>",
        "<Error><RequestId>A</RequestId></Error>",
        "<html><RequestId>A</RequestId></html>",
    ] {
        assert!(decode_acceptance(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn errors_are_read_in_json_of_any_letter_case_and_in_xml() {
    let expected = Failure {
        code: "IncorrectInstanceStatus".to_owned(),
        message: "The current status <of> \"it\" & more.".to_owned(),
        request_id: Some("R-1".to_owned()),
        recommend: Some("https://error-center.aliyun.com/?a=1&b=2".to_owned()),
    };
    for body in [
        r#"{"RequestId":"R-1","HostId":"ecs.aliyuncs.com","Code":"IncorrectInstanceStatus",
            "Message":"The current status <of> \"it\" & more.",
            "Recommend":"https://error-center.aliyun.com/?a=1&b=2"}"#,
        r#"{"requestId":"R-1","code":"IncorrectInstanceStatus","AccessDeniedDetail":{"Code":"no"},
            "message":"The current status <of> \"it\" & more.",
            "recommend":"https://error-center.aliyun.com/?a=1&b=2"}"#,
        "<?xml version='1.0' encoding='UTF-8'?>\n<Error><RequestId>R-1</RequestId><HostId>h</HostId>\
         <Code>IncorrectInstanceStatus</Code>\
         <Message>The current status &lt;of&gt; &quot;it&#34; &#x26; more.</Message>\
         <Recommend><![CDATA[https://error-center.aliyun.com/?a=1&b=2]]></Recommend></Error>",
        "  <!-- a > b --><Error>\n  <Detail><Code>no</Code><Empty/></Detail>\n  <Code> IncorrectInstanceStatus </Code>\
         <RequestId>R-1</RequestId>\
         <Message><![CDATA[The current status <of> \"it\" & more.]]></Message>\
         <Recommend>https://error-center.aliyun.com/?a=1&amp;b=2</Recommend></Error>trailing",
    ] {
        assert_eq!(decode_failure(body.as_bytes()), Some(expected.clone()), "{body}");
    }
    let number = decode_failure(br#"{"Code":503}"#).expect("a code");
    assert_eq!((number.code.as_str(), number.message.as_str(), number.request_id), ("503", "", None));
}

#[test]
fn a_body_without_an_error_code_is_no_error_of_ecs() {
    for body in [
        "",
        "   ",
        "502 Bad Gateway",
        "{}",
        "[]",
        r#"{"Code":""}"#,
        r#"{"Code":"Cut","Message":"#,
        "<html><body><code>x</code></body></html>",
        "<!DOCTYPE html><html><Code>x</Code></html>",
        "<Error><Code>Cut</Code>",
        "<Error></Error></Error>",
        "<",
        "<>",
        "</Error>",
        "<Error><Message>no code</Message></Error>",
    ] {
        assert_eq!(decode_failure(body.as_bytes()), None, "{body}");
    }
    assert_eq!(decode_failure(&[0xff, 0xfe, 0x00]), None);
}

#[test]
fn references_that_are_none_stay_as_they_are() {
    let message = |inside: &str| {
        let body = format!("<Error><Code>C</Code><Message>{inside}</Message></Error>");
        decode_failure(body.as_bytes()).expect("a code").message
    };
    for text in ["a & b", "&", "&;", "&nbsp;", "&#xd800;", "&#99999999;", "&数据;", "a&"] {
        assert_eq!(message(text), text);
    }
}

#[test]
fn headers_are_read_and_nonsense_in_them_is_ignored() {
    assert_eq!(read_retry_after("1500"), Some(Duration::from_millis(1500)));
    for text in ["", "0", "-1", "1.5", "soon", "99999999999999999999999"] {
        assert_eq!(read_retry_after(text), None, "{text:?}");
    }
    assert_eq!(
        read_date("Sat, 21 Nov 2026 20:04:05 GMT"),
        Some("2026-11-21T20:04:05Z".parse().expect("valid"))
    );
    assert_eq!(read_date("yesterday"), None);
    assert_eq!(read_window_left("Limit:200,Remain:0, timeleft: 41000"), Some(Duration::from_secs(41)));
    for text in ["", "TimeLeft", "TimeLeft:", "TimeLeft:soon", "Limit:200", ":::,,,"] {
        assert_eq!(read_window_left(text), None, "{text:?}");
    }
}

#[test]
fn an_excerpt_is_short_one_line_and_printable() {
    assert_eq!(excerpt("<html>\r\n  <b>502\u{1b}[2J \u{202e}x</b> 网关"), "<html> <b>502 [2J x</b> 网关");
    let long = excerpt(&"网关 ".repeat(1000));
    assert_eq!(long.chars().count(), 163);
    assert!(long.ends_with("..."));
}

fn decode_everything(bytes: &[u8]) {
    let _ = decode_instances(bytes);
    let _ = decode_acceptance(bytes);
    let _ = decode_failure(bytes);
    let _ = decode_batch(bytes);
    let _ = decode_statuses(bytes);
    let _ = decode_regions(bytes);
    let _ = read_window_left(&String::from_utf8_lossy(bytes));
    let text = String::from_utf8_lossy(bytes);
    assert!(excerpt(&text).chars().count() <= 163);
    let _ = (read_time(&text), read_date(&text), read_retry_after(&text));
}

/// Valid documents, to be cut, doubled and overwritten.
fn documents() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        PAGE,
        XML_PAGE,
        "<StartInstancesResponse><RequestId>R</RequestId><InstanceResponses><InstanceResponse><InstanceId>i-a</InstanceId>\
         <Code>200</Code></InstanceResponse></InstanceResponses></StartInstancesResponse>",
        r#"{"RequestId":"R","Code":"Throttling","Message":"m","Recommend":"https://x"}"#,
        "<?xml version='1.0'?><Error><RequestId>R</RequestId><Code>C</Code><Message>a &lt; <![CDATA[b]]></Message></Error>",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn decoders_survive_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decode_everything(&bytes);
    }

    #[test]
    fn decoders_survive_text_of_their_own_alphabet(text in r#"[{}\[\]":,<>/!?&;#\-xCode a0-9\\u]{0,200}"#) {
        decode_everything(text.as_bytes());
    }

    #[test]
    fn decoders_survive_damaged_documents(
        document in documents(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut bytes = document.as_bytes().to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if !whole {
            bytes.truncate(cut.index(bytes.len()));
        }
        decode_everything(&bytes);
    }

    #[test]
    fn an_undamaged_sighting_survives_an_odd_neighbour(odd in r#"[ -!#-\[\]-~]{0,30}"#, number in any::<i64>()) {
        let body = format!(
            r#"{{"Instances":{{"Instance":[{{"InstanceId":"i-1","Status":"{odd}","ExpiredTime":"{odd}","Cpu":{number},
                "LocalStorageAmount":{number},"OperationLocks":"{odd}"}},{{"InstanceId":"i-2","Status":"Running"}}]}}}}"#
        );
        let page = decode_instances(body.as_bytes()).expect("readable").value;
        prop_assert_eq!(&page.sightings[1].power, &Power::Running);
    }
}

/// A text as it stands in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn both_formats_of_a_page_are_read_alike(
        instances in prop::collection::vec(
            ("[a-z0-9]{1,20}", "[!-~数据]([ -~数据]{0,20}[!-~数据])?", "[A-Za-z]{1,9}", any::<u32>(), prop::collection::vec("[a-z]{1,9}", 0..3)),
            0..5,
        ),
        total in any::<u64>(),
    ) {
        let mut json = Vec::new();
        let mut xml = String::new();
        for (id, name, status, disks, locks) in &instances {
            let in_json: Vec<serde_json::Value> =
                locks.iter().map(|lock| serde_json::json!({"LockReason": lock, "LockMsg": ""})).collect();
            json.push(serde_json::json!({
                "InstanceId": format!("i-{id}"), "InstanceName": name, "Status": status,
                "LocalStorageAmount": disks, "OperationLocks": {"LockReason": in_json}, "DeviceAvailable": true,
            }));
            let in_xml: String = locks
                .iter()
                .map(|lock| format!("<LockReason><LockReason>{lock}</LockReason><LockMsg/></LockReason>"))
                .collect();
            xml.push_str(&format!(
                "<Instance><InstanceId>i-{id}</InstanceId><InstanceName>{}</InstanceName><Status>{status}</Status>\
                 <LocalStorageAmount>{disks}</LocalStorageAmount><OperationLocks>{in_xml}</OperationLocks>\
                 <DeviceAvailable>true</DeviceAvailable></Instance>",
                escaped(name)
            ));
        }
        let json = serde_json::json!({"RequestId": "R", "TotalCount": total, "Instances": {"Instance": json}}).to_string();
        let xml = format!(
            "<DescribeInstancesResponse><RequestId>R</RequestId><TotalCount>{total}</TotalCount><Instances>{xml}\
             </Instances></DescribeInstancesResponse>"
        );
        let read = decode_instances(json.as_bytes()).expect("readable JSON");
        prop_assert_eq!(read.value.sightings.len(), instances.len());
        prop_assert_eq!(Ok(read), decode_instances(xml.as_bytes()));
    }
}

/// Deep nesting must end in an error and not in a stack overflow.
#[test]
fn deep_nesting_is_refused_or_ignored() {
    for (open, close) in [("[", "]"), ("{\"Instances\":", "}"), ("<Error>", "</Error>"), ("{\"Code\":", "}")]
    {
        let deep = format!("{}{}", open.repeat(200_000), close.repeat(200_000));
        decode_everything(deep.as_bytes());
        let inside = format!(r#"{{"Code":"C","Other":{deep}}}"#);
        decode_everything(inside.as_bytes());
    }
}
