//! What results are made of: JSON, and the numbers that JSON has no word for.

mod de;
mod ser;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;

use prost_types::{Struct, Value as Message, value::Kind};
use serde::de::DeserializeOwned;

use crate::error::Error;

pub(crate) use self::ser::number_named;

/// The largest integer that every reader of JSON holds exactly; its negative is the smallest.
pub(crate) const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// JSON, whose numbers may also be not a number or infinite.
///
/// It [deserializes](Self::to) into types of the caller's, prints itself as JSON, and can be indexed: what is absent is
/// null. Given as params, it arrives as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    String(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Object(BTreeMap<String, Value>),
}

static NULL: Value = Value::Null;

impl Value {
    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value, if it is true or false.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(value) = self { Some(*value) } else { None }
    }

    /// The number, if it is an integer within ±(2^53 − 1).
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_f64().and_then(integer)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The members by name, if it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The same as a type of the caller's. Numbers without JSON become an `f64` or a [`Value`], and nothing else.
    ///
    /// # Errors
    ///
    /// An [`Error::Execution`] when it is of another type.
    pub fn to<T: DeserializeOwned>(self) -> Result<T, Error> {
        T::deserialize(de::ValueDeserializer::new(self))
            .map_err(|error| Error::local(format!("The value is of another type than expected: {error}"), error))
    }
}

/// The number as an integer, where every reader of JSON takes it for the same one.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "only of what an i64 holds exactly")]
pub(crate) fn integer(number: f64) -> Option<i64> {
    let negative_zero = number == 0.0 && number.is_sign_negative();
    let safe = number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64 && !negative_zero;
    safe.then_some(number as i64)
}

/// The word for a number that JSON has none for.
pub(crate) fn word_of(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number.is_infinite() {
        Some(if number > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        None
    }
}

impl Index<&str> for Value {
    type Output = Value;

    /// The member with a name, or null.
    fn index(&self, name: &str) -> &Value {
        self.as_object().and_then(|members| members.get(name)).unwrap_or(&NULL)
    }
}

impl Index<usize> for Value {
    type Output = Value;

    /// The item at a position, or null.
    fn index(&self, at: usize) -> &Value {
        self.as_list().and_then(|items| items.get(at)).unwrap_or(&NULL)
    }
}

/// Prints JSON; numbers that JSON has no word for as `NaN`, `Infinity` and `-Infinity`.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("null"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Number(value) => match (word_of(*value), integer(*value)) {
                (Some(word), _) => formatter.write_str(word),
                (None, Some(integer)) => write!(formatter, "{integer}"),
                (None, None) => write!(formatter, "{}", serde_json::Value::from(*value)),
            },
            Self::String(text) => write!(formatter, "{}", quoted(text)),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(formatter, "{}{item}", if at == 0 { "" } else { "," })?;
                }
                formatter.write_str("]")
            }
            Self::Object(members) => {
                formatter.write_str("{")?;
                for (at, (name, member)) in members.iter().enumerate() {
                    write!(formatter, "{}{}:{member}", if at == 0 { "" } else { "," }, quoted(name))?;
                }
                formatter.write_str("}")
            }
        }
    }
}

fn quoted(text: &str) -> serde_json::Value {
    serde_json::Value::from(text)
}

impl From<Message> for Value {
    fn from(message: Message) -> Self {
        match message.kind {
            None | Some(Kind::NullValue(_)) => Self::Null,
            Some(Kind::BoolValue(value)) => Self::Bool(value),
            Some(Kind::NumberValue(value)) => Self::Number(value),
            Some(Kind::StringValue(value)) => Self::String(value),
            Some(Kind::ListValue(list)) => Self::List(list.values.into_iter().map(Self::from).collect()),
            Some(Kind::StructValue(fields)) => Self::from(fields),
        }
    }
}

impl From<Struct> for Value {
    fn from(message: Struct) -> Self {
        Self::Object(message.fields.into_iter().map(|(name, value)| (name, Self::from(value))).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, T: Into<Value>, const N: usize> From<[(K, T); N]> for Value {
    fn from(members: [(K, T); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

/// Fails for a number that JSON has no word for.
impl TryFrom<Value> for serde_json::Value {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self, Error> {
        value.to()
    }
}

#[cfg(test)]
mod tests;
