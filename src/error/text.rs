//! Errors and panics in words.

use std::error::Error as StdError;

use super::Error;

impl Error {
    /// This error and its causes on one line, for logs and for a run's failure reason. A cause that
    /// the text repeats already is not told again.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(inner) = cause {
            let told = inner.to_string();
            if !text.contains(&told) {
                text.push_str(": ");
                text.push_str(&told);
            }
            cause = inner.source();
        }
        text
    }
}

/// The problems on one line, each with its causes.
pub(super) fn numbered(problems: &[Error]) -> String {
    let numbered = problems.iter().zip(1..);
    let texts: Vec<String> = numbered
        .map(|(problem, number)| format!("({number}) {}", problem.chain()))
        .collect();
    texts.join(" ")
}

/// The message of a caught panic, whatever it was raised with.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
