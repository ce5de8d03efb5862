//! A terminal's screen, as far as `pidone ctl top` uses it.

/// A screen of a fixed size. As with xterm, a character in the last column leaves the cursor on it, where an
/// erasure would take that character.
pub struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    pub fn new(columns: usize, rows: usize) -> Self {
        Self {
            // What was there before must not shine through.
            cells: vec![vec!['%'; columns]; rows],
            row: 0,
            column: 0,
        }
    }

    /// Shows output without what it had before, and returns the lines.
    #[track_caller]
    pub fn show(mut self, output: &str) -> Vec<String> {
        let columns = self.cells[0].len();
        let mut rest = output;
        while let Some(letter) = rest.chars().next() {
            let control = rest.strip_prefix("\x1b[");
            rest = &rest[letter.len_utf8()..];
            if let Some(control) = control {
                let end = control.find(|letter: char| letter.is_ascii_alphabetic());
                let (parameters, end) = control.split_at(end.expect("a whole sequence"));
                self.act(&end[..1], parameters);
                rest = &end[1..];
                continue;
            }
            match letter {
                '\r' => self.column = 0,
                '\n' => {
                    self.row += 1;
                    assert!(self.row < self.cells.len(), "it scrolls: {output:?}");
                }
                _ => {
                    assert!(self.column < columns, "it wraps: {output:?}");
                    self.cells[self.row][self.column] = letter;
                    self.column += 1;
                }
            }
        }
        let lines = self.cells.iter();
        let line = |cells: &Vec<char>| cells.iter().collect::<String>();
        lines.map(line).map(|it| it.trim_end().to_owned()).collect()
    }

    fn act(&mut self, end: &str, parameters: &str) {
        let columns = self.cells[0].len();
        match (end, parameters) {
            ("H", "") => (self.row, self.column) = (0, 0),
            ("K" | "J", "") => {
                let from = self.column.min(columns - 1);
                self.cells[self.row][from..].fill(' ');
                if end == "J" {
                    for line in &mut self.cells[self.row + 1..] {
                        line.fill(' ');
                    }
                }
            }
            ("m", _) => {}
            _ => panic!("unknown sequence {parameters}{end}"),
        }
    }
}
