//! The rows of contract/values.json.

use std::collections::BTreeMap;
use std::fs;

use plugin_runner_client::{Client, Error, Run, Value};
use serde::Serialize;
use serde_json::Value as Json;

/// Texts are UTF-8 in Rust: this row cannot be written down.
const IMPOSSIBLE: &str = "a lone surrogate";

/// A value of the contract, with its marks written out.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Given {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Given>),
    Object(BTreeMap<String, Given>),
}

/// Every row comes back from an action in Python and from one in JavaScript.
pub async fn echo_all(client: &Client) {
    let rows = rows("echoed");
    assert!(!rows.is_empty());
    for row in rows {
        let given = Given::of(&row["value"]);
        for plugin in ["python-values", "javascript-values"] {
            let params = BTreeMap::from([("value", given.clone())]);
            let result = client.run(Run::new(plugin, "echo").params(params)).await.unwrap();
            assert!(given.is(&result), "{}: {plugin} returned {result} for {given:?}", row["name"]);
        }
    }
}

/// Every row is refused before anything is sent.
pub async fn refuse_all(client: &Client) {
    for row in rows("refused").iter().filter(|row| row["name"] != IMPOSSIBLE) {
        let params = BTreeMap::from([("value", Given::of(&row["value"]))]);
        let error = client.run(Run::new("any", "any").params(params)).await.unwrap_err();
        assert!(matches!(error, Error::Validation(_)), "{}: {error}", row["name"]);
        assert_eq!(error.reason(), row["reason"], "{}", row["name"]);
        let field = &error.violations()[0].field;
        if let Some(expected) = row["field"].as_str() {
            assert_eq!(field, expected, "{}", row["name"]);
        }
        assert!(field.starts_with("/params/value"), "{field}");
    }
}

fn rows(list: &str) -> Vec<Json> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/values.json");
    let contract: Json = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    contract[list].as_array().unwrap().clone()
}

impl Given {
    fn of(value: &Json) -> Self {
        if let Some(number) = value["$number"].as_str() {
            return match number {
                "NaN" => Self::Float(f64::NAN),
                "Infinity" => Self::Float(f64::INFINITY),
                "-Infinity" => Self::Float(f64::NEG_INFINITY),
                "-0" => Self::Float(-0.0),
                digits => Self::Integer(digits.parse().unwrap()),
            };
        }
        if let Some(levels) = value["levels"].as_u64() {
            let wrap = |inner| match value["$nest"].as_str() {
                Some("object") => Self::Object([("a".to_owned(), inner)].into()),
                _ => Self::List(vec![inner]),
            };
            return (0..levels).fold(Self::Integer(1), |inner, _| wrap(inner));
        }
        match value {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Self::Float(number.as_f64().unwrap()), Self::Integer)
            }
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Json::Object(members) => {
                Self::Object(members.iter().map(|(name, member)| (name.clone(), Self::of(member))).collect())
            }
        }
    }

    /// Whether a result is the same value.
    fn is(&self, result: &Value) -> bool {
        match (self, result) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(given), Value::Bool(found)) => given == found,
            (Self::Integer(given), found) => found.as_i64() == Some(*given),
            (Self::Float(given), Value::Number(found)) if given.is_nan() => found.is_nan(),
            (Self::Float(given), Value::Number(found)) => given.to_bits() == found.to_bits(),
            (Self::Text(given), Value::String(found)) => given == found,
            (Self::List(given), Value::List(found)) => {
                given.len() == found.len() && given.iter().zip(found).all(|(given, found)| given.is(found))
            }
            (Self::Object(given), Value::Object(found)) => {
                given.len() == found.len() && given.iter().all(|(name, given)| given.is(&found[name]))
            }
            _ => false,
        }
    }
}
