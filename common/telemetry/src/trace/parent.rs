//! W3C Trace Context: `traceparent`, and what travels of it with an operation.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The form in which it is written: version, trace, parent and flags, in lower case hexadecimal digits.
const LENGTH: usize = 55;
/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

/// A place in a trace: what is done next is a part of this span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The whole trace. Not 0.
    pub trace: u128,
    /// The span. Not 0.
    pub span: u64,
    /// Whether the trace is recorded by those who can.
    pub sampled: bool,
}

impl TraceParent {
    /// A new trace.
    pub fn begin(sampled: bool) -> Self {
        TraceParent { trace: fastrand::u128(1..), span: new_span(), sampled }
    }

    /// A new span of the same trace.
    pub fn child(self) -> Self {
        TraceParent { span: new_span(), ..self }
    }
}

/// The id of a new span.
pub fn new_span() -> u64 {
    fastrand::u64(1..)
}

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no traceparent of W3C Trace Context")]
pub struct InvalidTraceParent;

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let bytes = text.as_bytes();
        let known = bytes.len() == LENGTH || (bytes.get(LENGTH) == Some(&b'-') && !text.starts_with("00"));
        if !known || [2, 35, 52].iter().any(|place| bytes[*place] != b'-') || text.starts_with("ff") {
            return Err(InvalidTraceParent);
        }
        hexadecimal(&bytes[..2])?;
        let trace = hexadecimal(&bytes[3..35])?;
        let span = u64::try_from(hexadecimal(&bytes[36..52])?).map_err(|_| InvalidTraceParent)?;
        let flags = hexadecimal(&bytes[53..55])?;
        if trace == 0 || span == 0 {
            return Err(InvalidTraceParent);
        }
        Ok(TraceParent { trace, span, sampled: flags & u128::from(SAMPLED) != 0 })
    }
}

/// Lower case only, as the standard wants it.
fn hexadecimal(digits: &[u8]) -> Result<u128, InvalidTraceParent> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number << 4 | u128::from(digit - b'0')),
        b'a'..=b'f' => Ok(number << 4 | u128::from(digit - b'a' + 10)),
        _ => Err(InvalidTraceParent),
    })
}

impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand: it is written for every operation, and formatting costs several times as much.
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_digits(&mut text[3..35], self.trace);
        write_digits(&mut text[36..52], self.span.into());
        text[54] += u8::from(self.sampled) * SAMPLED;
        formatter.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

fn write_digits(place: &mut [u8], mut number: u128) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

/// What a request is called in logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestName {
    /// As its client, or a gateway, has named it with `X-Request-Id`.
    Given(Arc<str>),
    /// By its span.
    Span(u64),
}

impl RequestName {
    /// The name that was given, if it is a plain one; else that of the span.
    pub fn given(name: &str, parent: TraceParent) -> Self {
        match shardcart_types::ids::check(name) {
            Ok(()) => RequestName::Given(Arc::from(name)),
            Err(_) => RequestName::Span(parent.span),
        }
    }
}

impl fmt::Display for RequestName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestName::Given(name) => formatter.write_str(name),
            RequestName::Span(span) => write!(formatter, "{span:016x}"),
        }
    }
}

/// What an operation comes from: a place in a trace, and a request.
///
/// Written as one text: the `traceparent`, a space, and the request's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The place in the trace.
    pub parent: TraceParent,
    /// The request.
    pub request: RequestName,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.parent, self.request)
    }
}

impl Origin {
    /// Reads what was written; `None` for anything else. A `traceparent` alone will do.
    pub fn parse(text: &str) -> Option<Self> {
        let (parent, request) = text.split_once(' ').unwrap_or((text, ""));
        let parent = parent.parse().ok()?;
        Some(Origin { parent, request: RequestName::given(request, parent) })
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// For [`serde`]: what cannot be read is no reason to refuse the operation, and counts as absent. An earlier release
/// passed on whatever its client had sent.
///
/// # Errors
/// Those of the deserializer: not a text.
pub fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Origin>, D::Error> {
    let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    Ok(text.and_then(|text| Origin::parse(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_and_written() {
        let parent: TraceParent = TEXT.parse().unwrap();
        assert_eq!(parent.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((parent.span, parent.sampled), (0xb7ad_6b71_6920_3331, true));
        assert_eq!(parent.to_string(), TEXT);
        assert!(!TEXT.replace("-01", "-00").parse::<TraceParent>().unwrap().sampled);
        let begun = TraceParent::begin(false);
        assert_eq!(begun.to_string().parse(), Ok(begun));
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let parent = TEXT.parse::<TraceParent>();
        assert_eq!(TEXT.replacen("00", "cc", 1).parse(), parent);
        assert_eq!(format!("{}-what-comes", TEXT.replacen("00", "cc", 1)).parse(), parent);
    }

    #[test]
    fn anything_else_is_refused() {
        let zero_trace = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        let zero_span = "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01";
        let longer = format!("{TEXT}-more");
        let upper = TEXT.to_uppercase();
        let unknown = TEXT.replacen("00", "ff", 1);
        let joined = format!("{TEXT}1");
        let wide = format!("ü{}", &TEXT[2..]);
        for bad in ["", "00", zero_trace, zero_span, &longer, &upper, &unknown, &joined, &TEXT[..54], &wide] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_keeps_the_name_of_its_request() {
        let named = Origin::parse(&format!("{TEXT} req-1")).unwrap();
        assert_eq!(named.to_string(), format!("{TEXT} req-1"));
        let unnamed = format!("{TEXT} b7ad6b7169203331");
        assert_eq!(Origin::parse(TEXT).unwrap().to_string(), unnamed);
        assert_eq!(Origin::parse(&format!("{TEXT} two words")).unwrap().to_string(), unnamed);
        assert_eq!(Origin::parse("what a client may send"), None);
    }
}
