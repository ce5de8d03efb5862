//! Markdown as this repository writes it: fenced blocks and how a test runs them, headings, links and code in the text.

use std::fs;
use std::path::Path;

use super::root;

/// How a block is tested, by the comment on the line above it: `<!-- test: … -->`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// None: commands must exit with 0.
    Plain,
    /// `serves PORT`: the last command is a server, and runs until the next one or the page's end.
    Serves(u16),
    /// `runs`: the same for a command that listens on nothing.
    Runs,
    /// `file NAME`: not a command, but what this file contains.
    File(String),
    /// `sample`: what a transcript says is like what was printed, and not compared with it.
    Sample,
    /// `docker` and more: for a container engine.
    Docker(String),
    /// `fails STATUS`: must exit with it.
    Fails(u8),
    /// `skip REASON`: cannot be run here.
    Skip(String),
}

impl Mark {
    /// `None`: this is no mark.
    fn parse(line: &str) -> Option<Result<Self, String>> {
        let inside = line
            .trim()
            .strip_prefix("<!--")?
            .strip_suffix("-->")?
            .trim();
        let text = inside.strip_prefix("test:")?.trim();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        let mark = match word {
            "serves" => rest.parse().ok().map(Self::Serves),
            "runs" if rest.is_empty() => Some(Self::Runs),
            "sample" if rest.is_empty() => Some(Self::Sample),
            "file" if !rest.is_empty() => Some(Self::File(rest.to_owned())),
            "docker" => Some(Self::Docker(rest.to_owned())),
            "fails" => rest.parse().ok().map(Self::Fails),
            "skip" if !rest.is_empty() => Some(Self::Skip(rest.to_owned())),
            _ => None,
        };
        Some(mark.ok_or_else(|| format!("not a mark: {text}")))
    }
}

/// What stands between two fences.
#[derive(Clone, Debug)]
pub struct Block {
    /// The line of its first fence, counted from 1.
    pub line: usize,
    pub language: String,
    pub text: String,
    pub mark: Mark,
}

impl Block {
    /// Its commands; `None`: it has none, as a file or a log.
    pub fn commands(&self) -> Option<String> {
        match self.language.as_str() {
            "sh" | "bash" => Some(self.text.clone()),
            // `$ ` begins a command, `> ` goes on with one that ends in a backslash.
            "console" => {
                let (mut commands, mut goes_on) = (String::new(), false);
                for line in self.text.lines() {
                    let begin = if goes_on { "> " } else { "$ " };
                    let Some(command) = line.strip_prefix(begin) else {
                        continue;
                    };
                    goes_on = command.ends_with('\\');
                    commands.push_str(command);
                    commands.push('\n');
                }
                Some(commands)
            }
            _ => None,
        }
    }

    /// What a transcript says that was printed, with the numbers of the lines in the page.
    pub fn printed(&self) -> Vec<(usize, &str)> {
        let is_transcript = self.language == "console";
        let is_printed = |(_, line): &(usize, &str)| {
            is_transcript
                && !line.starts_with("$ ")
                && !line.starts_with("> ")
                && !line.trim().is_empty()
        };
        self.lines().filter(is_printed).collect()
    }

    /// Its lines with their numbers in the page.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines.map(|(index, line)| (self.line + 1 + index, line))
    }
}

/// A link or an image.
#[derive(Clone, Debug)]
pub struct Link {
    pub line: usize,
    pub target: String,
    /// An image's alternative text; `None`: a link.
    pub alt: Option<String>,
}

/// A page of the repository.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its path below the root, with slashes.
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
    /// The text alone: its fenced blocks and comments are empty lines.
    pub prose: String,
}

