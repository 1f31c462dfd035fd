//! Who may see the console, and what a page of another origin could try.
//!
//! With `CONSOLE_TOKEN`, everyone who knows the token sees it. A form sends the token once. Then the browser keeps it as a
//! cookie for this path alone; scripts cannot read it, and requests of other sites do not carry it. Programs send it as
//! `Authorization: Bearer`.
//!
//! Without a token, only those see it who reach the machine itself, under a name that cannot be another site's. An
//! attacker can make a name of their own resolve to this machine (DNS rebinding), but the browser then sends that name as
//! `Host`.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};
use shardcart_http::endpoint::is_authorized;
use shardcart_http::problem::Problem;
use shardcart_types::code::Code;
use shardcart_types::secret::Secret;
use subtle::ConstantTimeEq;

/// The header that scripts of the page send with what does something. Another origin's cannot without being asked first.
pub const BY_HAND: HeaderName = HeaderName::from_static("x-shardcart-console");
/// The cookie that is sent to be forgotten.
pub const FORGET: &str = "shardcart_console=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict";

const COOKIE: &str = "shardcart_console=";
/// Wrong tokens within [`WRONG_TIME`] that may be somebody's mistake: more look like guesses.
const WRONG_MAX: u32 = 10;
const WRONG_TIME: Duration = Duration::from_secs(10);
/// What a proxy adds to a request.
const PROXIED: [&str; 3] = ["forwarded", "x-real-ip", "via"];
/// What more a proxy adds begins like this: `-For`, `-Host`, `-Proto`, `-Port`, `-Server`, ….
const FORWARDED: &str = "x-forwarded-";

/// From where the console is seen without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only from this machine.
    ThisMachine,
    /// From wherever this port is reached: it is a private one.
    PrivatePort,
}

/// Who may see the console.
#[derive(Debug)]
pub struct Access {
    token: Option<Secret>,
    reach: Reach,
    wrong: Mutex<(Instant, u32)>,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It has to bring the token.
    Login,
    /// The same, and too many were wrong just now.
    TooMany,
    /// Its form cannot be read.
    Unreadable,
    /// In words.
    Forbidden(&'static str),
}

impl Access {
    /// With a token, whoever knows it; without, whoever reaches it so far.
    pub fn new(token: Option<Secret>, reach: Reach) -> Self {
        Access { token, reach, wrong: Mutex::new((Instant::now(), 0)) }
    }

    /// Whether it wants a token.
    pub fn is_locked(&self) -> bool {
        self.token.is_some()
    }

    /// Whether a request may see what the console shows.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, request: &HttpRequest) -> Result<(), Refused> {
        let Some(token) = &self.token else { return self.admit_without_token(request) };
        let right = hex(token.expose());
        let is_right = |sent: &str| bool::from(sent.as_bytes().ct_eq(right.as_bytes()));
        // A browser may keep several of this name, and says nothing of where each is from.
        let kept = cookies(request).map(is_right).reduce(|one, other| one || other);
        let sent = request.headers().get(header::AUTHORIZATION).map(|sent| is_authorized(Some(sent), token));
        match (kept, sent) {
            (Some(true), _) | (_, Some(true)) => Ok(()),
            (None, None) => Err(Refused::Login),
            _ => Err(self.wrong()),
        }
    }

    /// Counts a wrong token. The right one is welcome whatever this says, so that nobody can lock its owner out; what
    /// keeps the console is that it cannot be guessed. But somebody who tries is to be seen.
    fn wrong(&self) -> Refused {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.0.elapsed() > WRONG_TIME {
            *wrong = (Instant::now(), 0);
        }
        wrong.1 = wrong.1.saturating_add(1);
        if wrong.1 == WRONG_MAX + 1 {
            log::warn!(within_s = WRONG_TIME.as_secs(); "many wrong tokens for the console: somebody may be guessing");
        }
        if wrong.1 > WRONG_MAX { Refused::TooMany } else { Refused::Login }
    }

    fn admit_without_token(&self, request: &HttpRequest) -> Result<(), Refused> {
        let is_proxied = |name: &HeaderName| PROXIED.contains(&name.as_str()) || name.as_str().starts_with(FORWARDED);
        if request.headers().keys().any(is_proxied) {
            return Err(Refused::Forbidden("The console is shown through a gateway only with CONSOLE_TOKEN set."));
        }
        if !is_own_name(request.connection_info().host()) {
            return Err(Refused::Forbidden("The console is shown under this name only with CONSOLE_TOKEN set."));
        }
        let is_near = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
        if self.reach == Reach::ThisMachine && !is_near {
            return Err(Refused::Forbidden("The console is shown to other machines only with CONSOLE_TOKEN set."));
        }
        Ok(())
    }

    /// Whether a token may be typed here at all: this does not look at it.
    ///
    /// # Errors
    /// As [`Access::admit`].
    pub fn may_log_in(&self, request: &HttpRequest) -> Result<(), Refused> {
        if self.is_locked() { Ok(()) } else { self.admit_without_token(request) }
    }

