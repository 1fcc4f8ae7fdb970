use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

use super::*;

fn diverged() -> Value {
    Value::from([("loss", Value::Number(f64::NAN)), ("best", Value::Number(f64::NEG_INFINITY)), ("name", "NaN".into())])
}

#[test]
fn integers_are_those_that_every_reader_holds() {
    for (number, expected) in [
        (5.0, Some(5)),
        (9_007_199_254_740_991.0, Some(MAX_SAFE_INTEGER)),
        (-9_007_199_254_740_991.0, Some(-MAX_SAFE_INTEGER)),
        (9_007_199_254_740_992.0, None),
        (-0.0, None),
        (0.5, None),
        (1e300, None),
        (f64::NAN, None),
    ] {
        assert_eq!(Value::Number(number).as_i64(), expected, "{number}");
    }
}

#[test]
fn it_prints_json_and_says_what_json_cannot() {
    let value = Value::from([("a", Value::from(vec![1.0, -0.0, 0.5, f64::INFINITY])), ("b\"", Value::Null)]);
    assert_eq!(value.to_string(), r#"{"a":[1,-0.0,0.5,Infinity],"b\"":null}"#);
    assert_eq!(diverged().to_string(), r#"{"best":-Infinity,"loss":NaN,"name":"NaN"}"#);
}

#[test]
fn numbers_without_json_become_floats_and_never_null() {
    #[derive(Deserialize)]
    struct Metrics {
        loss: f64,
        best: Option<f32>,
        name: String,
    }
    let metrics: Metrics = diverged().to().unwrap();
    assert!(metrics.loss.is_nan() && metrics.best == Some(f32::NEG_INFINITY) && metrics.name == "NaN");

    let values: HashMap<String, Value> = diverged().to().unwrap();
    assert_eq!(values["best"], Value::Number(f64::NEG_INFINITY));

    let message = diverged().to::<serde_json::Value>().unwrap_err().to_string();
    assert!(message.contains("-Infinity is a number that JSON has no word for"), "{message}");
    assert!(serde_json::Value::try_from(diverged()).is_err());
    assert!(serde_json::to_string(&diverged()).is_err());
}

#[test]
fn it_becomes_every_kind_of_type() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Empty,
        Circle(f64),
        Box { width: u8 },
    }
    let json = json!({ "shapes": ["empty", { "circle": 1 }, { "box": { "width": 2 } }], "by_id": { "7": true } });
    let value: Value = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::Value::try_from(value.clone()).unwrap(), json);
    let shapes: Vec<Shape> = value["shapes"].clone().to().unwrap();
    assert_eq!(shapes, [Shape::Empty, Shape::Circle(1.0), Shape::Box { width: 2 }]);
    assert_eq!(value["by_id"].clone().to::<HashMap<u64, bool>>().unwrap(), HashMap::from([(7, true)]));
    assert_eq!(value["absent"][3], Value::Null);
    assert!(Value::Number(1.5).to::<i64>().is_err());
    assert!(serde_json::from_str::<Value>("9007199254740993").is_err());
}
