use serde::ser::{Impossible, Serialize, Serializer};

use super::Fault;

/// Serializes the key of a map: a text, or what has one plain text.
pub(crate) struct KeySerializer;

fn no_text<T>() -> Result<T, Fault> {
    Err(Fault("has a key that is no text, number or truth value".to_owned()))
}

macro_rules! plain {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, key: $type) -> Result<String, Fault> {
            Ok(key.to_string())
        })*
    };
}

impl Serializer for KeySerializer {
    type Ok = String;
    type Error = Fault;
    type SerializeSeq = Impossible<String, Fault>;
    type SerializeTuple = Impossible<String, Fault>;
    type SerializeTupleStruct = Impossible<String, Fault>;
    type SerializeTupleVariant = Impossible<String, Fault>;
    type SerializeMap = Impossible<String, Fault>;
    type SerializeStruct = Impossible<String, Fault>;
    type SerializeStructVariant = Impossible<String, Fault>;

    plain! {
        serialize_bool: bool,
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
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_str: &str,
    }

    fn serialize_bytes(self, _key: &[u8]) -> Result<String, Fault> {
        no_text()
    }

    fn serialize_none(self) -> Result<String, Fault> {
        no_text()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<String, Fault> {
        key.serialize(self)
    }

    fn serialize_unit(self) -> Result<String, Fault> {
        no_text()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<String, Fault> {
        no_text()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<String, Fault> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, key: &T) -> Result<String, Fault> {
        key.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _key: &T,
    ) -> Result<String, Fault> {
        no_text()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, Fault> {
        no_text()
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self::SerializeTuple, Fault> {
        no_text()
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Self::SerializeTupleStruct, Fault> {
        no_text()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Fault> {
        no_text()
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, Fault> {
        no_text()
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Self::SerializeStruct, Fault> {
        no_text()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, Fault> {
        no_text()
    }
}