    /// Takes a token that somebody typed, and returns the cookie to be set.
    ///
    /// # Errors
    /// As [`Access::admit`].
    pub fn log_in(&self, request: &HttpRequest, typed: &str) -> Result<String, Refused> {
        let Some(token) = &self.token else { return self.admit_without_token(request).map(|()| FORGET.to_owned()) };
        if bool::from(typed.as_bytes().ct_eq(token.expose().as_bytes())) {
            // Where a gateway speaks TLS, the cookie is never sent without.
            let proto = request.headers().get("x-forwarded-proto");
            let secure = if proto.is_some_and(|proto| proto == "https") { "; Secure" } else { "" };
            let value = hex(token.expose());
            return Ok(format!("{COOKIE}{value}; Path=/console; Max-Age=43200; HttpOnly; SameSite=Strict{secure}"));
        }
        Err(self.wrong())
    }
}

/// Refuses what a page of another site asks for: browsers say so.
///
/// # Errors
/// `forbidden`.
pub fn same_site(request: &HttpRequest) -> Result<(), Problem> {
    let site = request.headers().get("sec-fetch-site");
    if site.is_none_or(|site| site == "same-origin" || site == "none") {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "a page of another site asks for this"))
}

/// Refuses what was not asked for by the console's own page, or by a person at a terminal.
///
/// # Errors
/// `forbidden`.
pub fn by_hand(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    if !headers.contains_key(BY_HAND) {
        return Err(Problem::new(Code::Forbidden, "this wants the header X-Shardcart-Console, with any value"));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text("origin") else { return Ok(()) };
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    if text("host") == Some(authority) || text("x-forwarded-host") == Some(authority) {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "a page of another origin asks for this"))
}

fn cookies(request: &HttpRequest) -> impl Iterator<Item = &str> {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().strip_prefix(COOKIE))
}

/// Whether a `Host` is an address, this machine, or a name without a dot: none that somebody else's page can have.
fn is_own_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || name.ends_with(".localhost") || (!name.is_empty() && !name.contains('.'))
}

/// A token may have characters that a cookie may not.
fn hex(text: &str) -> String {
    text.bytes().fold(String::with_capacity(2 * text.len()), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn names_that_another_site_can_have_are_not_our_own() {
        for own in ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "10.0.0.7:9001", "order-0:9001"] {
            assert!(is_own_name(own), "{own}");
        }
        for foreign in
            ["evil.example", "evil.example:8000", "localhost.evil.example:8000", "127.0.0.1.evil.example", ""]
        {
            assert!(!is_own_name(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_token_is_taken_as_cookie_and_as_bearer_and_nothing_else() {
        let access = Access::new(Some(Secret::from("s3cret;token")), Reach::PrivatePort);
        let request =
            |name: &'static str, value: &str| TestRequest::get().insert_header((name, value)).to_http_request();
        let cookie = access.log_in(&TestRequest::get().to_http_request(), "s3cret;token").unwrap();
        let value = cookie.split(';').next().unwrap();
        assert_eq!(access.admit(&request("cookie", &format!("a=b; {value}"))), Ok(()));
        assert_eq!(access.admit(&request("authorization", "Bearer s3cret;token")), Ok(()));
        for several in [format!("shardcart_console=00; {value}"), format!("{value}; shardcart_console=00")] {
            assert_eq!(access.admit(&request("cookie", &several)), Ok(()), "{several}");
        }
        for wrong in ["shardcart_console=", "shardcart_console=00", "x=1", "shardcart_console=s3cret;token"] {
            assert_eq!(access.admit(&request("cookie", wrong)), Err(Refused::Login), "{wrong}");
        }
    }

    #[test]
    fn whatever_a_proxy_adds_closes_a_console_without_a_token() {
        let access = Access::new(None, Reach::PrivatePort);
        let request = || TestRequest::get().insert_header(("host", "localhost"));
        assert_eq!(access.admit(&request().to_http_request()), Ok(()));
        for name in ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"]
            .into_iter()
            .chain(["X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix"])
        {
            let refused = access.admit(&request().insert_header((name, "1")).to_http_request());
            assert!(matches!(refused, Err(Refused::Forbidden(_))), "{name}");
        }
    }

    #[test]
    fn wrong_tokens_are_counted_whichever_way_they_come_and_lock_nobody_out() {
        let access = Access::new(Some(Secret::from("s3cret;token")), Reach::PrivatePort);
        let typed = TestRequest::get().to_http_request();
        let guess = |header: (&'static str, &'static str)| TestRequest::get().insert_header(header).to_http_request();
        let guesses = [guess(("cookie", "shardcart_console=00")), guess(("authorization", "Bearer s3cret"))];
        for round in 0..WRONG_MAX {
            match guesses.get(round as usize % 3) {
                Some(guess) => assert_eq!(access.admit(guess), Err(Refused::Login)),
                None => assert_eq!(access.log_in(&typed, "s3cret"), Err(Refused::Login)),
            }
        }
        assert_eq!(access.log_in(&typed, "s3cret"), Err(Refused::TooMany));
        assert!(guesses.iter().all(|guess| access.admit(guess) == Err(Refused::TooMany)));
        assert_eq!(access.admit(&typed), Err(Refused::Login), "whoever brings none does not guess");
        assert!(access.log_in(&typed, "s3cret;token").is_ok());
        assert_eq!(access.admit(&guess(("authorization", "Bearer s3cret;token"))), Ok(()));
    }
}
