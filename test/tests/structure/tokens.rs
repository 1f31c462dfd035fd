//! Rust code as words and signs, without comments, texts and what is for tests alone.

/// The words and signs of a file. Texts and characters are left out, and so is each item under `#[cfg(test)]`.
pub fn tokens(code: &str) -> Vec<String> {
    without_tests(&all(code))
}

fn all(code: &str) -> Vec<String> {
    let code: Vec<char> = code.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        at += match rest {
            ['/', '/', ..] => until(rest, 2, &['\n']),
            ['/', '*', ..] => comment(rest),
            ['"', ..] => text(rest, 1),
            ['\'', '\\', _, ..] => until(rest, 3, &['\'']) + 1,
            ['\'', _, '\'', ..] => 3,
            [first, ..] if is_word(*first) => {
                let word: String = rest.iter().take_while(|sign| is_word(**sign)).collect();
                let length = word.chars().count();
                match (word.as_str(), &rest[length..]) {
                    ("b" | "c", ['"', ..]) => length + text(&rest[length..], 1),
                    ("r" | "br" | "cr", ['"' | '#', ..]) if is_raw(&rest[length..]) => length + raw(&rest[length..]),
                    _ => {
                        tokens.push(word);
                        length
                    }
                }
            }
            [':', ':', ..] => {
                tokens.push("::".to_owned());
                2
            }
            [sign, ..] => {
                if !sign.is_whitespace() {
                    tokens.push(sign.to_string());
                }
                1
            }
            [] => 1,
        };
    }
    tokens
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// How long it is from the beginning to the first of these signs after `from`, or to the end.
fn until(code: &[char], from: usize, ends: &[char]) -> usize {
    code.iter().skip(from).position(|sign| ends.contains(sign)).map_or(code.len(), |length| from + length)
}

fn comment(code: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < code.len() {
        match &code[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// How long a text is whose inside begins at `from`, with its quotes.
fn text(code: &[char], mut from: usize) -> usize {
    while from < code.len() && code[from] != '"' {
        from += if code[from] == '\\' { 2 } else { 1 };
    }
    from + 1
}

fn is_raw(code: &[char]) -> bool {
    code.iter().find(|sign| **sign != '#') == Some(&'"')
}

fn raw(code: &[char]) -> usize {
    let marks = code.iter().take_while(|sign| **sign == '#').count();
    let ends = |at: &usize| {
        code[*at] == '"' && code[at + 1..].iter().take(marks).filter(|sign| **sign == '#').count() == marks
    };
    (marks + 1..code.len()).find(ends).map_or(code.len(), |at| at + 1 + marks)
}

const FOR_TESTS: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().take(FOR_TESTS.len()).eq(FOR_TESTS.iter()) {
            at += FOR_TESTS.len() + item(&tokens[at + FOR_TESTS.len()..]);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// How long an item is: to its semicolon, or to the end of its block.
fn item(tokens: &[String]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return at + 1 + usize::from(tokens.get(at + 1).is_some_and(|next| next == ";"));
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_texts_and_characters_are_left_out() {
        let code = r##"
            //! use crate::one;
            /* use crate::two; /* and */ three */
            let a = "use crate::four; \" five"; let b = r#"six "crate" seven"#; let c = '"'; let d = '\''; f::<'a>(b"x");
        "##;
        let expected = "let a = ; let b = ; let c = ; let d = ; f :: < ' a > ( ) ;";
        assert_eq!(tokens(code).join(" "), expected);
    }

    #[test]
    fn items_for_tests_are_left_out() {
        let code = "
            #[cfg(test)] mod standin;
            #[cfg(test)] use crate::a::{b, c};
            fn kept() {}
            #[cfg(test)] #[allow(x)] mod tests { use super::*; fn f() { if true {} } }
            fn last() {}";
        assert_eq!(tokens(code).join(" "), "fn kept ( ) { } fn last ( ) { }");
    }
}
