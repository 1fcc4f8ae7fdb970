//! Params as they are sent: exact, or refused with their place.

mod key;
mod place;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Display};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_types::{ListValue, Struct, Value as Message, value::Kind};
use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::params::key::KeySerializer;
use crate::params::place::{Place, Step};
use crate::value::{MAX_SAFE_INTEGER, Value, number_named, word_of};

/// The params of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    pub(crate) fields: Struct,
    /// Pointers to the texts that stand for a number.
    pub(crate) non_finite: Vec<String>,
}

/// Why params cannot be sent, and which of them.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) field: String,
    pub(crate) description: String,
}

impl Params {
    /// The params that a value serializes to.
    pub(crate) fn of(params: impl Serialize) -> Result<Self, Refused> {
        let mut context = Context::default();
        let refused = |place: &Place, description: String| Refused { field: format!("/params{place}"), description };
        let message = match params.serialize(Encoder { context: &mut context, spent: 0 }) {
            Ok(message) => message,
            Err(Fault(description)) => return Err(refused(&context.place, description)),
        };
        match message.kind {
            Some(Kind::StructValue(fields)) => Ok(Self { fields, non_finite: context.non_finite }),
            Some(Kind::NullValue(_)) => Ok(Self::default()),
            _ => Err(refused(&Place::default(), "must be an object".to_owned())),
        }
    }
}

/// How many messages may lie in each other, so that every decoder takes them also in the events of a job: it stops at
/// 100, and the event's own are 5.
const MAX_MESSAGES: usize = 95;
const MESSAGES_OF_OBJECT: usize = 3;
const MESSAGES_OF_LIST: usize = 2;

#[derive(Default)]
struct Context {
    /// Where the encoder is; where it stopped, after a fault.
    place: Place,
    non_finite: Vec<String>,
}

/// What is wrong with the value at the context's place.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl ser::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self(format!("cannot be JSON: {message}"))
    }
}

/// Serializes one value. `spent` counts the messages around it.
struct Encoder<'a> {
    context: &'a mut Context,
    spent: usize,
}

impl<'a> Encoder<'a> {
    fn number(self, number: f64) -> Message {
        let Some(word) = word_of(number) else { return message(Kind::NumberValue(number)) };
        self.context.non_finite.push(self.context.place.to_string());
        message(Kind::StringValue(word.to_owned()))
    }

    fn spend(&self, messages: usize) -> Result<usize, Fault> {
        let spent = self.spent + messages;
        if spent > MAX_MESSAGES {
            let limit = "is nested deeper than 95 messages, of which an object counts 3 and a list 2";
            return Err(Fault(limit.to_owned()));
        }
        Ok(spent)
    }

    fn items(self) -> Result<Items<'a>, Fault> {
        let spent = self.spend(MESSAGES_OF_LIST)?;
        Ok(Items { context: self.context, spent, values: Vec::new(), variant: None })
    }

    fn members(self, form: Form) -> Result<Members<'a>, Fault> {
        let spent = self.spend(MESSAGES_OF_OBJECT)?;
        Ok(Members { context: self.context, spent, fields: BTreeMap::new(), name: None, form })
    }

    /// Inside of the one member that a variant with content is.
    fn variant(self, name: &'static str) -> Result<Self, Fault> {
        let spent = self.spend(MESSAGES_OF_OBJECT)?;
        self.context.place.enter(Step::Name(Cow::Borrowed(name)));
        Ok(Encoder { context: self.context, spent })
    }
}

fn message(kind: Kind) -> Message {
    Message { kind: Some(kind) }
}

fn object(fields: BTreeMap<String, Message>) -> Message {
    message(Kind::StructValue(Struct { fields }))
}

