use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;

use super::*;

fn refused(params: impl Serialize) -> (String, String) {
    let Refused { field, description } = Params::of(params).unwrap_err();
    (field, description)
}

fn sent(params: impl Serialize) -> Value {
    Value::from(Params::of(params).unwrap().fields)
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Empty,
    Circle(f64),
    Line(f64, f64),
    Box { width: u8 },
}

#[test]
fn every_kind_of_value_is_sent_as_json() {
    #[derive(Serialize)]
    struct Everything {
        shapes: Vec<Shape>,
        path: PathBuf,
        none: Option<u8>,
        by_id: HashMap<u32, bool>,
        pair: (char, f32),
    }
    let everything = Everything {
        shapes: vec![Shape::Empty, Shape::Circle(1.5), Shape::Line(1.0, 2.0), Shape::Box { width: 2 }],
        path: "/tmp/x".into(),
        none: None,
        by_id: [(7, true)].into(),
        pair: ('ü', 0.5),
    };
    let expected = json!({
        "shapes": ["empty", { "circle": 1.5 }, { "line": [1, 2] }, { "box": { "width": 2 } }],
        "path": "/tmp/x", "none": null, "by_id": { "7": true }, "pair": ["ü", 0.5],
    });
    assert_eq!(serde_json::Value::try_from(sent(everything)).unwrap(), expected);
    assert_eq!(sent(json!({ "a": -0.0 })).to_string(), r#"{"a":-0.0}"#);
    assert_eq!(sent(()), Value::Object(BTreeMap::new()));
}

#[test]
fn numbers_without_json_keep_their_place() {
    #[derive(Serialize)]
    struct Losses {
        all: Vec<f64>,
        shape: Shape,
        best: Value,
    }
    let all = vec![0.1, f64::NAN];
    let params = Losses { all, shape: Shape::Line(0.0, f64::INFINITY), best: Value::Number(f64::NEG_INFINITY) };
    let Params { fields, non_finite } = Params::of(params).unwrap();
    assert_eq!(non_finite, ["/all/1", "/shape/line/1", "/best"]);
    assert_eq!(Value::from(fields)["all"][1], Value::from("NaN"));
}

#[test]
fn an_integer_that_readers_of_json_change_is_refused_with_its_place() {
    assert_eq!(sent(json!({ "x": MAX_SAFE_INTEGER }))["x"].as_i64(), Some(MAX_SAFE_INTEGER));
    for number in [json!(9_007_199_254_740_992_i64), json!(-9_007_199_254_740_993_i64), json!(u64::MAX)] {
        let (field, description) = refused(json!({ "a/b": [{ "x": number }] }));
        assert_eq!(field, "/params/a~1b/0/x");
        assert!(description.contains(&number.to_string()), "{description}");
    }
    assert_eq!(refused(HashMap::from([("x", i128::MIN)])).0, "/params/x");
    assert_eq!(refused([("x", Shape::Empty)].map(|_| u64::MAX)).0, "/params/0");
}

#[test]
fn nesting_that_decoders_refuse_is_refused_with_its_place() {
    fn nested(levels: usize, wrap: fn(serde_json::Value) -> serde_json::Value) -> serde_json::Value {
        (0..levels).fold(json!(1), |inner, _| wrap(inner))
    }
    let (object, list): (fn(_) -> _, fn(_) -> _) = (|inner| json!({ "a": inner }), |inner| json!([inner]));
    assert!(Params::of(nested(31, object)).is_ok());
    assert_eq!(refused(nested(32, object)).0, format!("/params{}", "/a".repeat(31)));
    assert!(Params::of(json!({ "x": nested(46, list) })).is_ok());
    assert_eq!(refused(json!({ "x": nested(47, list) })).0, format!("/params/x{}", "/0".repeat(46)));
}

#[test]
fn the_limits_of_nesting_are_those_of_the_contract() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contract/limits.json");
    let limits: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for (name, limit) in
        [("message_levels", MAX_MESSAGES), ("object_levels", MESSAGES_OF_OBJECT), ("list_levels", MESSAGES_OF_LIST)]
    {
        assert_eq!(limits[name], limit, "{name}");
    }
}

#[test]
fn keys_that_become_equal_or_are_no_text_are_refused() {
    #[derive(Serialize, PartialEq, Eq, Hash)]
    #[serde(untagged)]
    enum Key {
        Number(i64),
        Text(&'static str),
        List(Vec<u8>),
    }
    let equal = HashMap::from([(Key::Number(1), 0), (Key::Text("1"), 0)]);
    let (field, description) = refused(HashMap::from([("by", equal)]));
    assert_eq!((field.as_str(), description.contains("another key")), ("/params/by/1", true));
    assert_eq!(refused(HashMap::from([("by", HashMap::from([(Key::List(vec![]), 0)]))])).0, "/params/by");
}

#[test]
fn what_cannot_be_serialized_says_where_it_is() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(ser::Error::custom("it is broken"))
        }
    }
    let (field, description) = refused(HashMap::from([("x", vec![Some(Broken)])]));
    assert_eq!((field.as_str(), description.as_str()), ("/params/x/0", "cannot be JSON: it is broken"));
    for params in [json!([1]), json!("text")] {
        assert_eq!(refused(params), ("/params".to_owned(), "must be an object".to_owned()));
    }
}

#[test]
fn what_serde_json_wraps_is_unwrapped() {
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::Number")]
    struct Digits {
        #[serde(rename = "$serde_json::private::Number")]
        digits: &'static str,
    }
    #[derive(Serialize)]
    #[serde(rename = "$serde_json::private::RawValue")]
    struct Raw {
        #[serde(rename = "$serde_json::private::RawValue")]
        text: &'static str,
    }
    assert_eq!(sent(HashMap::from([("x", Digits { digits: "1.5" })]))["x"], Value::Number(1.5));
    assert_eq!(refused(HashMap::from([("x", Digits { digits: "9007199254740993" })])).0, "/params/x");
    let raw = sent(HashMap::from([("x", Raw { text: "[1, {\"a\": null}]" })]));
    assert_eq!(raw["x"].to_string(), r#"[1,{"a":null}]"#);
}