impl Page {
    pub fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self::parse(name, &text)
    }

    /// All of the repository that are not fetched or made by a build.
    pub fn all() -> Vec<Self> {
        let mut names = Vec::new();
        collect(root(), &mut names);
        names.sort();
        names.iter().map(|name| Self::read(name)).collect()
    }

    /// Of these, what a user reads: the README, the manual and the examples.
    pub fn manual() -> Vec<Self> {
        let beginnings = ["README.md", "docs/", "examples/"];
        let mut pages = Self::all();
        pages.retain(|page| beginnings.iter().any(|begin| page.name.starts_with(begin)));
        assert!(pages.len() > 12, "{}", pages.len());
        pages
    }

    /// The texts of its blocks in a language.
    pub fn blocks_in(&self, language: &str) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.iter();
        let blocks = blocks.filter(move |block| block.language == language);
        blocks.map(|block| block.text.as_str())
    }

    /// Panics where a mark or a fence is wrong, and says where.
    pub fn parse(name: &str, text: &str) -> Self {
        let (mut blocks, mut prose) = (Vec::new(), String::new());
        let mut mark: Option<(usize, Mark)> = None;
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let number = index + 1;
            if let Some((fence, indentation, language)) = fence(line) {
                let mut inside = String::new();
                let end = lines.by_ref().find(|(_, line)| {
                    let is_end = line.trim() == fence;
                    if !is_end {
                        let spaces = line.len() - line.trim_start_matches(' ').len();
                        inside.push_str(&line[spaces.min(indentation)..]);
                        inside.push('\n');
                    }
                    is_end
                });
                let (end, _) =
                    end.unwrap_or_else(|| panic!("{name}:{number}: no end of the block"));
                prose.push_str(&"\n".repeat(end - index + 1));
                blocks.push(Block {
                    line: number,
                    language: language.to_owned(),
                    text: inside,
                    mark: mark.take().map_or(Mark::Plain, |(_, mark)| mark),
                });
                continue;
            }
            if let Some((number, mark)) = mark {
                panic!("{name}:{number}: no block below {mark:?}");
            }
            mark = Mark::parse(line).map(|parsed| {
                let parsed = parsed.unwrap_or_else(|error| panic!("{name}:{number}: {error}"));
                (number, parsed)
            });
            if mark.is_none() {
                prose.push_str(line);
            }
            prose.push('\n');
        }
        assert!(mark.is_none(), "{name}: no block below {mark:?}");
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            blocks,
            prose,
        }
    }

    /// The directory that its links begin in.
    pub fn directory(&self) -> &Path {
        Path::new(&self.name).parent().unwrap()
    }

    /// The code in its text, with the lines where it begins.
    pub fn code(&self) -> Vec<(usize, String)> {
        let spans = spans(&self.prose);
        let span = |(begin, end, ticks): (usize, usize, usize)| {
            let inside = &self.prose[begin + ticks..end - ticks];
            (line_of(&self.prose, begin), inside.replace('\n', " "))
        };
        spans.into_iter().map(span).collect()
    }

    /// The text without its code: so many bytes, and as many lines.
    fn plain(&self) -> String {
        let mut plain = self.prose.clone().into_bytes();
        for (begin, end, _) in spans(&self.prose) {
            for byte in plain[begin..end].iter_mut().filter(|byte| **byte != b'\n') {
                *byte = b'.';
            }
        }
        String::from_utf8(plain).unwrap()
    }

    /// What `#…` can name: headings as GitHub makes anchors of them, and `<a id="…">`.
    pub fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for line in self.prose.lines() {
            let level = line.bytes().take_while(|byte| *byte == b'#').count();
            let Some(heading) = line[level..].strip_prefix(' ').filter(|_| level > 0) else {
                continue;
            };
            let slug = slug(heading);
            let mut anchor = slug.clone();
            let mut count = 0;
            while anchors.contains(&anchor) {
                count += 1;
                anchor = format!("{slug}-{count}");
            }
            anchors.push(anchor);
        }
        let ids = self.prose.split("<a id=\"").skip(1);
        anchors.extend(ids.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        anchors
    }

    /// Its links and images, in both spellings of each.
    pub fn links(&self) -> Vec<Link> {
        let plain = self.plain();
        let mut links = Vec::new();
        for (middle, _) in plain.match_indices("](") {
            let Some(begin) = bracket_before(&plain, middle) else {
                continue;
            };
            let rest = &plain[middle + 2..];
            let target = rest.split([')', ' ', '\n']).next().unwrap_or_default();
            let alt = plain[begin + 1..middle].to_owned();
            links.push(Link {
                line: line_of(&plain, begin),
                target: target.trim_matches(['<', '>']).to_owned(),
                alt: plain[..begin].ends_with('!').then_some(alt),
            });
        }
        for (begin, tag) in plain.match_indices('<').map(|(at, _)| (at, &plain[at..])) {
            let Some((tag, _)) = tag[1..].split_once('>') else {
                continue;
            };
            let attribute = |name: &str| {
                let (_, value) = tag.split_once(&format!(" {name}=\""))?;
                Some(value.split('"').next().unwrap_or_default().to_owned())
            };
            let (target, alt) = if tag.starts_with("img ") {
                (attribute("src"), Some(attribute("alt").unwrap_or_default()))
            } else if tag.starts_with("source ") {
                (attribute("srcset"), None)
            } else if tag.starts_with("a ") {
                (attribute("href"), None)
            } else {
                let is_address = tag.starts_with("http") && !tag.contains(' ');
                (is_address.then(|| tag.to_owned()), None)
            };
            links.extend(target.map(|target| Link {
                line: line_of(&plain, begin),
                target,
                alt,
            }));
        }
        links
    }
}

