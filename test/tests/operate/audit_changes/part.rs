//! The parts of what lies in Redis, and the single changes of each.

use std::collections::HashSet;

/// What a part of a value is: how another value of it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A number as eight bytes.
    Number,
    /// A number in digits.
    Digits,
    /// An id, or two of them.
    Id,
    /// Anything else: the version, a length, a word.
    Fixed,
}

/// A part of a value.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name.
    pub region: &'static str,
    /// What it is.
    pub form: Form,
    /// What lies there.
    pub bytes: Vec<u8>,
}

impl Part {
    /// A part with these bytes.
    pub fn new(region: &'static str, form: Form, bytes: impl AsRef<[u8]>) -> Part {
        Part { region, form, bytes: bytes.as_ref().to_vec() }
    }
}

/// One change of one part.
#[derive(Debug, Clone)]
pub struct Change {
    /// The place of the part.
    pub part: usize,
    /// What the new value is called: `another id`.
    pub class: &'static str,
    /// What lies there then.
    pub bytes: Vec<u8>,
}

/// All single changes of a value: two of each byte, and for numbers and words some of the whole.
pub fn changes(parts: &[Part]) -> Vec<Change> {
    let mut all = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let mut values: Vec<Vec<u8>> = Vec::new();
        for at in 0..part.bytes.len() {
            for other in [similar(part, at), part.bytes[at] ^ 0x80] {
                let mut bytes = part.bytes.clone();
                bytes[at] = other;
                values.push(bytes);
            }
        }
        match part.form {
            Form::Number => {
                let numbers = [f64::NAN, -1.0, 0.5, 9_007_199_254_740_992.0, f64::INFINITY, -0.0];
                values.extend(numbers.map(|number| number.to_le_bytes().to_vec()));
            }
            Form::Digits => values.extend(["", "-1", "1.5", "x", "9007199254740992"].map(|text| text.into())),
            Form::Fixed if part.bytes.first().is_some_and(u8::is_ascii_lowercase) => {
                let words =
                    ["open", "pending", "aborting", "paid", "reserved", "charged", "cancelled", "checkout", "pay"];
                let other = words.into_iter().filter(|word| word.len() == part.bytes.len());
                values.extend(other.map(|word| word.as_bytes().to_vec()));
            }
            Form::Fixed | Form::Id => {}
        }
        let mut seen = HashSet::from([part.bytes.clone()]);
        values.retain(|bytes| seen.insert(bytes.clone()));
        all.extend(values.into_iter().map(|bytes| Change { part: place, class: class(part, &bytes), bytes }));
    }
    if let Some(last) = parts.len().checked_sub(1) {
        let longer = [&parts[last].bytes[..], b"0"].concat();
        all.push(Change { part: last, class: longer_class(&parts[last]), bytes: longer });
        if let Some(shorter) = parts[last].bytes.split_last() {
            all.push(Change { part: last, class: "a byte less", bytes: shorter.1.to_vec() });
        }
    }
    all
}

fn longer_class(part: &Part) -> &'static str {
    if part.form == Form::Digits { "another number" } else { "a byte more" }
}

/// Another byte of the same kind, where that has kinds: the next digit or letter.
fn similar(part: &Part, at: usize) -> u8 {
    let byte = part.bytes[at];
    match (part.form, byte) {
        (Form::Id | Form::Digits, b'9') => b'0',
        (Form::Id | Form::Digits, b'0'..=b'8') | (Form::Id, b'a'..=b'e') => byte + 1,
        (Form::Id, b'f') => b'a',
        _ => byte ^ 1,
    }
}

/// What another value of a part is called.
fn class(part: &Part, bytes: &[u8]) -> &'static str {
    match part.form {
        Form::Number => {
            let number = f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            match number.to_bits() & !(1 << 63) {
                0x7ff8_0000_0000_0000 if part.bytes[7] & 0x7f == 0x7f => "none, of the other sign",
                0x7ff8_0000_0000_0000 => "none",
                _ if number.fract() == 0.0 && number.is_sign_positive() && number < 9_007_199_254_740_992.0 => {
                    let later = number - f64::from_le_bytes(part.bytes[..].try_into().expect("eight bytes"));
                    match part.region {
                        // A deadline is later than its lease, and not by much: 3 s in each cell.
                        "deadline" if -3_000.0 < later && later < 237_000.0 => "a near moment",
                        "lease" if -237_000.0 < later && later < 3_000.0 => "a near moment",
                        _ => "another number",
                    }
                }
                _ => "no amount",
            }
        }
        Form::Digits => {
            let text = String::from_utf8_lossy(bytes);
            let is_number = text.parse::<u64>().is_ok_and(|number| number < 1 << 53 && number.to_string() == text);
            if is_number { "another number" } else { "no amount" }
        }
        Form::Id => id_class(&part.bytes, bytes),
        Form::Fixed => "another byte or word",
    }
}

/// What another id is called: of a pair, by the id that differs.
fn id_class(before: &[u8], after: &[u8]) -> &'static str {
    let [before, after] = [before, after].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    if !after.split('/').all(is_id) || before.is_empty() || before.matches('/').count() != after.matches('/').count() {
        return "no id";
    }
    let differing = before.split('/').zip(after.split('/')).find(|(one, other)| one != other);
    let Some((before, after)) = differing else { return "another id" };
    match (minted(before), minted(after)) {
        (None, _) => "another id",
        (Some(_), None) => "an id of another form",
        (Some((one, _)), Some((other, _))) if one != other => "an id of another shard",
        (Some((_, one)), Some((_, other))) if other + 1_000 <= one => "an earlier id",
        (Some((_, one)), Some((_, other))) if one + 1_000 <= other => "a later id",
        _ => "another id",
    }
}

/// The shard and the milliseconds of a minted id.
fn minted(id: &str) -> Option<(u64, u64)> {
    let places = id.len() == 36 && [8, 13, 18, 23].iter().all(|at| id.as_bytes()[*at] == b'-');
    let digits = id.replace('-', "");
    let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let is_minted = places && digits.len() == 32 && digits.bytes().all(|byte| !byte.is_ascii_uppercase());
    let (ms, version, upper, variant) =
        (number(digits.get(..12)?)?, digits.get(12..13)?, number(digits.get(13..16)?)?, number(digits.get(16..20)?)?);
    number(digits.get(20..)?)?;
    (is_minted && version == "8" && variant >> 14 == 2).then_some((upper << 4 | variant >> 10 & 0xf, ms))
}
