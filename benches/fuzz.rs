//! Whether anything that others write can bring a reader down: answers of ECS, the configuration, files with
//! credentials.
//!
//! Each reader gets 100,000 cases from a fixed seed: random bytes, valid documents with damage, and pieces of the
//! language in any order. It fails if a reader panics, or if the process ever takes more memory than its limit. What it
//! shows besides is how many cases were read and the slowest. `cargo bench --bench fuzz`, or `cargo bench --bench fuzz --
//! 5000` for fewer cases of each.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fastrand::Rng;
use jiff::Timestamp;
use powerform::aliyun::credentials::{self, Wanted};
use powerform::aliyun::response::{
    decode_acceptance, decode_batch, decode_failure, decode_instances, decode_regions, decode_statuses,
};
use powerform::aliyun::surroundings::Surroundings;
use powerform::aliyun::transport::Transport;
use powerform::config::{self, Source};
use tokio::time::Instant;

const SEED: u64 = 0x706f_7765_7266_6f72;
const CASES: u64 = 100_000;
/// The longest case, in bytes.
const LONGEST: usize = 16 * 1024;
/// The most memory that the process may ever have taken, in MB (of 10^6 bytes).
const MEMORY_LIMIT: f64 = 64.0;

fn main() -> anyhow::Result<()> {
    let cases = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(CASES);
    // A panic is counted and shown with its case; the usual words would only repeat it.
    std::panic::set_hook(Box::new(|_| {}));
    println!("\n{cases} cases for each reader, seed {SEED:#x}");
    println!(
        "{:<22} {:>9} {:>8} {:>14} {:>12} {:>12}",
        "reader", "read", "panics", "slowest", "of bytes", "peak memory"
    );
    let place = Place::new()?;
    let mut panics = 0;
    for reader in &READERS {
        panics += run(reader, &place, cases)?;
    }
    ensure!(panics == 0, "{panics} cases brought a reader down");
    match peak_of_memory() {
        Some(peak) => {
            ensure!(peak <= MEMORY_LIMIT, "the peak of memory is {peak:.0} MB, over {MEMORY_LIMIT} MB")
        }
        None => println!("this system does not tell the peak of memory"),
    }
    Ok(())
}

/// What is read, from what it is damaged, and what its language is made of.
struct Reader {
    name: &'static str,
    documents: &'static [&'static str],
    pieces: &'static [&'static str],
    /// Whether it could be read.
    read: fn(&[u8], &Place) -> bool,
}

const READERS: [Reader; 5] = [
    Reader {
        name: "answers in JSON",
        documents: &[JSON_PAGE, JSON_BATCH, JSON_ERROR, JSON_REGIONS],
        pieces: &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"Instances\"",
            "\"Instance\"",
            "\"Code\"",
            "\"InstanceId\"",
            "\"i-a\"",
            "null",
            "1e999",
            "-0",
            "\"\\ud800\"",
            "true",
            "\"2026-11-21T12:00Z\"",
            "\u{feff}",
        ],
        read: decode,
    },
    Reader {
        name: "answers in XML",
        documents: &[XML_PAGE, XML_BATCH, XML_ERROR],
        pieces: &[
            "<",
            ">",
            "</",
            "/>",
            "<Instances>",
            "</Instances>",
            "<Instance>",
            "<Code>",
            "</Code>",
            "<Error>",
            "</Error>",
            "&amp;",
            "&#x110000;",
            "&unknown;",
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "<?xml version='1.0'?>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]>",
            " ",
        ],
        read: decode,
    },
    Reader {
        name: "the configuration",
        documents: &[config::TEMPLATE, CONFIGURATION],
        pieces: &[
            "stack: s\n",
            "instances:\n",
            "  a: ",
            "{ ",
            "}",
            "id: i-a",
            ", ",
            "status: Running",
            "\n",
            "depends_on: [a]",
            "&x ",
            "*x",
            "<<: *x",
            "? ",
            "- ",
            "!!binary ",
            "'",
            "\"",
            "|\n",
            "--- ",
            "\t",
            "10m",
            "\u{2028}",
            "provider: { ",
            "[",
        ],
        read: configure,
    },
    Reader {
        name: "the CLI's profiles",
        documents: &[PROFILES],
        pieces: &[
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"profiles\"",
            "\"current\"",
            "\"name\"",
            "\"default\"",
            "\"region_id\"",
            "null",
            "7",
        ],
        read: profiles,
    },
    Reader {
        name: "the credentials file",
        documents: &[INI],
        pieces: &[
            "[",
            "]",
            "default",
            "\n",
            "=",
            " ",
            "#",
            ";",
            "type",
            "access_key",
            "access_key_id",
            "access_key_secret",
            "\r\n",
            "x",
        ],
        read: credentials_file,
    },
];