/// A call of a shell's function, with a text on its standard input.
pub fn shell_call(function: &str, text: &str) -> String {
    // No line of a page is this.
    const END: &str = "END OF THE BLOCK";
    format!("{function} <<'{END}'\n{text}{END}\n")
}

fn collect(under: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() && !path.is_symlink() {
            let is_ours = !name.starts_with('.') || name == ".github";
            if is_ours && !["target", "node_modules"].contains(&&*name) {
                collect(&path, found);
            }
        } else if name.ends_with(".md") {
            let name = path.strip_prefix(root()).unwrap();
            found.push(name.to_str().unwrap().to_owned());
        }
    }
}

/// The fence, how far it is indented, and its language.
fn fence(line: &str) -> Option<(&str, usize, &str)> {
    let text = line.trim_start_matches(' ');
    let ticks = text.bytes().take_while(|byte| *byte == b'`').count();
    let is_fence = ticks >= 3 && !text[ticks..].contains('`');
    is_fence.then(|| {
        (
            &text[..ticks],
            line.len() - text.len(),
            text[ticks..].trim(),
        )
    })
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Code spans: from, to, and the length of their backticks. None goes beyond a paragraph.
fn spans(text: &str) -> Vec<(usize, usize, usize)> {
    let run = |at: usize| text[at..].bytes().take_while(|byte| *byte == b'`').count();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(offset) = text[at..].find('`') {
        let begin = at + offset;
        let ticks = run(begin);
        let limit = text[begin..]
            .find("\n\n")
            .map_or(text.len(), |end| begin + end);
        let mut next = begin + ticks;
        at = next;
        while let Some(offset) = text[next..limit].find('`') {
            let end = next + offset;
            next = end + run(end);
            if next - end == ticks {
                found.push((begin, next, ticks));
                at = next;
                break;
            }
        }
    }
    found
}

/// The bracket that the one at `end` closes.
fn bracket_before(text: &str, end: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text
        .bytes()
        .enumerate()
        .take(end)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        match byte {
            b']' => depth += 1,
            b'[' if depth == 0 => return Some(at),
            b'[' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The anchor that GitHub makes of a heading.
fn slug(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading.trim();
    // A link is its text, a tag is nothing.
    while let Some(at) = rest.find(['<', ']']) {
        text.push_str(&rest[..at]);
        let end = match &rest[at..at + 1] {
            "<" => rest[at..].find('>'),
            _ if rest[at..].starts_with("](") => rest[at..].find(')'),
            _ => Some(0),
        };
        rest = &rest[at + end.map_or(1, |end| end + 1)..];
    }
    text.push_str(rest);
    let kept = text.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c => c.is_alphanumeric().then(|| c.to_ascii_lowercase()),
    });
    kept.collect()
}
