//! Progress as one line of a terminal, on standard error; nothing elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use emberlens::collect::Progress;

use crate::print::clean;

/// The line is drawn anew at most this often.
const PAUSE: Duration = Duration::from_millis(100);

/// Draws what goes on and how far it is.
pub struct Bar {
    is_shown: bool,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    label: String,
    total: u64,
    drawn: Option<Instant>,
}

impl Bar {
    /// A bar that is drawn when standard error is a terminal.
    pub fn new() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
            line: Mutex::default(),
        }
    }

    fn draw(&self, done: u64, now: Instant) {
        if !self.is_shown {
            return;
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line
            .drawn
            .is_some_and(|drawn| now.duration_since(drawn) < PAUSE)
        {
            return;
        }
        line.drawn = Some(now);
        write(&line.text(done));
    }
}

impl Line {
    fn text(&self, done: u64) -> String {
        match self.total {
            0 => self.label.clone(),
            total => {
                let percent = u128::from(done.min(total)) * 100 / u128::from(total);
                format!("{} {percent:>3} %", self.label)
            }
        }
    }
}

/// Replaces the line; a terminal that went away is nobody's error.
fn write(text: &str) {
    let _ = write!(io::stderr(), "\r\x1b[K{text}");
}

impl Progress for Bar {
    fn start(&self, label: &str, total: u64) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        *line = Line {
            label: clean(label),
            total,
            drawn: None,
        };
        drop(line);
        self.draw(0, Instant::now());
    }

    fn update(&self, done: u64) {
        self.draw(done, Instant::now());
    }

    fn end(&self) {
        if self.is_shown {
            write("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_goes_on_and_how_far_it_is() {
        let line = |total| Line {
            label: "optimising".into(),
            total,
            drawn: None,
        };
        assert_eq!(line(450).text(45), "optimising  10 %");
        assert_eq!(line(450).text(9999), "optimising 100 %");
        assert_eq!(line(0).text(3), "optimising");
    }
}
