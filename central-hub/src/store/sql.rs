//! A statement with what is bound to it, before it is known which engine will run it.
//!
//! Parameters are written `$1`, `$2`: PostgreSQL's way, which SQLite's driver reads alike. One text serves
//! both engines where their dialects agree ([`sql`]), each has its own where they do not ([`sql_for`]).
//! A list is bound as one value: PostgreSQL gets an array (`= ANY($1)`, `unnest($1)`), SQLite the same
//! as JSON (`IN (SELECT value FROM json_each($1))`).

use std::borrow::Cow;

use hub_core::rights::Sites;
use sqlx::{SqlSafeStr, SqlStr};

/// A statement, bound and ready.
#[derive(Debug)]
pub struct Sql<'a> {
    pub(super) sqlite: SqlStr,
    pub(super) postgres: Option<SqlStr>,
    pub(super) values: Vec<Value<'a>>,
}

/// One text for both engines.
pub fn sql<'a>(text: impl SqlSafeStr) -> Sql<'a> {
    Sql { sqlite: text.into_sql_str(), postgres: None, values: Vec::new() }
}

/// Each engine's own text; the parameters are the same.
pub fn sql_for<'a>(sqlite: impl SqlSafeStr, postgres: impl SqlSafeStr) -> Sql<'a> {
    Sql { sqlite: sqlite.into_sql_str(), postgres: Some(postgres.into_sql_str()), values: Vec::new() }
}

impl<'a> Sql<'a> {
    /// The next parameter.
    #[must_use]
    pub fn bind(mut self, value: impl Bind<'a>) -> Self {
        self.values.push(value.value());
        self
    }
}

/// What is bound, as plainly as both engines can take it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null(Kind),
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Integers(Cow<'a, [i64]>),
    Texts(Cow<'a, [String]>),
}

/// What a value would be if it were there: PostgreSQL wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Integer,
    Real,
    Text,
    Bytes,
}

/// What can be bound.
pub trait Bind<'a> {
    const KIND: Kind;

    fn value(self) -> Value<'a>;
}

macro_rules! bind {
    ($($type:ty => $kind:ident, $value:ident, |$x:ident| $as:expr;)*) => {$(
        impl<'a> Bind<'a> for $type {
            const KIND: Kind = Kind::$kind;

            fn value(self) -> Value<'a> {
                let $x = self;
                Value::$value($as)
            }
        }
    )*};
}

bind! {
    bool => Boolean, Boolean, |x| x;
    i64 => Integer, Integer, |x| x;
    i32 => Integer, Integer, |x| x.into();
    u32 => Integer, Integer, |x| x.into();
    f64 => Real, Real, |x| x;
    f32 => Real, Real, |x| x.into();
    &'a i64 => Integer, Integer, |x| *x;
    &'a u32 => Integer, Integer, |x| (*x).into();
    &'a f64 => Real, Real, |x| *x;
    &'a f32 => Real, Real, |x| (*x).into();
    &'a str => Text, Text, |x| without_nul(x);
    &'a String => Text, Text, |x| without_nul(x);
    String => Text, Text, |x| if x.contains('\0') { x.replace('\0', REPLACED).into() } else { x.into() };
    &'a [u8] => Bytes, Bytes, |x| x.into();
    &'a Vec<u8> => Bytes, Bytes, |x| x.as_slice().into();
    Vec<u8> => Bytes, Bytes, |x| x.into();
    &'a [i64] => Integer, Integers, |x| x.into();
    &'a Vec<i64> => Integer, Integers, |x| x.as_slice().into();
    Vec<i64> => Integer, Integers, |x| x.into();
    &'a [String] => Text, Texts, |x| texts_without_nul(x.into());
    &'a Vec<String> => Text, Texts, |x| texts_without_nul(x.as_slice().into());
    Vec<String> => Text, Texts, |x| texts_without_nul(x.into());
}

impl<'a, T: Bind<'a>> Bind<'a> for Option<T> {
    const KIND: Kind = T::KIND;

    fn value(self) -> Value<'a> {
        self.map_or(Value::Null(T::KIND), T::value)
    }
}

impl<'a, T> Bind<'a> for &'a Option<T>
where
    &'a T: Bind<'a>,
{
    const KIND: Kind = <&'a T as Bind<'a>>::KIND;

    fn value(self) -> Value<'a> {
        self.as_ref().value()
    }
}

/// Sites as one parameter, none where it is all of them:
/// `($1 IS NULL OR replace($1, '/' || site || '/', '') <> $1)`. No id holds a `/`.
pub fn of_sites(sites: &Sites) -> Option<String> {
    match sites {
        Sites::All => None,
        Sites::Only(sites) => Some(sites.iter().map(|site| format!("/{site}/")).collect()),
    }
}

/// PostgreSQL's text holds no NUL. A box that sends one must not be told "again later" for ever.
const REPLACED: &str = "\u{fffd}";

fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', REPLACED).into() } else { text.into() }
}

fn texts_without_nul(mut texts: Cow<'_, [String]>) -> Cow<'_, [String]> {
    if texts.iter().any(|t| t.contains('\0')) {
        texts.to_mut().iter_mut().for_each(|t| *t = t.replace('\0', REPLACED));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_still_has_a_kind_and_text_has_no_nul() {
        assert_eq!(None::<&str>.value(), Value::Null(Kind::Text));
        assert_eq!((&None::<String>).value(), Value::Null(Kind::Text));
        assert_eq!(Some(7u32).value(), Value::Integer(7));
        assert_eq!("a\0b".value(), Value::Text("a\u{fffd}b".into()));
        assert_eq!(vec!["\0".to_owned()].value(), Value::Texts(vec!["\u{fffd}".to_owned()].into()));
    }
}
