//! Preconditions of a request (RFC 9110, section 13): `If-Match` and `If-None-Match`, on revisions of a thing.
//!
//! The tag of a thing is its revision, a number in quotes: `ETag: "7"`.

use std::fmt;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use shardcart_types::code::Code;

use crate::problem::Problem;

/// How many tags a header may list.
const TAGS_MAX: usize = 16;

/// What a request wants of the thing that it is about: an argument of a handler.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// The tags of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    Listed(Vec<Tag>),
}

/// A tag as a client sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    is_weak: bool,
    /// The revision; nothing for a tag that no thing here ever has.
    revision: Option<u64>,
}

/// What a write may find, to be checked in the step that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Whatever there is, also nothing.
    Anything,
    /// Nothing: `If-None-Match: *`.
    Absent,
    /// The thing, in any revision: `If-Match: *`.
    Present,
    /// The thing, in one of these revisions. None of them: it is refused whatever there is.
    Revisions(Vec<u64>),
}

impl Expect {
    /// Whether what there is may be written: the revision of the thing, or nothing.
    ///
    /// # Errors
    /// `changed`, `exists`.
    pub fn check(&self, revision: Option<u64>) -> Result<(), Problem> {
        match (self, revision) {
            (Expect::Anything, _) | (Expect::Absent, None) | (Expect::Present, Some(_)) => Ok(()),
            (Expect::Absent, Some(_)) => Err(exists()),
            (Expect::Revisions(revisions), Some(revision)) if revisions.contains(&revision) => Ok(()),
            (Expect::Present | Expect::Revisions(_), _) => Err(changed()),
        }
    }
}

/// 412: the thing is not what `If-Match` names.
pub fn changed() -> Problem {
    Problem::new(Code::Changed, "this is not what If-Match names; read it again")
}

/// 412: the thing exists, and `If-None-Match` wants that it does not.
pub fn exists() -> Problem {
    Problem::new(Code::Exists, "this exists already, and If-None-Match wants that it does not")
}

impl Preconditions {
    /// What a write may find.
    ///
    /// # Errors
    /// `invalid_header`: `If-None-Match` on a write is `*`, and comes alone.
    pub fn expect(&self) -> Result<Expect, Problem> {
        match (&self.if_match, &self.if_none_match) {
            (None, None) => Ok(Expect::Anything),
            (None, Some(Tags::Any)) => Ok(Expect::Absent),
            (Some(Tags::Any), None) => Ok(Expect::Present),
            // A weak tag says that two things are alike, not that they are the same.
            (Some(Tags::Listed(tags)), None) => {
                let strong = tags.iter().filter(|tag| !tag.is_weak);
                Ok(Expect::Revisions(strong.filter_map(|tag| tag.revision).collect()))
            }
            _ => Err(invalid("a write takes If-Match, or If-None-Match: *")),
        }
    }

    /// The answer to a read of a thing in a revision: as `whole` makes it, with its tag, or 304 if the client has it.
    ///
    /// # Errors
    /// `changed`.
    pub fn answer(&self, revision: u64, whole: impl FnOnce() -> HttpResponse) -> Result<HttpResponse, Problem> {
        let is_named = |tags: &Tags, weak: bool| match tags {
            Tags::Any => true,
            Tags::Listed(tags) => tags.iter().any(|tag| tag.revision == Some(revision) && (weak || !tag.is_weak)),
        };
        if self.if_match.as_ref().is_some_and(|tags| !is_named(tags, false)) {
            return Err(changed());
        }
        let is_known = self.if_none_match.as_ref().is_some_and(|tags| is_named(tags, true));
        let mut response = if is_known { HttpResponse::NotModified().finish() } else { whole() };
        tag(&mut response, revision);
        Ok(response)
    }
}

/// Puts the tag of a revision into an answer.
pub fn tag(response: &mut HttpResponse, revision: u64) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        response.headers_mut().insert(ETAG, value);
    }
}

impl FromRequest for Preconditions {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let headers = request.headers();
        let read =
            || Ok(Preconditions { if_match: tags(headers, &IF_MATCH)?, if_none_match: tags(headers, &IF_NONE_MATCH)? });
        ready(read())
    }
}

fn invalid(detail: impl fmt::Display) -> Problem {
    Problem::new(Code::InvalidHeader, detail)
}

/// The tags of a header, which may be given more than once.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Tags>, Problem> {
    let mut listed = None;
    for value in headers.get_all(name) {
        let value = value.to_str().map_err(|_| invalid(format_args!("{name} is not printable")))?.trim();
        if value == "*" && listed.is_none() && headers.get_all(name).count() == 1 {
            return Ok(Some(Tags::Any));
        }
        let tags = listed.get_or_insert_with(Vec::new);
        read_list(value, tags)
            .ok_or_else(|| invalid(format_args!("{name} is `*`, or a list of at most {TAGS_MAX} tags in quotes")))?;
    }
    Ok(listed.map(Tags::Listed))
}

