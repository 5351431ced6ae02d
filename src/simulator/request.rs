//! A request as it came in, and its parameters: query and form body merged.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::refusal::Refusal;
use crate::aliyun::sign;

/// A request as it came in.
#[derive(Debug)]
pub(super) struct Incoming {
    /// As sent: it is part of what was signed.
    pub(super) method: String,
    pub(super) path: String,
    /// The host that the client asked, which errors name.
    pub(super) host: String,
    /// As sent, the names in lower case.
    headers: Vec<(String, String)>,
    /// The parameters of the query alone: what version 3 signs.
    query: Result<Parameters, Refusal>,
    /// Those of the query and of the form.
    parameters: Result<Parameters, Refusal>,
    /// SHA-256 of the body, in hexadecimal.
    pub(super) hashed_body: String,
}

impl Incoming {
    /// Takes a request apart.
    pub(super) fn read(
        method: &str,
        path: &str,
        query: &str,
        headers: Vec<(String, String)>,
        body: &[u8],
    ) -> Self {
        let header = |wanted| {
            headers
                .iter()
                .find(|(name, _): &&(String, String)| name == wanted)
                .map(|(_, value)| value.as_str())
        };
        let content_type = header("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is_form = essence.eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let form = if is_form { String::from_utf8_lossy(body) } else { "".into() };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            host: header("host").unwrap_or("ecs.aliyuncs.com").to_owned(),
            query: Parameters::read(query, ""),
            parameters: Parameters::read(query, &form),
            hashed_body: sign::hashed_payload_v3(body),
            headers,
        }
    }

    /// The first value of a header that is not empty.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    }

    /// All headers.
    pub(super) fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The parameters of the query alone.
    ///
    /// # Errors
    /// As [`Parameters::read`].
    pub(super) fn query(&self) -> Result<&Parameters, Refusal> {
        self.query.as_ref().map_err(Clone::clone)
    }

    /// The parameters of the query and of the form.
    ///
    /// # Errors
    /// As [`Parameters::read`].
    pub(super) fn parameters(&self) -> Result<&Parameters, Refusal> {
        self.parameters.as_ref().map_err(Clone::clone)
    }
}

/// The parameters of one request, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads the query and the form.
    ///
    /// # Errors
    /// A text that is not UTF-8, or a parameter that is given twice: `InvalidParameter`.
    pub(super) fn read(query: &str, form: &str) -> Result<Self, Refusal> {
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').chain(form.split('&')).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            let value = decode(value)?;
            if parameters.insert(name.clone(), value).is_some() {
                return Err(Refusal::invalid(&name, "it is given more than once"));
            }
        }
        Ok(Self(parameters))
    }

    /// The value, if the parameter is there, even if empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value, if there is one: ECS takes an empty value for none.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The value of a mandatory parameter.
    ///
    /// # Errors
    /// `MissingParameter`.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.value(name).ok_or_else(|| Refusal::missing(name))
    }

    /// A truth value, in any case of letters as official clients send it; false where absent.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub(super) fn truth(&self, name: &str) -> Result<bool, Refusal> {
        match self.value(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Refusal::invalid(name, "it is neither true nor false")),
        }
    }

    /// All names and values, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Undoes the encoding of forms. A percent sign that encodes nothing stands for itself.
fn decode(text: &str) -> Result<String, Refusal> {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| Refusal::of("InvalidParameter").saying("The request is not UTF-8."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_form_are_merged_and_decoded() {
        let parameters =
            Parameters::read("Action=StartInstance&Name=%E7%BD%91%20a+b&Empty=", "B=%2A&&C").unwrap();
        let pairs: Vec<_> = parameters.iter().collect();
        let expected =
            [("Action", "StartInstance"), ("B", "*"), ("C", ""), ("Empty", ""), ("Name", "网 a b")];
        assert_eq!(pairs, expected);
        assert_eq!((parameters.get("Empty"), parameters.value("Empty")), (Some(""), None));
    }

    #[test]
    fn what_is_given_twice_or_is_not_text_is_refused() {
        assert_eq!(Parameters::read("A=1", "A=1").unwrap_err().code, "InvalidParameter");
        assert_eq!(Parameters::read("A=%FF", "").unwrap_err().code, "InvalidParameter");
        assert!(Parameters::read("A=%", "").is_ok());
    }

    #[test]
    fn truth_values_are_read_in_any_case() {
        let parameters = Parameters::read("A=True&B=false&C=yes&D=", "").unwrap();
        assert_eq!(parameters.truth("A"), Ok(true));
        assert_eq!(parameters.truth("B"), Ok(false));
        assert_eq!(parameters.truth("C").unwrap_err().code, "InvalidParameter");
        assert_eq!(parameters.truth("D"), Ok(false));
        assert_eq!(parameters.truth("E"), Ok(false));
    }
}