/// Where files with credentials are put, and the process that finds them there: nothing of it leads to a network.
struct Place {
    runtime: tokio::runtime::Runtime,
    home: tempfile::TempDir,
}

impl Place {
    fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let home = tempfile::tempdir().context("no folder for files")?;
        for folder in [".aliyun", ".alibabacloud"] {
            std::fs::create_dir(home.path().join(folder))?;
        }
        Ok(Self { runtime, home })
    }

    fn surroundings(&self) -> Surroundings {
        let variables = HashMap::from([
            ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true"),
            ("ALIBABA_CLOUD_ENDPOINT_STS", "http://127.0.0.1:1"),
        ]);
        Surroundings {
            variables: Arc::new(move |name| variables.get(name).map(|value| (*value).to_owned())),
            home: Some(self.home.path().to_owned()),
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
            metadata_service: "http://127.0.0.1:1".to_owned(),
        }
    }

    /// Puts a file where it is looked for, for as long as something is done.
    fn with_file<T>(&self, name: &str, bytes: &[u8], act: impl FnOnce() -> T) -> T {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        let done = act();
        std::fs::remove_file(path).expect("a file can be removed");
        done
    }
}

fn decode(bytes: &[u8], _: &Place) -> bool {
    let read = [
        decode_instances(bytes).is_ok(),
        decode_batch(bytes).is_ok(),
        decode_statuses(bytes).is_ok(),
        decode_regions(bytes).is_ok(),
        decode_acceptance(bytes).is_ok(),
        decode_failure(bytes).is_some(),
    ];
    read.contains(&true)
}

fn configure(bytes: &[u8], _: &Place) -> bool {
    config::read(&[Source { name: "powerform.yaml".to_owned(), text: bytes.to_vec() }]).is_ok()
}

fn profiles(bytes: &[u8], place: &Place) -> bool {
    let wanted = Wanted { profile: None, role: None };
    place.with_file(".aliyun/config.json", bytes, || {
        credentials::region_of_profile(&wanted, &place.surroundings()).is_some()
    })
}

fn credentials_file(bytes: &[u8], place: &Place) -> bool {
    let context = credentials::Context {
        surroundings: place.surroundings(),
        transport: Transport::default(),
        region: None,
        vpc: false,
    };
    let wanted = Wanted { profile: None, role: None };
    place.with_file(".alibabacloud/credentials", bytes, || {
        place.runtime.block_on(credentials::find(&wanted, &context)).is_ok()
    })
}

/// Gives a reader its cases, and shows what came of them: how many brought it down.
fn run(reader: &Reader, place: &Place, cases: u64) -> anyhow::Result<u64> {
    let mut random = Rng::with_seed(SEED);
    let (mut read, mut panics) = (0_u64, 0_u64);
    let mut slowest = (Duration::ZERO, 0);
    for number in 0..cases {
        let case = case(reader, number, &mut random);
        let began = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (reader.read)(&case, place)));
        let took = began.elapsed();
        if took > slowest.0 {
            slowest = (took, case.len());
        }
        match outcome {
            Ok(was_read) => read += u64::from(was_read),
            Err(_) => {
                panics += 1;
                println!("{} panicked at case {number}: {}", reader.name, shown(&case));
            }
        }
    }
    ensure!(read > 0, "nothing was read by {}: its documents are not valid", reader.name);
    let peak = peak_of_memory().map_or_else(|| "?".to_owned(), |peak| format!("{peak:.0} MB"));
    println!(
        "{:<22} {read:>9} {panics:>8} {:>14} {:>12} {peak:>12}",
        reader.name,
        format!("{:.2} ms", slowest.0.as_secs_f64() * 1e3),
        slowest.1
    );
    Ok(panics)
}

/// One case: every document whole once, then random bytes, damaged documents and loose pieces in turn.
fn case(reader: &Reader, number: u64, random: &mut Rng) -> Vec<u8> {
    if let Some(document) = usize::try_from(number).ok().and_then(|number| reader.documents.get(number)) {
        return document.as_bytes().to_vec();
    }
    match number % 4 {
        0 => (0..random.usize(..400)).map(|_| random.u8(..)).collect(),
        1 => {
            let pieces = (0..random.usize(..60)).map(|_| reader.pieces[random.usize(..reader.pieces.len())]);
            pieces.collect::<String>().into_bytes()
        }
        _ => damaged(reader, random),
    }
}

