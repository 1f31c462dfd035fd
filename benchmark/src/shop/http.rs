//! The little of HTTP/1.1 that a load generator needs: a request in bytes, and one whole answer out of bytes.
//!
//! Parsing keeps no state between reads: an answer that is not whole yet is parsed again from its start when
//! more has arrived. Answers here are a few hundred bytes and nearly always come in one piece.

use std::fmt::Write as _;

/// The largest answer that is read, in bytes of head and body together.
pub const ANSWER_MAX: usize = 1 << 20;

/// An answer that breaks the protocol, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed answer: {0}")]
pub struct Malformed(String);

/// One whole answer; its body is in the buffer given to [`parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed {
    /// The status code.
    pub status: u16,
    /// Whether the connection may be used for another request.
    pub keep_alive: bool,
    /// How many of the received bytes the answer takes.
    pub length: usize,
}

/// Writes a request without a body into `request`, replacing what was there.
pub fn write_request(request: &mut String, method: &str, path: &str, host: &str) {
    request.clear();
    // Writing to a string cannot fail.
    let _ = write!(request, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
}

/// Reads the answer at the start of `received`, leaving its body in `body`. `ended` says that the server has closed
/// the connection. `None`: more must be read.
///
/// # Errors
/// The bytes are not an answer, are longer than [`ANSWER_MAX`], or end in the middle of one.
pub fn parse(received: &[u8], ended: bool, body: &mut Vec<u8>) -> Result<Option<Parsed>, Malformed> {
    match parse_final(received, ended, body)? {
        None if ended => malformed("the connection was closed in the middle"),
        None if received.len() > ANSWER_MAX => malformed("too long"),
        answer => Ok(answer),
    }
}

fn parse_final(received: &[u8], ended: bool, body: &mut Vec<u8>) -> Result<Option<Parsed>, Malformed> {
    let mut start = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        start += match head.parse(&received[start..]) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return malformed(error.to_string()),
        };
        let (Some(status), Some(version)) = (head.code, head.version) else {
            return malformed("no status line");
        };
        if (100..200).contains(&status) {
            continue; // An interim answer: the real one follows.
        }

        let framing = Framing::of(status, version, head.headers)?;
        let Some(body_length) = framing.body.read(&received[start..], ended, body)? else {
            return Ok(None);
        };
        let keep_alive = framing.keep_alive && !ended;
        return Ok(Some(Parsed { status, keep_alive, length: start + body_length }));
    }
}

enum Body {
    Sized(usize),
    Chunked,
    UntilClose,
}

impl Body {
    /// Copies the body out of what follows the head, and tells how many bytes it takes there.
    fn read(&self, rest: &[u8], ended: bool, body: &mut Vec<u8>) -> Result<Option<usize>, Malformed> {
        let length = match *self {
            Self::Chunked => return dechunk(rest, body),
            Self::Sized(length) => length,
            Self::UntilClose if ended => rest.len(),
            Self::UntilClose => return Ok(None),
        };
        let Some(whole) = rest.get(..length) else {
            return Ok(None);
        };
        body.clear();
        body.extend_from_slice(whole);
        Ok(Some(length))
    }
}

/// How an answer ends, and whether another may follow it.
struct Framing {
    body: Body,
    keep_alive: bool,
}

