//! The texts of a message that stand for a number, turned back into it before anybody sees the message.

use std::mem;

use prost_types::{Struct, Value as Message, value::Kind};

use crate::proto::job_event::Payload;
use crate::proto::{Job, JobArtifact, JobError, JobEvent, JobMetrics, RunPluginResponse, ValidateParamsResponse};

/// A message whose texts may stand for numbers.
pub(crate) trait Restore {
    /// Turns those texts into the numbers, and forgets the pointers to them.
    fn restore(&mut self);
}

impl Restore for RunPluginResponse {
    fn restore(&mut self) {
        restore_value(self.result.as_mut(), &mut self.non_finite);
    }
}

impl Restore for ValidateParamsResponse {
    fn restore(&mut self) {
        restore_struct(self.params.as_mut(), &mut self.non_finite);
    }
}

impl Restore for Job {
    fn restore(&mut self) {
        restore_struct(self.params.as_mut(), &mut self.non_finite_params);
        restore_value(self.result.as_mut(), &mut self.non_finite_result);
        self.metrics.iter_mut().for_each(JobMetrics::restore);
        self.artifacts.iter_mut().for_each(JobArtifact::restore);
        if let Some(error) = &mut self.error {
            error.restore();
        }
    }
}

impl Restore for JobEvent {
    fn restore(&mut self) {
        match &mut self.payload {
            Some(Payload::Log(log)) => restore_struct(log.fields.as_mut(), &mut log.non_finite),
            Some(Payload::Metrics(metrics)) => metrics.restore(),
            Some(Payload::Artifact(artifact)) => artifact.restore(),
            Some(Payload::Result(result)) => restore_value(result.value.as_mut(), &mut result.non_finite),
            Some(Payload::Error(error)) => error.restore(),
            _ => {}
        }
    }
}

impl Restore for JobMetrics {
    fn restore(&mut self) {
        restore_struct(self.values.as_mut(), &mut self.non_finite);
    }
}

impl Restore for JobArtifact {
    fn restore(&mut self) {
        restore_struct(self.metadata.as_mut(), &mut self.non_finite);
    }
}

impl Restore for JobError {
    fn restore(&mut self) {
        restore_value(self.partial_result.as_mut(), &mut self.non_finite);
    }
}

fn restore_value(root: Option<&mut Message>, pointers: &mut Vec<String>) {
    let pointers = mem::take(pointers);
    let Some(root) = root else { return };
    for pointer in pointers {
        let steps: Vec<String> = steps_of(&pointer).collect();
        restore_at(root, &steps);
    }
}

fn restore_struct(root: Option<&mut Struct>, pointers: &mut Vec<String>) {
    let pointers = mem::take(pointers);
    let Some(root) = root else { return };
    for pointer in pointers {
        let mut steps = steps_of(&pointer);
        if let Some(member) = steps.next().and_then(|name| root.fields.get_mut(&name)) {
            let steps: Vec<String> = steps.collect();
            restore_at(member, &steps);
        }
    }
}

fn steps_of(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

fn restore_at(value: &mut Message, steps: &[String]) {
    let Some((step, rest)) = steps.split_first() else {
        if let Some(Kind::StringValue(word)) = &value.kind
            && let Some(number) = number_of(word)
        {
            value.kind = Some(Kind::NumberValue(number));
        }
        return;
    };
    let inner = match &mut value.kind {
        Some(Kind::StructValue(object)) => object.fields.get_mut(step),
        Some(Kind::ListValue(list)) => step.parse().ok().and_then(|at: usize| list.values.get_mut(at)),
        _ => None,
    };
    if let Some(inner) = inner {
        restore_at(inner, rest);
    }
}

fn number_of(word: &str) -> Option<f64> {
    match word {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;
    use crate::value::Value;

    #[test]
    fn only_the_texts_that_are_listed_become_numbers() {
        let list = Value::from(vec![Value::from(1.0), Value::Number(f64::NAN), "Infinity".into()]);
        let sent = Value::from([("a/b~c", list), ("x", Value::Number(f64::NEG_INFINITY))]);
        let Params { fields, non_finite } = Params::of(&sent).unwrap();
        assert_eq!(non_finite, ["/a~1b~0c/1", "/x"]);

        let mut metrics = JobMetrics { values: Some(fields), non_finite, ..JobMetrics::default() };
        metrics.restore();
        assert!(metrics.non_finite.is_empty());
        let values = Value::from(metrics.values);
        assert!(values["a/b~c"][1].as_f64().unwrap().is_nan());
        assert_eq!(values["a/b~c"][2], Value::from("Infinity"));
        assert_eq!(values["x"], Value::Number(f64::NEG_INFINITY));
    }

    #[test]
    fn a_whole_result_may_be_such_a_number() {
        let result = Some(Message { kind: Some(Kind::StringValue("NaN".to_owned())) });
        let mut response = RunPluginResponse { result, non_finite: vec![String::new()], ..Default::default() };
        response.restore();
        assert!(Value::from(response.result).as_f64().unwrap().is_nan());
    }

    #[test]
    fn a_pointer_to_something_else_changes_nothing() {
        let text = |word: &str| Some(Message { kind: Some(Kind::StringValue(word.to_owned())) });
        for pointers in [vec!["/0".to_owned()], vec!["/a/b".to_owned()]] {
            let mut response = RunPluginResponse { result: text("NaN"), non_finite: pointers, ..Default::default() };
            response.restore();
            assert_eq!(response.result, text("NaN"));
        }
    }
}
