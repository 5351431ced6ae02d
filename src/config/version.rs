//! `required_version`: which versions of this program a file is written for.
//!
//! The operators are Terraform's, because people know them from there. The syntax of the semver crate is another one:
//! it has no `!=`, and its `~1.2` means less than Terraform's `~> 1.2`.

use semver::Version;

use super::document::Written;
use super::fields::{Field, Reader};
use super::problem::{At, Finding, Findings, quoted};

/// The longest requirement that is read, in bytes.
const LONGEST: usize = 200;

/// What a version has to be. All of its comparisons have to hold.
#[derive(Debug, Clone)]
pub(super) struct Requirement {
    text: String,
    comparisons: Vec<Comparison>,
}

#[derive(Debug, Clone)]
struct Comparison {
    operator: Operator,
    /// What is left out of it is 0.
    version: Version,
    /// How many of its numbers are written: 1 to 3.
    numbers: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Other,
    Above,
    AtLeast,
    Below,
    AtMost,
    /// `~>`: at least this, and equal in all written numbers but the last.
    Compatible,
}

/// Longer ones first, so that `>=` is not taken for `>`.
const OPERATORS: [(&str, Operator); 7] = [
    ("~>", Operator::Compatible),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::Other),
    ("=", Operator::Equal),
    (">", Operator::Above),
    ("<", Operator::Below),
];

impl Requirement {
    /// Reads a requirement such as `>= 0.1, < 2`. The error is a fragment of a sentence about it.
    fn read(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} characters"));
        }
        let comparisons = text.split(',').map(Comparison::read).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), comparisons })
    }

    fn is_met_by(&self, version: &Version) -> bool {
        self.comparisons.iter().all(|comparison| comparison.holds_for(version))
    }
}

impl Comparison {
    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let with_operator = OPERATORS
            .iter()
            .find_map(|(word, operator)| Some((*operator, text.strip_prefix(word)?.trim_start())));
        let (operator, text) = with_operator.unwrap_or((Operator::Equal, text));
        if text.is_empty() {
            return Err("a version is missing in it".to_owned());
        }
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (core, rest) = text.split_at(end);
        let numbers = core.split('.').count();
        let mut whole = core.to_owned();
        for _ in numbers..3 {
            whole.push_str(".0");
        }
        whole.push_str(rest);
        match Version::parse(&whole) {
            Ok(version) => Ok(Self { operator, version, numbers }),
            Err(_) => Err(format!("{} is not a version", quoted(text))),
        }
    }

    fn holds_for(&self, version: &Version) -> bool {
        // What is built from the same version in another way is the same version.
        let order = version.cmp_precedence(&self.version);
        match self.operator {
            Operator::Equal => order.is_eq(),
            Operator::Other => order.is_ne(),
            Operator::Above => order.is_gt(),
            Operator::AtLeast => order.is_ge(),
            Operator::Below => order.is_lt(),
            Operator::AtMost => order.is_le(),
            Operator::Compatible => {
                let numbers = |of: &Version| [of.major, of.minor, of.patch];
                let (ours, theirs) = (numbers(version), numbers(&self.version));
                let fixed = self.numbers.saturating_sub(1);
                order.is_ge() && ours.iter().zip(theirs).take(fixed).all(|(ours, theirs)| *ours == theirs)
            }
        }
    }
}

/// Reads `required_version`.
pub(super) fn requirement<'s>(
    reader: &mut Reader<'s, '_>,
    field: Field<'_, 's>,
) -> Option<Written<Requirement>> {
    const EXAMPLE: &str = "a version requirement like \">= 0.1, < 2\"";
    let text = reader.text(field, "a version requirement", EXAMPLE)?;
    match Requirement::read(&text) {
        Ok(value) => Some(Written { at: reader.at(field.value), value }),
        Err(mistake) => {
            let finding = reader
                .error(field.value, format!("{} is not a version requirement: {mistake}", quoted(&text)))
                .label("expected a version requirement")
                .note("the operators are =, !=, >, >=, <, <= and ~>; several stand with commas between them")
                .help(format!("write {EXAMPLE}"));
            reader.add(finding);
            None
        }
    }
}

/// Finds the requirements that a version does not meet. They stand alone: what else there is to say about a file that
/// is written for another version may follow from nothing but that.
pub(super) fn unmet<'d>(
    requirements: impl Iterator<Item = &'d Written<Requirement>>,
    version: &Version,
) -> Option<Findings> {
    let mut findings = Findings::default();
    for Written { at, value } in requirements.filter(|written| !written.value.is_met_by(version)) {
        findings.add(finding(*at, value, version));
    }
    (!findings.is_empty()).then_some(findings)
}

fn finding(at: At, requirement: &Requirement, version: &Version) -> Finding {
    Finding::error(
        at,
        format!("this needs powerform {}, and this is powerform {version}", requirement.text.trim()),
    )
    .label(format!("{version} is not among these"))
    .note("nothing else was checked: it is written for another version")
    .help("run a version that fits, or change `required_version` if this one is as good")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_understood_as_terraform_understands_them() {
        for (requirement, met, unmet) in [
            ("0.1", "0.1.0 0.1.0+linux", "0.1.1 0.1.0-rc.1 1.0.0"),
            ("= 0.1.0", "0.1.0", "0.1.1"),
            ("!= 0.1", "0.1.1 0.2.0", "0.1.0"),
            ("> 0.1", "0.1.1 1.0.0", "0.1.0 0.0.9"),
            (">= 0.1", "0.1.0 0.1.1 7.0.0", "0.0.9 0.1.0-rc.1"),
            ("< 1", "0.9.9 1.0.0-rc.1", "1.0.0 2.0.0"),
            ("<= 1.2", "1.2.0 1.1.9", "1.2.1"),
            ("~> 1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0 2.0.0"),
            ("~> 1.2", "1.2.0 1.9.0", "1.1.9 2.0.0"),
            ("~> 1", "1.0.0 2.0.0", "0.9.9"),
            (">= 0.1, < 2", "0.1.0 1.9.9", "0.0.9 2.0.0"),
            ("  >=0.1 ,!=0.1.5,  <2 ", "0.1.4 0.1.6", "0.1.5 2.0.0"),
            ("= 1.0.0-rc.1", "1.0.0-rc.1", "1.0.0 1.0.0-rc.2"),
        ] {
            let requirement = Requirement::read(requirement).expect("a requirement");
            for (versions, is_met) in [(met, true), (unmet, false)] {
                for version in versions.split(' ') {
                    let parsed = Version::parse(version).expect("a version");
                    assert_eq!(requirement.is_met_by(&parsed), is_met, "{} by {version}", requirement.text);
                }
            }
        }
    }

    #[test]
    fn what_is_no_requirement_is_refused() {
        for text in ["", ",", ">= 0.1,", "latest", "^1.2", "=> 1", "1.x", "1.2.3.4", "-1", "> 1 < 2", "1..2"]
        {
            assert!(Requirement::read(text).is_err(), "{text}");
        }
        assert!(Requirement::read(&"1,".repeat(200)).is_err());
    }
}
