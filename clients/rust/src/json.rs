//! JSON as [`serde_json`] has it, from and to the messages that carry it.

use prost_types::{ListValue, Struct, Value as Message, value::Kind};
use serde_json::{Map, Number, Value};

/// The JSON that a message carries. A number without a fraction becomes an integer.
#[must_use]
pub fn from_value(message: Message) -> Value {
    match message.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(from_value).collect(),
        Some(Kind::StructValue(fields)) => Value::Object(from_struct(fields)),
    }
}

/// The JSON object that a message carries.
#[must_use]
pub fn from_struct(message: Struct) -> Map<String, Value> {
    message.fields.into_iter().map(|(name, value)| (name, from_value(value))).collect()
}

/// The message that carries a value. Numbers have the precision of a double there.
#[must_use]
pub fn to_value(value: Value) -> Message {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(f64::NAN)),
        Value::String(value) => Kind::StringValue(value),
        Value::Array(values) => Kind::ListValue(ListValue { values: values.into_iter().map(to_value).collect() }),
        Value::Object(fields) => Kind::StructValue(to_struct(fields)),
    };
    Message { kind: Some(kind) }
}

/// The message that carries an object.
#[must_use]
pub fn to_struct(object: Map<String, Value>) -> Struct {
    Struct { fields: object.into_iter().map(|(name, value)| (name, to_value(value))).collect() }
}

#[expect(clippy::cast_possible_truncation, reason = "only of what an i64 holds exactly")]
fn number(value: f64) -> Value {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if value.fract() == 0.0 && (-LIMIT..LIMIT).contains(&value) {
        Value::from(value as i64)
    } else {
        Number::from_f64(value).map_or(Value::Null, Value::Number)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_without_a_fraction_are_integers() {
        for (value, expected) in [
            (5.0, json!(5)),
            (-0.0, json!(0)),
            (0.5, json!(0.5)),
            (1e300, json!(1e300)),
            (-9_007_199_254_740_991.0, json!(-9_007_199_254_740_991_i64)),
            (9_223_372_036_854_775_808.0, json!(9_223_372_036_854_775_808.0)),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn what_goes_out_comes_back() {
        let value = json!({ "a": [null, true, 1, 1.5, "ü", {}, []], "b": { "": -3 } });
        assert_eq!(from_value(to_value(value.clone())), value);
        assert_eq!(from_value(Message { kind: None }), Value::Null);
    }
}
