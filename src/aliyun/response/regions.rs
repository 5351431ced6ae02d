//! The answer to DescribeRegions.

use serde::Deserialize;

use super::lenient::{Many, Object, Text};
use super::{Decoded, Unreadable, from_body};

/// A region, as ECS lists it. Untrusted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionOffer {
    /// Its id: `cn-hangzhou`.
    pub id: String,
    /// The host of its endpoint.
    pub endpoint: String,
    /// Its name in words.
    pub local_name: String,
    /// Whether new instances can be had there (`available`, and not `soldOut`).
    pub available: bool,
}

/// Reads the answer to DescribeRegions.
///
/// # Errors
/// [`Unreadable`] if it has no list of regions.
pub fn decode_regions(body: &[u8]) -> Result<Decoded<Vec<RegionOffer>>, Unreadable> {
    let document: Document = from_body(body)?;
    let Some(Object(list)) = document.regions else {
        return Err(Unreadable("it has no list of regions".to_owned()));
    };
    let regions = list.region.0.into_iter().map(|Object(item)| RegionOffer {
        id: item.region_id.non_empty().unwrap_or_default(),
        endpoint: item.region_endpoint.non_empty().unwrap_or_default(),
        local_name: item.local_name.non_empty().unwrap_or_default(),
        available: !item.status.or_empty().eq_ignore_ascii_case("soldOut"),
    });
    Ok(Decoded { request_id: document.request_id.non_empty(), value: regions.collect() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    request_id: Text,
    #[serde(default)]
    regions: Option<Object<List>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    region: Many<Object<Item>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    #[serde(default)]
    region_id: Text,
    #[serde(default)]
    region_endpoint: Text,
    #[serde(default)]
    local_name: Text,
    #[serde(default)]
    status: Text,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_read_in_both_formats() {
        let json = r#"{"Regions":{"Region":[{"RegionId":"cn-hangzhou","RegionEndpoint":"ecs.cn-hangzhou.aliyuncs.com",
            "LocalName":"华东 1","Status":"available"},{"RegionId":"cn-x","Status":"soldOut"}]},"RequestId":"R"}"#;
        let xml = "<DescribeRegionsResponse><Regions><Region><RegionId>cn-hangzhou</RegionId>\
            <RegionEndpoint>ecs.cn-hangzhou.aliyuncs.com</RegionEndpoint><LocalName>华东 1</LocalName></Region>\
            <Region><RegionId>cn-x</RegionId><Status>soldOut</Status></Region></Regions><RequestId>R</RequestId>\
            </DescribeRegionsResponse>";
        for body in [json, xml] {
            let regions = decode_regions(body.as_bytes()).expect(body).value;
            let [hangzhou, other] = regions.as_slice() else { panic!("two regions: {regions:?}") };
            assert_eq!((hangzhou.id.as_str(), hangzhou.available), ("cn-hangzhou", true));
            assert_eq!(
                (hangzhou.endpoint.as_str(), hangzhou.local_name.as_str()),
                ("ecs.cn-hangzhou.aliyuncs.com", "华东 1")
            );
            assert_eq!((other.id.as_str(), other.available, other.endpoint.as_str()), ("cn-x", false, ""));
        }
        assert!(decode_regions(b"{}").is_err());
    }
}
