//! A document as its parts: lines outside and inside of fences, headings, links, and what stands in backticks.

use crate::repository;

/// A document.
#[derive(Debug)]
pub struct Page {
    /// Its path from the root.
    pub path: String,
    lines: Vec<Line>,
    fences: Vec<Fence>,
}

/// A line of a document.
#[derive(Debug)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// Its text.
    pub text: String,
    /// The info string of the fence around it; of a fence's own lines, too.
    pub fence: Option<String>,
}

/// A block between fences.
#[derive(Debug)]
pub struct Fence {
    /// The line on which it begins.
    pub number: usize,
    /// What stands behind its opening backticks.
    pub info: String,
    /// Its lines.
    pub text: String,
}

impl Page {
    /// Reads a document.
    pub fn read(path: &str) -> Page {
        let text = repository::text(path).unwrap_or_else(|| panic!("{path} can be read"));
        Page::parse(path, &text)
    }

    fn parse(path: &str, text: &str) -> Page {
        let (mut lines, mut fences) = (Vec::new(), Vec::<Fence>::new());
        let mut open = false;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let mark = line.trim_start().strip_prefix("```");
            if let (Some(info), false) = (mark, open) {
                fences.push(Fence { number, info: info.trim().to_owned(), text: String::new() });
            }
            let inside = open || mark.is_some();
            let info = fences.last().filter(|_| inside).map(|fence| fence.info.clone());
            lines.push(Line { number, text: line.to_owned(), fence: info });
            match (mark, fences.last_mut().filter(|_| open)) {
                (Some(_), _) => open = !open,
                (None, Some(fence)) => {
                    fence.text.push_str(line);
                    fence.text.push('\n');
                }
                (None, None) => {}
            }
        }
        Page { path: path.to_owned(), lines, fences }
    }

    /// All lines.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// All blocks between fences.
    pub fn fences(&self) -> &[Fence] {
        &self.fences
    }

    /// The text of its headings of a level.
    pub fn headings(&self, level: usize) -> Vec<String> {
        let mark = format!("{} ", "#".repeat(level));
        let prose = self.lines.iter().filter(|line| line.fence.is_none());
        prose.filter_map(|line| line.text.strip_prefix(&mark)).map(|text| text.trim().to_owned()).collect()
    }

    /// The anchors of its headings, as code hosts make them.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for line in self.lines.iter().filter(|line| line.fence.is_none()) {
            let text = line.text.trim_start_matches('#');
            if text.len() == line.text.len() || !text.starts_with(' ') {
                continue;
            }
            let anchor = anchor(text.trim());
            let before = anchors.iter().filter(|other| **other == anchor).count();
            anchors.push(if before == 0 { anchor } else { format!("{anchor}-{before}") });
        }
        anchors
    }

    /// What it links to, with the line: the part in brackets of `[text](target)`.
    pub fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, text) in self.spans().filter(|(_, _, code)| !code).map(|(number, text, _)| (number, text)) {
            for piece in text.split("](").skip(1) {
                if let Some((target, _)) = piece.split_once(')') {
                    links.push((number, target.trim().to_owned()));
                }
            }
        }
        links
    }

    /// What stands in backticks outside of fences, with the line.
    pub fn code(&self) -> Vec<(usize, String)> {
        self.spans().filter(|(_, _, code)| *code).map(|(number, text, _)| (number, text)).collect()
    }

    /// The prose in pieces, each of which is code or is not. Code may go on on the next line of its paragraph; of a
    /// link whose text is code, what is left around the code still has `](target)`.
    fn spans(&self) -> impl Iterator<Item = (usize, String, bool)> {
        let mut spans = Vec::new();
        for paragraph in self.lines.split(|line| line.fence.is_some() || line.text.trim().is_empty()) {
            let (mut code, mut text) = (false, String::new());
            let mut begun = paragraph.first().map_or(0, |line| line.number);
            for line in paragraph {
                for (index, piece) in line.text.split('`').enumerate() {
                    if index > 0 {
                        spans.push((begun, std::mem::take(&mut text), code));
                        code = !code;
                        begun = line.number;
                    }
                    text.push_str(piece);
                }
                text.push(' ');
            }
            spans.push((begun, text, code));
        }
        spans.into_iter()
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# What happens when …

Read [the `code`](a.md#b) or
![it](c.svg), `x
y` too.

```sh no-run
echo [no](d.md) # `no`
```

## invalid_id
## invalid_id
";

    #[test]
    fn a_page_is_taken_apart() {
        let page = Page::parse("a.md", TEXT);
        assert_eq!(page.anchors(), ["what-happens-when-", "invalid_id", "invalid_id-1"]);
        let links: Vec<String> = page.links().into_iter().map(|(_, target)| target).collect();
        assert_eq!(links, ["a.md#b", "c.svg"]);
        assert_eq!(page.code(), [(3, "code".to_owned()), (4, "x y".to_owned())]);
        assert_eq!(page.fences().len(), 1);
        assert_eq!(page.fences()[0].info, "sh no-run");
        assert_eq!(page.fences()[0].text, "echo [no](d.md) # `no`\n");
        assert_eq!(page.headings(2), ["invalid_id", "invalid_id"]);
    }
}