impl Framing {
    fn of(status: u16, version: u8, headers: &[httparse::Header<'_>]) -> Result<Self, Malformed> {
        let mut length = None;
        let mut chunked = false;
        let mut keep_alive = version == 1;
        for header in headers {
            let value = str::from_utf8(header.value).unwrap_or_default().trim();
            if header.name.eq_ignore_ascii_case("content-length") {
                match value.parse::<usize>() {
                    Ok(bytes) if bytes <= ANSWER_MAX => length = Some(bytes),
                    _ => return malformed(format!("content-length {value}")),
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.to_ascii_lowercase().ends_with("chunked");
            } else if header.name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                keep_alive = false;
            }
        }
        // The order of RFC 9112, section 6.3.
        let body = match length {
            _ if status == 204 || status == 304 => Body::Sized(0),
            _ if chunked => Body::Chunked,
            Some(bytes) => Body::Sized(bytes),
            None => Body::UntilClose,
        };
        Ok(Self { body, keep_alive })
    }
}

/// Puts the chunks at the start of `bytes` together, and tells how many bytes they took, trailers included.
fn dechunk(bytes: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>, Malformed> {
    body.clear();
    let mut at = 0;
    loop {
        let (start, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete((start, size))) => (at + start, size),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return malformed("a chunk without a size"),
        };
        let Some(size) = usize::try_from(size).ok().filter(|size| *size <= ANSWER_MAX) else {
            return malformed(format!("a chunk of {size} bytes"));
        };
        if size == 0 {
            let mut trailers = [httparse::EMPTY_HEADER; 16];
            return match httparse::parse_headers(&bytes[start..], &mut trailers) {
                Ok(httparse::Status::Complete((length, _))) => Ok(Some(start + length)),
                Ok(httparse::Status::Partial) => Ok(None),
                Err(error) => malformed(error.to_string()),
            };
        }
        let end = start + size;
        let Some(line_end) = bytes.get(end..end + 2) else {
            return Ok(None);
        };
        if line_end != b"\r\n" {
            return malformed("a chunk longer than its size");
        }
        body.extend_from_slice(&bytes[start..end]);
        at = end + 2;
    }
}

fn malformed<T>(how: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(how.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every prefix must ask for more, and the whole must be read, wherever the reads happen to split it.
    fn read_in_pieces(answer: &str) -> (Parsed, String) {
        let mut body = Vec::new();
        for cut in 0..answer.len() {
            let part = parse(&answer.as_bytes()[..cut], false, &mut body);
            assert_eq!(part, Ok(None), "after {cut} bytes of {answer:?}");
        }
        let parsed = parse(answer.as_bytes(), false, &mut body).unwrap().unwrap();
        (parsed, String::from_utf8(body).unwrap())
    }

    #[test]
    fn a_sized_body_is_read_however_it_is_split() {
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-LENGTH: 5\r\nx: y\r\n\r\nhello";
        let (parsed, body) = read_in_pieces(answer);
        assert_eq!(parsed, Parsed { status: 404, keep_alive: true, length: answer.len() });
        assert_eq!(body, "hello");
    }

    #[test]
    fn a_chunked_body_is_put_together_however_it_is_split() {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n1A;ext=1\r\npedia in\r\n\r\n more chunks..\r\n0\r\n\r\n";
        let (parsed, body) = read_in_pieces(answer);
        assert_eq!((parsed.status, parsed.length), (200, answer.len()));
        assert_eq!(body, "Wikipedia in\r\n\r\n more chunks..");
    }

    #[test]
    fn trailers_belong_to_the_answer() {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nchecksum: 1\r\n\r\n";
        assert_eq!(read_in_pieces(answer).0.length, answer.len());
    }

    #[test]
    fn what_follows_an_answer_is_left() {
        let mut body = Vec::new();
        let two = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 500 ";
        let parsed = parse(two, false, &mut body).unwrap().unwrap();
        assert_eq!(&two[parsed.length..], b"HTTP/1.1 500 ");
    }

    #[test]
    fn an_interim_answer_is_passed_over() {
        let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        let (parsed, body) = read_in_pieces(answer);
        assert_eq!((parsed.status, body.as_str()), (204, ""));
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection() {
        let mut body = Vec::new();
        let answer = b"HTTP/1.0 200 OK\r\n\r\nall of it";
        assert_eq!(parse(answer, false, &mut body), Ok(None));
        let parsed = parse(answer, true, &mut body).unwrap().unwrap();
        assert!(!parsed.keep_alive);
        assert_eq!(body, b"all of it");
    }

    #[test]
    fn connection_close_ends_the_connection() {
        let answer = "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n";
        assert!(!read_in_pieces(answer).0.keep_alive);
    }

    #[test]
    fn an_answer_that_breaks_off_is_malformed() {
        let mut body = Vec::new();
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", true, &mut body).is_err());
    }

    #[test]
    fn nonsense_is_malformed() {
        let mut body = Vec::new();
        for nonsense in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nxyz\r\n",
        ] {
            assert!(parse(nonsense.as_bytes(), false, &mut body).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn a_request_is_minimal_and_whole() {
        let mut request = String::from("what was there");
        write_request(&mut request, "POST", "/orders/checkout/7", "localhost:8000");
        assert_eq!(request, "POST /orders/checkout/7 HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 0\r\n\r\n");
    }
}