/// Adds the tags of one value; nothing if it has another form.
fn read_list(value: &str, tags: &mut Vec<Tag>) -> Option<()> {
    let mut rest = value;
    loop {
        let (is_weak, quoted) = rest.strip_prefix("W/").map_or((false, rest), |rest| (true, rest));
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        let is_ours = opaque.bytes().all(|byte| byte.is_ascii_digit()) && (opaque == "0" || !opaque.starts_with('0'));
        tags.push(Tag { is_weak, revision: opaque.parse().ok().filter(|_| is_ours) });
        if tags.len() > TAGS_MAX {
            return None;
        }
        let after = after.trim_start();
        if after.is_empty() {
            return Some(());
        }
        rest = after.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;

    use super::*;

    fn sent(headers: &[(&str, &str)]) -> Result<Preconditions, Code> {
        let request = headers.iter().fold(TestRequest::default(), |request, header| request.append_header(*header));
        let read = Preconditions::from_request(&request.to_http_request(), &mut Payload::None).into_inner();
        read.map_err(|problem| problem.code())
    }

    fn expected(headers: &[(&str, &str)]) -> Result<Expect, Code> {
        sent(headers)?.expect().map_err(|problem| problem.code())
    }

    #[test]
    fn a_write_says_what_it_expects_to_find() {
        assert_eq!(expected(&[]), Ok(Expect::Anything));
        assert_eq!(expected(&[("If-None-Match", "*")]), Ok(Expect::Absent));
        assert_eq!(expected(&[("If-Match", " * ")]), Ok(Expect::Present));
        assert_eq!(expected(&[("If-Match", "\"7\"")]), Ok(Expect::Revisions(vec![7])));
        assert_eq!(
            expected(&[("If-Match", "\"7\" ,\"12\""), ("If-Match", "\"0\"")]),
            Ok(Expect::Revisions(vec![7, 12, 0]))
        );
        // Tags that nothing here has, and weak ones, match nothing.
        assert_eq!(
            expected(&[("If-Match", "W/\"7\", \"07\", \"x,y\", \"+1\", \"\"")]),
            Ok(Expect::Revisions(Vec::new()))
        );
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        let long = vec!["\"1\""; TAGS_MAX + 1].join(",");
        for value in ["", "7", "\"7", "\"7\" \"8\"", "\"7\",", "*, \"7\"", "w/\"7\"", long.as_str()] {
            assert_eq!(expected(&[("If-Match", value)]), Err(Code::InvalidHeader), "{value:?}");
        }
        assert_eq!(expected(&[("If-Match", "*"), ("If-Match", "*")]), Err(Code::InvalidHeader));
        assert_eq!(expected(&[("If-None-Match", "\"7\"")]), Err(Code::InvalidHeader));
        assert_eq!(expected(&[("If-Match", "*"), ("If-None-Match", "*")]), Err(Code::InvalidHeader));
    }

    #[test]
    fn what_is_found_decides_whether_it_is_written() {
        let check = |expect: Expect, found| expect.check(found).map_err(|problem| problem.code());
        assert_eq!(check(Expect::Anything, None), Ok(()));
        assert_eq!(check(Expect::Absent, Some(1)), Err(Code::Exists));
        assert_eq!(check(Expect::Present, None), Err(Code::Changed));
        assert_eq!(check(Expect::Revisions(vec![6, 7]), Some(7)), Ok(()));
        assert_eq!(check(Expect::Revisions(vec![6, 7]), Some(8)), Err(Code::Changed));
        assert_eq!(check(Expect::Revisions(vec![6]), None), Err(Code::Changed));
    }

    #[test]
    fn a_read_of_what_the_client_has_is_304() {
        let status = |headers: &[(&str, &str)]| {
            let answer = sent(headers).unwrap().answer(7, || HttpResponse::Ok().finish());
            answer.map(|response| {
                assert_eq!(response.headers().get(ETAG).unwrap(), "\"7\"");
                response.status()
            })
        };
        assert_eq!(status(&[]).unwrap(), StatusCode::OK);
        assert_eq!(status(&[("If-None-Match", "\"6\"")]).unwrap(), StatusCode::OK);
        for known in ["\"7\"", "W/\"7\"", "*", "\"6\", \"7\""] {
            assert_eq!(status(&[("If-None-Match", known)]).unwrap(), StatusCode::NOT_MODIFIED, "{known}");
        }
        assert_eq!(status(&[("If-Match", "\"7\"")]).unwrap(), StatusCode::OK);
        assert_eq!(status(&[("If-Match", "W/\"7\"")]).unwrap_err().code(), Code::Changed);
    }
}
