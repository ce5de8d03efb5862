//! The diagram in ARCHITECTURE.md has the transitions of the code, and no others.

use super::*;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};

const STARTS: [DrainStart; 8] = [
    DrainStart::Retire,
    DrainStart::QueueDrained,
    DrainStart::NeverReady,
    DrainStart::Complete,
    DrainStart::Disconnects,
    DrainStart::Hung,
    DrainStart::Signal,
    DrainStart::Kill,
];

/// From a step, `[*]` at the beginning; by an event; to a step.
type Transition = [String; 3];

/// The name of a variant.
fn name(of: &dyn core::fmt::Debug) -> String {
    let text = format!("{of:?}");
    let end = text.find([' ', '(']).unwrap_or(text.len());
    text[..end].to_owned()
}

fn of_the_code() -> BTreeSet<Transition> {
    let mut found = BTreeSet::new();
    for_all_facts(|facts| {
        for start in STARTS {
            // All workers together only retire.
            if facts.worker.is_some() || start == DrainStart::Retire {
                let (step, _) = DrainStep::begin(start, facts);
                found.insert(["[*]".to_owned(), name(&start), name(&step)]);
            }
        }
        for (_, step) in steps() {
            for event in EVENTS {
                let (next, effects) = step.next(event, facts);
                if next != step || !effects.is_empty() {
                    found.insert([name(&step), name(&event), name(&next)]);
                }
            }
        }
    });
    found
}

/// A line of the diagram.
struct Edge {
    from: String,
    to: String,
    events: Vec<String>,
    is_inside: bool,
}

/// The events of a label: `Due (too late), Checked`.
fn events(label: &str) -> Vec<String> {
    let mut depth = 0;
    let plain = label.chars().filter(|letter| {
        depth += i32::from(*letter == '(');
        let is_plain = depth == 0;
        depth -= i32::from(*letter == ')');
        is_plain
    });
    let plain: String = plain.collect();
    plain
        .split(',')
        .map(|event| event.trim().to_owned())
        .filter(|event| !event.is_empty())
        .collect()
}

struct Diagram {
    edges: Vec<Edge>,
    choices: Vec<String>,
}

impl Diagram {
    fn read(text: &str) -> Self {
        let (mut edges, mut choices, mut is_inside) = (Vec::new(), Vec::new(), false);
        for line in text.lines().map(str::trim) {
            if let Some(choice) = line.strip_suffix(" <<choice>>") {
                choices.push(choice.replace("state ", ""));
            } else if let Some((from, rest)) = line.split_once(" --> ") {
                let (to, label) = rest.split_once(" : ").unwrap_or((rest, ""));
                edges.push(Edge {
                    from: from.to_owned(),
                    to: to.to_owned(),
                    events: events(label),
                    is_inside,
                });
            } else {
                is_inside = line.ends_with('{') || (is_inside && line != "}");
            }
        }
        Self { edges, choices }
    }

    /// The steps that a line leads to, through choices.
    fn steps(&self, to: &str) -> Vec<String> {
        if !self.choices.iter().any(|choice| choice == to) {
            return [to.to_owned()].to_vec();
        }
        let from_there = self.edges.iter().filter(|edge| edge.from == to);
        from_there.flat_map(|edge| self.steps(&edge.to)).collect()
    }

    fn transitions(&self) -> BTreeSet<Transition> {
        let inside = self.edges.iter().filter(|edge| edge.is_inside);
        let inside: BTreeSet<_> = inside.flat_map(|edge| self.steps(&edge.to)).collect();
        let mut found = BTreeSet::new();
        for edge in &self.edges {
            let froms = match &*edge.from {
                "Drain" => inside.iter().cloned().collect(),
                from if self.choices.iter().any(|choice| choice == from) => continue,
                from => [from.to_string()].to_vec(),
            };
            // In every step, the worker's exit ends the drain: that is no event of it.
            let is_end = edge.to == "[*]";
            for to in self.steps(&edge.to).iter().filter(|_| !is_end) {
                for from in &froms {
                    let events = edge.events.iter();
                    found.extend(events.map(|event| [from.clone(), event.clone(), to.clone()]));
                }
            }
        }
        found
    }
}

#[test]
fn the_diagram_has_the_transitions_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut blocks = page
        .split("```")
        .filter(|block| block.contains("Serving -->"));
    let diagram = Diagram::read(blocks.next().unwrap()).transitions();
    let code = of_the_code();
    let missing: Vec<_> = code.difference(&diagram).collect();
    let invented: Vec<_> = diagram.difference(&code).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "missing: {missing:#?}\ninvented: {invented:#?}"
    );
    assert!(code.len() > 40, "{code:#?}");
}
