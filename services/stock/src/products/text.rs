//! What of a text counts where texts are compared: without regard to case and accents.

use shardcart_schema::limit::{HANDLE_MAX, SORT_NAME_MAX, WORD_MAX, WORDS_MAX};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text in lower case and without accents (Unicode NFKD, without combining marks).
fn fold(text: &str) -> impl Iterator<Item = char> {
    text.nfkd().filter(|at| !is_combining_mark(*at)).flat_map(char::to_lowercase)
}

/// The beginning of a text, of so many bytes at most.
fn beginning(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// By what a name is put into order.
pub(crate) fn sort_name(name: &str) -> String {
    let folded: String = fold(name).map(|at| if at.is_control() { ' ' } else { at }).collect();
    let words: Vec<&str> = folded.split_whitespace().collect();
    beginning(&words.join(" "), SORT_NAME_MAX).to_owned()
}

/// The words of a text, in their order: runs of letters and digits. Of long ones their beginning.
pub(crate) fn words(text: &str) -> Vec<String> {
    let folded: String = fold(text).collect();
    let words = folded.split(|at: char| !at.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| beginning(word, WORD_MAX).to_owned()).collect()
}

/// The words by which a product is found, each once and sorted by their bytes: those of its name, then those of its tags,
/// as many as may be.
pub(crate) fn index_words(name: &str, tags: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in words(name).into_iter().chain(tags.iter().flat_map(|tag| words(tag))) {
        if found.len() < WORDS_MAX && !found.contains(&word) {
            found.push(word);
        }
    }
    found.sort_unstable();
    found
}

/// A handle that is made of a text; empty if nothing of it may stand in one.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for at in fold(text) {
        if at.is_ascii_alphanumeric() {
            slug.push(at);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(HANDLE_MAX);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_without_case_and_accents() {
        assert_eq!(words("Café-Becher, 2er SET (Größe: XL)"), ["cafe", "becher", "2er", "set", "große", "xl"]);
        assert_eq!(words("ﬁne Ångström"), ["fine", "angstrom"]);
        assert_eq!(words("赤い シャツ"), [words("赤い"), words("シャツ")].concat());
        assert!(words(" -- ").is_empty());
        assert_eq!(words(&"ü".repeat(100))[0].len(), WORD_MAX);
    }

    #[test]
    fn a_product_is_found_by_so_many_words_at_most() {
        let name: Vec<String> = (0..40).map(|word| format!("w{word:02}")).collect();
        let words = index_words(&name.join(" "), &["tag".to_owned()]);
        assert_eq!(words, name[..WORDS_MAX]);
        assert_eq!(index_words("b a b", &["A".to_owned(), "c".to_owned()]), ["a", "b", "c"]);
    }

    #[test]
    fn names_are_put_into_order_without_case_accents_and_spare_blanks() {
        assert_eq!(sort_name("  Ärmel\t\u{0}lang "), "armel lang");
        assert_eq!(sort_name(&"é".repeat(200)).len(), SORT_NAME_MAX);
    }

    #[test]
    fn a_handle_is_made_of_a_text() {
        assert_eq!(slug("Tux, the Penguin!"), "tux-the-penguin");
        assert_eq!(slug("Crème Brûlée 2"), "creme-brulee-2");
        assert_eq!(slug("企鹅"), "");
        assert_eq!(slug(&"ab ".repeat(60)).len(), HANDLE_MAX);
    }
}