/// A document after a few accidents: bytes changed, cut out, doubled many times over, replaced by pieces.
fn damaged(reader: &Reader, random: &mut Rng) -> Vec<u8> {
    let mut bytes = reader.documents[random.usize(..reader.documents.len())].as_bytes().to_vec();
    for _ in 0..random.usize(1..4) {
        let from = random.usize(..=bytes.len());
        let to = from + random.usize(..=(bytes.len() - from).min(40));
        match random.u8(..6) {
            0 => bytes.truncate(from),
            1 => drop(bytes.drain(from..to)),
            2 => {
                let again = bytes[from..to].repeat(random.usize(1..300));
                bytes.splice(from..from, again);
            }
            3 => {
                let piece = reader.pieces[random.usize(..reader.pieces.len())];
                bytes.splice(from..to, piece.bytes());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte = random.u8(..);
                }
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// The beginning of a case, as it could be written into a test.
fn shown(case: &[u8]) -> String {
    let mut text = String::new();
    for byte in case.iter().take(500) {
        let _ = write!(text, "{}", byte.escape_ascii());
    }
    text
}

fn peak_of_memory() -> Option<f64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

const JSON_PAGE: &str = r#"{"RequestId":"473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E","TotalCount":2,"PageNumber":1,"PageSize":100,"NextToken":"","Instances":{"Instance":[{"InstanceId":"i-bp1db0000000000001","InstanceName":"db","Status":"Stopped","StoppedMode":"StopCharging","ZoneId":"cn-hangzhou-i","InstanceChargeType":"PrePaid","ExpiredTime":"2026-12-31T16:00Z","DeviceAvailable":true,"LocalStorageAmount":0,"SpotStrategy":"NoSpot","OperationLocks":{"LockReason":[{"LockReason":"security","LockMsg":""}]},"Tags":{"Tag":[{"TagKey":"role","TagValue":"db"}]}},{"InstanceId":"i-2","Status":"Running","OperationLocks":{"LockReason":[]}}]}}"#;
const JSON_BATCH: &str = r#"{"RequestId":"R","InstanceResponses":{"InstanceResponse":[{"InstanceId":"i-1","PreviousStatus":"Stopped","CurrentStatus":"Starting","Code":"200","Message":"success"},{"InstanceId":"i-2","Code":403,"Message":""}]}}"#;
const JSON_ERROR: &str = r#"{"RequestId":"R","HostId":"ecs.aliyuncs.com","Code":"Throttling.User","Message":"Request was denied due to user flow control.","Recommend":"https://error-center.aliyun.com/status/search?Keyword=Throttling.User"}"#;
const JSON_REGIONS: &str = r#"{"RequestId":"R","Regions":{"Region":[{"RegionId":"cn-hangzhou","RegionEndpoint":"ecs.aliyuncs.com","LocalName":"\u676d\u5dde"}]}}"#;
const XML_PAGE: &str = "<?xml version='1.0' encoding='UTF-8'?><DescribeInstancesResponse><RequestId>R</RequestId><TotalCount>1</TotalCount><Instances><Instance><InstanceId>i-1</InstanceId><InstanceName>a &lt;&amp;&gt; b</InstanceName><Status>Running</Status><OperationLocks><LockReason><LockReason>security</LockReason></LockReason></OperationLocks><ExpiredTime>2026-12-31T16:00Z</ExpiredTime><Tags/></Instance></Instances></DescribeInstancesResponse>";
const XML_BATCH: &str = "<StartInstancesResponse><RequestId>R</RequestId><InstanceResponses><InstanceResponse><InstanceId>i-1</InstanceId><Code>200</Code></InstanceResponse></InstanceResponses></StartInstancesResponse>";
const XML_ERROR: &str = "<?xml version='1.0'?><Error><RequestId>R</RequestId><HostId>ecs.aliyuncs.com</HostId><Code>InternalError</Code><Message>a <![CDATA[b]]></Message></Error>";
const CONFIGURATION: &str = "stack: shop\nprovider:\n  region: cn-hangzhou\n  profile: prod\n  assume_role: { arn: \"acs:ram::123:role/ops\", session_name: powerform }\n  batch_above: 10\ndefaults: &d\n  timeouts: { start: 10m, stop: 1h30m }\ninstances:\n  db: { id: i-bp1db0000000000001, status: Running, prevent_stop: true }\n  app: { ids: [i-1, i-2], status: running, depends_on: { db: { required: false } }, at_once: 1 }\n  'x': { id: i-3, status: Stopped, stop: { mode: StopCharging } }\n";
const PROFILES: &str = r#"{"current":"default","profiles":[{"name":"default","mode":"AK","access_key_id":"id","access_key_secret":"secret","region_id":"cn-hangzhou","output_format":"json","language":"en","retry_timeout":0},{"name":"prod","mode":"RamRoleArn","ram_role_arn":"acs:ram::1:role/r","expired_seconds":900}],"meta_path":""}"#;
const INI: &str = "# credentials\n[default]\ntype = access_key\naccess_key_id = id\naccess_key_secret = secret\n\n[other]\nenable = true\ntype = sts\naccess_key_id=id ; no comment\n";
