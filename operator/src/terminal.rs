//! How the commands write to a terminal: text, numbers and times.

use std::io::Write;

/// Prints to stdout. A reader that has closed it has read enough (`| head`): that is no error.
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A text without control characters, which a terminal would obey; line ends stay.
pub fn harmless(text: &str) -> String {
    text.replace(|letter: char| letter.is_control() && letter != '\n', "?")
}

/// A number with a comma between thousands.
pub fn grouped(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(1 + digits.len() + digits.len() / 3);
    if number < 0 {
        grouped.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A short time in words.
pub fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A longer time in words.
pub fn age(ms: u64) -> String {
    match ms / 1_000 {
        0..60 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        seconds @ 60..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        assert_eq!(
            ["0", "999", "1,000", "-12,345,678"],
            [0, 999, 1_000, -12_345_678].map(grouped).each_ref().map(String::as_str)
        );
        assert_eq!(
            ["7 µs", "1.2 ms", "12 ms", "1.2 s"],
            [7, 1_234, 12_345, 1_234_567].map(time).each_ref().map(String::as_str)
        );
        assert_eq!(["0.5 s", "2 min", "3 h"], [500, 125_000, 11_000_000].map(age).each_ref().map(String::as_str));
    }
}
