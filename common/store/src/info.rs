//! What a Redis server says of itself: the text that INFO answers.

/// The value of a field.
pub fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "# Memory\r\nused_memory_human:1M\r\nused_memory:1048576\r\nmaxmemory:0\r\n";
        assert_eq!(field(info, "used_memory"), Some("1048576"));
        assert_eq!(field(info, "memory"), None);
    }
}
