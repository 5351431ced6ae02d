//! XML answers as the same tree that JSON ones give, so that each model is decoded once.
//!
//! A leaf is a text, an element with others inside is an object, an element that comes more than once is a list, and
//! an empty one is an empty object, which every reader here takes for an absent value or an empty list. Attributes and
//! namespaces, which ECS's answers do not have, are passed over. Nothing is ever fetched or expanded: a document type
//! is refused before its entities could be defined, and depth and number of elements are bounded.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::Unreadable;

/// The deepest nesting that is read. ECS's answers have ten levels.
const DEEPEST: usize = 64;

/// The most elements that are read. A full page of 100 instances has some 20,000.
const MOST_ELEMENTS: usize = 250_000;

/// What an XML document holds.
#[derive(Debug)]
pub(super) struct Document {
    /// The name of the outermost element.
    pub(super) root: String,
    /// What is in it.
    pub(super) value: Value,
}

/// An element that is not closed yet.
struct Open {
    name: String,
    text: String,
    inside: Map<String, Value>,
}

impl Open {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), text: String::new(), inside: Map::new() }
    }

    fn add(&mut self, name: String, value: Value) {
        match self.inside.get_mut(&name) {
            // Only repetition makes lists here.
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                self.inside.insert(name, value);
            }
        }
    }

    fn close(self) -> (String, Value) {
        let text = self.text.trim_ascii();
        let value = if self.inside.is_empty() && !text.is_empty() {
            Value::String(text.to_owned())
        } else {
            Value::Object(self.inside)
        };
        (self.name, value)
    }
}

/// Reads an XML document up to the end of its outermost element.
///
/// # Errors
/// [`Unreadable`] if it is not well-formed, ends too early, has a document type, or goes beyond the bounds.
pub(super) fn read(text: &str) -> Result<Document, Unreadable> {
    let mut reader = Reader::from_str(text);
    // Messages quote requests, and not every writer escapes them.
    reader.config_mut().allow_dangling_amp = true;
    let mut open: Vec<Open> = Vec::new();
    let mut elements = 0_usize;
    loop {
        let event = reader.read_event().map_err(|_| {
            Unreadable(format!("its XML is not well-formed (byte {})", reader.error_position()))
        })?;
        let closed = match event {
            Event::Start(tag) => {
                elements += 1;
                if open.len() == DEEPEST || elements > MOST_ELEMENTS {
                    return Err(Unreadable("its XML is deeper or larger than any answer of ECS".to_owned()));
                }
                open.push(Open::new(tag.local_name().into_inner()));
                continue;
            }
            Event::Empty(tag) => {
                elements += 1;
                if elements > MOST_ELEMENTS {
                    return Err(Unreadable("its XML is larger than any answer of ECS".to_owned()));
                }
                Open::new(tag.local_name().into_inner())
            }
            Event::End(_) => match open.pop() {
                Some(element) => element,
                None => return Err(Unreadable("its XML is not well-formed".to_owned())),
            },
            Event::Text(text) => {
                add_text(&mut open, &text.xml10_content());
                continue;
            }
            Event::CData(text) => {
                add_text(&mut open, &text);
                continue;
            }
            Event::GeneralRef(reference) => {
                add_text(&mut open, &resolve(&reference));
                continue;
            }
            Event::DocType(_) => {
                return Err(Unreadable(
                    "it has a document type, as web pages do and answers of ECS do not".to_owned(),
                ));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            Event::Eof if open.is_empty() => return Err(Unreadable("it holds no XML element".to_owned())),
            Event::Eof => return Err(Unreadable("its XML ends too early".to_owned())),
        };
        let (name, value) = closed.close();
        match open.last_mut() {
            Some(around) => around.add(name, value),
            None => return Ok(Document { root: name, value }),
        }
    }
}

fn add_text(open: &mut [Open], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// The character of `&amp;` and its kin and of `&#39;`-style references. Others stay as they are.
fn resolve(reference: &str) -> Cow<'static, str> {
    let character = match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.strip_prefix('#').and_then(|number| {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }),
    };
    match character {
        Some(character) => Cow::Owned(character.to_string()),
        None => Cow::Owned(format!("&{reference};")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value_of(text: &str) -> Value {
        read(text).expect(text).value
    }

    #[test]
    fn an_answer_gives_the_tree_that_its_json_would() {
        let document = read(
            "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\n<!-- c --><XResponse xmlns=\"urn:x\">\n  <Id a='1'> i-1 </Id>\
             <Many><One><K>a</K></One><One><K>b</K></One><One/></Many><Single><One><K>c</K></One></Single>\
             <Empty/><Blank> \n </Blank><Note>1 &lt; 2 &amp;<![CDATA[ <b> & ]]>&#65;&#x42;</Note><n:Id2>x</n:Id2></XResponse>",
        )
        .expect("well-formed");
        assert_eq!(document.root, "XResponse");
        assert_eq!(
            document.value,
            json!({
                "Id": "i-1",
                "Many": {"One": [{"K": "a"}, {"K": "b"}, {}]},
                "Single": {"One": {"K": "c"}},
                "Empty": {}, "Blank": {}, "Note": "1 < 2 & <b> & AB", "Id2": "x",
            })
        );
    }

    #[test]
    fn no_entity_is_ever_defined_or_expanded() {
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><r>&b;</r>";
        assert!(read(bomb).expect_err("refused").0.contains("document type"));
        let file = "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>";
        assert!(read(file).is_err());
        assert_eq!(value_of("<r>&b;&unknown;</r>"), json!("&b;&unknown;"));
    }

    #[test]
    fn what_is_cut_crossed_deep_or_large_is_refused() {
        for text in [
            "",
            "  ",
            "text",
            "<a>",
            "<a><b></a></b>",
            "</a>",
            "<a",
            "<a><!--",
            "<a><![CDATA[x</a>",
            "<",
            "<>",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(&nested(DEEPEST)).is_ok());
        assert!(read(&nested(DEEPEST + 1)).is_err());
        let wide = |width: usize| format!("<r>{}</r>", "<a/>".repeat(width));
        assert!(read(&wide(MOST_ELEMENTS - 1)).is_ok());
        assert!(read(&wide(MOST_ELEMENTS)).is_err());
    }
}
