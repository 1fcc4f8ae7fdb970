//! Writes a [`Value`] to any format of serde.

use serde::ser::{Error, Serialize, Serializer};

use super::{Value, integer, word_of};

/// Names under which a number without JSON is given to a serializer: the one of params knows them, and all others are
/// given a refusal, since that of JSON would make null of the number.
const NAMES: [(&str, f64); 3] = [
    ("$plugin_runner_client::NaN", f64::NAN),
    ("$plugin_runner_client::Infinity", f64::INFINITY),
    ("$plugin_runner_client::-Infinity", f64::NEG_INFINITY),
];

/// The number that is given under a name.
pub(crate) fn number_named(name: &str) -> Option<f64> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serialize_number(*value, serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members),
        }
    }
}

fn serialize_number<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if let Some(integer) = integer(number) {
        return serializer.serialize_i64(integer);
    }
    if number.is_finite() {
        return serializer.serialize_f64(number);
    }
    let name = NAMES.iter().find(|(_, known)| word_of(*known) == word_of(number)).map_or("", |(name, _)| *name);
    serializer.serialize_newtype_struct(name, &WithoutJson(number))
}

/// A number that a format for people cannot say.
struct WithoutJson(f64);

impl Serialize for WithoutJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            let word = word_of(self.0).unwrap_or_default();
            return Err(S::Error::custom(format_args!("{word} is a number that JSON has no word for")));
        }
        serializer.serialize_f64(self.0)
    }
}
