//! Secrets: tokens and passwords.

use std::fmt;

/// A secret: it is compared and sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the secret is strong enough to be a token. Not a parser for clap: its messages show the value.
    ///
    /// # Errors
    /// A text that says what was expected, without the value.
    pub fn check_token(&self, variable: &str) -> Result<(), String> {
        if self.0.len() >= 8 && self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(())
        } else {
            Err(format!(
                "{variable} is too short or not printable (its value is not shown): expected at least 8 printable characters"
            ))
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::from("hunter22")), "(secret)");
    }
}
