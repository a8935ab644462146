//! A look at an ONNX file before the runtime sees it: well formed, only operators that the card
//! names, no data outside the file, no tensor that claims more than the file holds.
//!
//! Why: the runtime folds constants and follows file names while it loads, so a few bytes can ask
//! for terabytes or for another file. Field numbers: onnx/onnx.proto of the ONNX project.

use std::fmt::Display;

/// More nodes than any model of an edge box has.
const MAX_NODES: usize = 10_000;

/// Checks a model. The error is the reason, in words.
pub fn inspect(model: &[u8], operators: &[String]) -> Result<(), String> {
    let mut graphs = 0;
    for field in Fields(model) {
        match field? {
            (7, Value::Bytes(graph)) => {
                graphs += 1;
                self::graph(graph, operators, model.len())?;
            }
            (20, _) => return Err("it carries training steps".into()),
            (25, _) => return Err("it carries functions of its own".into()),
            _ => {}
        }
    }
    if graphs == 1 { Ok(()) } else { Err("it is no ONNX model".into()) }
}

fn graph(graph: &[u8], operators: &[String], file_bytes: usize) -> Result<(), String> {
    let (mut nodes, mut outputs) = (0, 0);
    for field in Fields(graph) {
        match field? {
            (1, Value::Bytes(body)) => {
                nodes += 1;
                node(body, operators, file_bytes)?;
            }
            (5, Value::Bytes(body)) => tensor(body, file_bytes)?,
            (12, _) => outputs += 1,
            (15, _) => return Err("it has sparse weights".into()),
            _ => {}
        }
    }
    match (nodes, outputs) {
        (0, _) | (_, 0) => Err("it has no nodes or no outputs".into()),
        (1..=MAX_NODES, _) => Ok(()),
        _ => Err(format!("it has more than {MAX_NODES} nodes")),
    }
}

fn node(node: &[u8], operators: &[String], file_bytes: usize) -> Result<(), String> {
    let mut operator = "";
    for field in Fields(node) {
        match field? {
            (4, Value::Bytes(word)) => operator = text(word)?,
            (5, Value::Bytes(body)) => attribute(body, file_bytes)?,
            (7, Value::Bytes(domain)) if !matches!(text(domain)?, "" | "ai.onnx") => {
                return Err(format!("operator domain `{}` is foreign", text(domain)?.escape_debug()));
            }
            _ => {}
        }
    }
    if operators.iter().any(|known| known == operator) {
        Ok(())
    } else {
        Err(format!("operator `{}` is not on the card", operator.escape_debug()))
    }
}

fn attribute(attribute: &[u8], file_bytes: usize) -> Result<(), String> {
    for field in Fields(attribute) {
        match field? {
            (5 | 10, Value::Bytes(body)) => tensor(body, file_bytes)?,
            (6 | 11, _) => return Err("it has a graph within the graph".into()),
            (22 | 23, _) => return Err("it has sparse constants".into()),
            _ => {}
        }
    }
    Ok(())
}

fn tensor(tensor: &[u8], file_bytes: usize) -> Result<(), String> {
    let mut elements: u64 = 1;
    let mut dimension = |value: u64| {
        // A negative length arrives as a huge one.
        elements = elements.checked_mul(value).filter(|n| *n <= file_bytes as u64).ok_or(())?;
        Ok::<_, ()>(())
    };
    let too_large = |()| "a tensor claims more values than the file holds".to_owned();
    for field in Fields(tensor) {
        match field? {
            (1, Value::Number(value)) => dimension(value).map_err(too_large)?,
            (1, Value::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    dimension(varint(&mut packed)?).map_err(too_large)?;
                }
            }
            (13, _) | (14, Value::Number(1..)) => return Err("its weights are in another file".into()),
            _ => {}
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| damaged("text"))
}

fn damaged(what: impl Display) -> String {
    format!("the file is damaged ({what})")
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of one protobuf message: number and value.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), String> {
        let tag = varint(&mut self.0)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Other)?,
            2 => {
                let length = varint(&mut self.0)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Other)?,
            _ => return Err(damaged("wire type")),
        };
        Ok((tag >> 3, value))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], String> {
        let length = usize::try_from(length).map_err(|_| damaged("length"))?;
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(|| damaged("cut short"))?;
        self.0 = rest;
        Ok(head)
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(|| damaged("cut short"))?;
        *bytes = rest;
        value |= u64::from(byte & 127).checked_shl(shift).unwrap_or(0);
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(damaged("number"))
}
