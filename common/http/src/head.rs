//! What is mended in the head of a request before it is read: two things that clients send in good faith and actix
//! answers badly.
//!
//! - `Upgrade`: nothing else than HTTP/1 is spoken here, so the request is to be answered as if it did not ask. actix
//!   answers `Connection: upgrade` and closes the connection.
//! - A `POST` by HTTP/1.0 without `Content-Length` is one without a body: nginx sends it. actix refuses it.

use tokio::io::ReadBuf;

/// Stands in for what is not to be understood; as long as `upgrade`.
const IGNORED: &[u8; 7] = b"ignored";
const NO_BODY: &[u8] = b"Content-Length: 0\r\n";

/// Mends the head that begins at `begin`, as far as it has come.
pub fn mend(buffer: &mut ReadBuf<'_>, begin: usize) {
    let bytes = &mut buffer.filled_mut()[begin..];
    let Some(first) = memchr::memchr(b'\n', bytes) else { return };
    let line = bytes[..first].trim_ascii_end();
    let mut wants_length = line.starts_with(b"POST ") && line.ends_with(b" HTTP/1.0");
    let mut at = first + 1;
    while let Some(length) = memchr::memchr(b'\n', &bytes[at..]) {
        let line = &mut bytes[at..at + length];
        match line.first() {
            // The end of the head.
            None | Some(b'\r') => {
                if wants_length && buffer.remaining() >= NO_BODY.len() {
                    insert(buffer, begin + first + 1);
                }
                return;
            }
            Some(b'U' | b'u') if has_name(line, b"upgrade") => line[..IGNORED.len()].copy_from_slice(IGNORED),
            Some(b'C' | b'c') if has_name(line, b"connection") => ignore_upgrade(line),
            Some(b'C' | b'c') if has_name(line, b"content-length") => wants_length = false,
            Some(b'T' | b't') if has_name(line, b"transfer-encoding") => wants_length = false,
            Some(_) => {}
        }
        at += length + 1;
    }
}

fn has_name(line: &[u8], name: &[u8]) -> bool {
    line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
}

fn ignore_upgrade(line: &mut [u8]) {
    let found = line.windows(IGNORED.len()).position(|part| part.eq_ignore_ascii_case(b"upgrade"));
    if let Some(at) = found {
        line[at..at + IGNORED.len()].copy_from_slice(IGNORED);
    }
}

/// Says that there is no body, at a place between two lines.
fn insert(buffer: &mut ReadBuf<'_>, place: usize) {
    let end = buffer.filled().len();
    buffer.put_slice(NO_BODY);
    let bytes = buffer.filled_mut();
    bytes.copy_within(place..end, place + NO_BODY.len());
    bytes[place..place + NO_BODY.len()].copy_from_slice(NO_BODY);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(head: &str) -> String {
        let mut bytes = [0; 1024];
        let mut buffer = ReadBuf::new(&mut bytes);
        buffer.put_slice(b"before");
        buffer.put_slice(head.as_bytes());
        mend(&mut buffer, 6);
        String::from_utf8(buffer.filled()[6..].to_vec()).unwrap()
    }

    #[test]
    fn nobody_asks_for_another_protocol() {
        let of_the_jdk = "POST /a HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 0\r\nHost: x\r\n\
                          HTTP2-Settings: AAEAAEAAAAIAAAAA\r\nUpgrade: h2c\r\n\r\n";
        let without = "POST /a HTTP/1.1\r\nConnection: ignored, HTTP2-Settings\r\nContent-Length: 0\r\nHost: x\r\n\
                       HTTP2-Settings: AAEAAEAAAAIAAAAA\r\nignored: h2c\r\n\r\n";
        assert_eq!(mended(of_the_jdk), without);
        for untouched in [
            "GET /upgrade: HTTP/1.1\r\nHost: upgrade\r\nConnection: keep-alive\r\n\r\nUpgrade: in a body\r\n",
            "GET / HTTP/1.1\r\nUpgraded: no\r\n",
            "GET / HT",
        ] {
            assert_eq!(mended(untouched), untouched);
        }
    }

    #[test]
    fn a_post_by_http_1_0_without_a_length_has_no_body() {
        let of_nginx = "POST /a HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert_eq!(mended(of_nginx), "POST /a HTTP/1.0\r\nContent-Length: 0\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert_eq!(mended("POST /a HTTP/1.0\r\n\r\n"), "POST /a HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        for untouched in [
            "POST /a HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}",
            "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /a HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /a HTTP/1.0\r\n\r\n",
            "POST /a HTTP/1.0\r\nHost: half",
        ] {
            assert_eq!(mended(untouched), untouched);
        }
    }
}
