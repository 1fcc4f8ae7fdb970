use std::borrow::Cow;
use std::fmt;

/// A step into a list or an object.
pub(crate) enum Step {
    Index(usize),
    Name(Cow<'static, str>),
}

/// Where in a value something is. Prints as a JSON pointer.
#[derive(Default)]
pub(crate) struct Place(Vec<Step>);

impl Place {
    pub(crate) fn enter(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(crate) fn leave(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Index(index) => write!(formatter, "/{index}")?,
                Step::Name(name) => write!(formatter, "/{}", name.replace('~', "~0").replace('/', "~1"))?,
            }
        }
        Ok(())
    }
}