fn integer<T: Copy + Display + TryInto<i64>>(value: T) -> Result<Message, Fault> {
    match value.try_into() {
        #[expect(clippy::cast_precision_loss, reason = "only of what an f64 holds exactly")]
        Ok(number) if number.abs_diff(0) <= MAX_SAFE_INTEGER.unsigned_abs() => {
            Ok(message(Kind::NumberValue(number as f64)))
        }
        _ => Err(Fault(format!(
            "is the integer {value}; those beyond ±(2^53 - 1) are not exact in JSON: send it as a text"
        ))),
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<Message, Fault> {
            integer(value)
        })*
    };
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = Message;
    type Error = Fault;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    integers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
    }

    fn serialize_bool(self, value: bool) -> Result<Message, Fault> {
        Ok(message(Kind::BoolValue(value)))
    }

    fn serialize_f32(self, value: f32) -> Result<Message, Fault> {
        Ok(self.number(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Result<Message, Fault> {
        Ok(self.number(value))
    }

    fn serialize_char(self, value: char) -> Result<Message, Fault> {
        Ok(message(Kind::StringValue(value.into())))
    }

    fn serialize_str(self, value: &str) -> Result<Message, Fault> {
        Ok(message(Kind::StringValue(value.to_owned())))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Message, Fault> {
        Ok(message(Kind::StringValue(STANDARD.encode(value))))
    }

    fn serialize_none(self) -> Result<Message, Fault> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Message, Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Message, Fault> {
        Ok(message(Kind::NullValue(0)))
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Message, Fault> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<Message, Fault> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<Message, Fault> {
        match number_named(name) {
            Some(number) => Ok(self.number(number)),
            None => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Message, Fault> {
        let Encoder { context, spent } = self.variant(variant)?;
        let member = value.serialize(Encoder { context: &mut *context, spent })?;
        context.place.leave();
        Ok(object([(variant.to_owned(), member)].into()))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items<'a>, Fault> {
        self.items()
    }

    fn serialize_tuple(self, _len: usize) -> Result<Items<'a>, Fault> {
        self.items()
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Items<'a>, Fault> {
        self.items()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Items<'a>, Fault> {
        let items = self.variant(variant)?.items()?;
        Ok(Items { variant: Some(variant), ..items })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Members<'a>, Fault> {
        self.members(Form::Object)
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Members<'a>, Fault> {
        self.members(match name {
            "$serde_json::private::Number" => Form::Number,
            "$serde_json::private::RawValue" => Form::Raw,
            _ => Form::Object,
        })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Members<'a>, Fault> {
        self.variant(variant)?.members(Form::Variant(variant))
    }
}

/// Serializes the items of a list.
struct Items<'a> {
    context: &'a mut Context,
    spent: usize,
    values: Vec<Message>,
    /// The member that the list is of, when it is the content of a variant.
    variant: Option<&'static str>,
}

impl Items<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.context.place.enter(Step::Index(self.values.len()));
        self.values.push(value.serialize(Encoder { context: &mut *self.context, spent: self.spent })?);
        self.context.place.leave();
        Ok(())
    }

    fn list(self) -> Message {
        let list = message(Kind::ListValue(ListValue { values: self.values }));
        let Some(variant) = self.variant else { return list };
        self.context.place.leave();
        object([(variant.to_owned(), list)].into())
    }
}

/// What the members make.
#[derive(Clone, Copy)]
enum Form {
    Object,
    /// An object, which is itself the one member of another.
    Variant(&'static str),
    /// A number of `serde_json`, whose digits are in the one member.
    Number,
    /// Any value of `serde_json`, whose text is in the one member.
    Raw,
}

/// Serializes the members of an object.
struct Members<'a> {
    context: &'a mut Context,
    spent: usize,
    fields: BTreeMap<String, Message>,
    name: Option<String>,
    form: Form,
}

impl Members<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, name: Cow<'static, str>, value: &T) -> Result<(), Fault> {
        let key = name.clone().into_owned();
        // The step of `serde_json`'s own wrappers is none of the value's place.
        let wrapper = matches!(self.form, Form::Number | Form::Raw);
        if !wrapper {
            self.context.place.enter(Step::Name(name));
        }
        let member = value.serialize(Encoder { context: &mut *self.context, spent: self.spent })?;
        if self.fields.insert(key, member).is_some() {
            return Err(Fault("has a name that another key of the map has as well".to_owned()));
        }
        if !wrapper {
            self.context.place.leave();
        }
        Ok(())
    }

    fn finish(self) -> Result<Message, Fault> {
        match self.form {
            Form::Object => Ok(object(self.fields)),
            Form::Variant(name) => {
                self.context.place.leave();
                Ok(object([(name.to_owned(), object(self.fields))].into()))
            }
            Form::Number | Form::Raw => {
                let encoder = Encoder { context: self.context, spent: self.spent - MESSAGES_OF_OBJECT };
                let text = self.fields.into_values().find_map(|field| match field.kind {
                    Some(Kind::StringValue(text)) => Some(text),
                    _ => None,
                });
                of_json_text(&text.unwrap_or_default(), encoder)
            }
        }
    }
}

/// A text of JSON as its value; an integer keeps its digits until they are judged.
fn of_json_text(text: &str, encoder: Encoder<'_>) -> Result<Message, Fault> {
    if let Ok(whole) = text.parse::<i128>() {
        return integer(whole);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return Err(Fault(format!("is the integer {text}, which is not exact in JSON: send it as a text")));
    }
    let value: Value = serde_json::from_str(text).map_err(ser::Error::custom)?;
    value.serialize(encoder)
}

impl SerializeSeq for Items<'_> {
    type Ok = Message;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.add(value)
    }

    fn end(self) -> Result<Message, Fault> {
        Ok(self.list())
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = Message;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.add(value)
    }

    fn end(self) -> Result<Message, Fault> {
        Ok(self.list())
    }
}

impl SerializeTupleStruct for Items<'_> {
    type Ok = Message;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.add(value)
    }

    fn end(self) -> Result<Message, Fault> {
        Ok(self.list())
    }
}

impl SerializeTupleVariant for Items<'_> {
    type Ok = Message;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.add(value)
    }

    fn end(self) -> Result<Message, Fault> {
        Ok(self.list())
    }
}

impl SerializeMap for Members<'_> {
    type Ok = Message;
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.name = Some(key.serialize(KeySerializer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let name = self.name.take().unwrap_or_default();
        self.add(Cow::Owned(name), value)
    }

    fn end(self) -> Result<Message, Fault> {
        self.finish()
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = Message;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.add(Cow::Borrowed(name), value)
    }

    fn end(self) -> Result<Message, Fault> {
        self.finish()
    }
}

impl SerializeStructVariant for Members<'_> {
    type Ok = Message;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.add(Cow::Borrowed(name), value)
    }

    fn end(self) -> Result<Message, Fault> {
        self.finish()
    }
}

#[cfg(test)]
mod tests;
