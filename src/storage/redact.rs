//! Errors of stores without credentials: requests and answers are quoted in them.

use std::error::Error as StdError;
use std::fmt;

use object_store::Error;

use super::address::without_credentials;
use crate::BoxError;

/// Most characters of a server's answer that an error repeats.
const MAX_ANSWER: usize = 300;
/// What stands where a secret was.
const HIDDEN: &str = "(hidden)";

/// The same error in words that hold no credentials: none of `secrets`, no query of a URL, and of a
/// server's answer its code and message only (it may quote the whole signed request).
pub(super) fn redacted(error: Error, secrets: &[String]) -> Error {
    let told = |source: BoxError| -> BoxError { Box::new(Told(words(source.as_ref(), secrets))) };
    match error {
        Error::Generic { store, source } => Error::Generic {
            store,
            source: told(source),
        },
        Error::NotFound { path, source } => Error::NotFound {
            path,
            source: told(source),
        },
        Error::AlreadyExists { path, source } => Error::AlreadyExists {
            path,
            source: told(source),
        },
        Error::Precondition { path, source } => Error::Precondition {
            path,
            source: told(source),
        },
        Error::NotModified { path, source } => Error::NotModified {
            path,
            source: told(source),
        },
        Error::PermissionDenied { path, source } => Error::PermissionDenied {
            path,
            source: told(source),
        },
        Error::Unauthenticated { path, source } => Error::Unauthenticated {
            path,
            source: told(source),
        },
        Error::NotSupported { source } => Error::NotSupported {
            source: told(source),
        },
        // These name a path, a key, an operation: nothing that was sent or answered.
        named @ (Error::InvalidPath { .. }
        | Error::UnknownConfigurationKey { .. }
        | Error::NotImplemented { .. }
        | Error::JoinError { .. }) => named,
        other => Error::Generic {
            store: "object store",
            source: Box::new(Told(words(&other, secrets))),
        },
    }
}

/// What an error and its causes said.
#[derive(Debug)]
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Told {}

fn words(error: &dyn StdError, secrets: &[String]) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        cause = inner.source();
    }
    for secret in secrets {
        text = text.replace(secret.as_str(), HIDDEN);
    }
    bare_urls(&short_answer(&text))
}

/// Of an answer in XML its code and message; of any other its beginning.
fn short_answer(text: &str) -> String {
    let starts = ["<?xml", "<Error", "<html", "<!DOCTYPE", "{"];
    let Some(start) = starts.iter().filter_map(|start| text.find(start)).min() else {
        return text.to_owned();
    };
    let (before, answer) = text.split_at(start);
    let element = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        let (inside, _) = rest.split_once(&format!("</{name}>"))?;
        // Azure adds the identity and time of the request in further lines.
        inside.lines().next()
    };
    let told = match (element("Code"), element("Message")) {
        (None, None) => answer.to_owned(),
        (code, message) => [code, message]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": "),
    };
    let told: String = told.chars().take(MAX_ANSWER).collect();
    format!("{before}{told}")
}

/// The text with all URLs in it cut down to their address.
pub(crate) fn bare_urls(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '(' | ')' | '`');
    let mut bare = String::with_capacity(text.len());
    for word in text.split_inclusive(ends) {
        let end = word.trim_end_matches(ends);
        match end.contains("://") {
            true => {
                bare.push_str(&without_credentials(end));
                bare.push_str(&word[end.len()..]);
            }
            false => bare.push_str(word),
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &str) -> String {
        let error = Error::PermissionDenied {
            path: "a".into(),
            source: source.into(),
        };
        redacted(error, &["wJalrXUtnFEMI".to_owned()]).to_string()
    }

    #[test]
    fn an_answer_that_quotes_the_request_is_cut_down_to_its_code_and_message() {
        let error = told(
            "Error performing PUT http://host/b/a in 5ms - Server returned 403: <?xml version=\"1.0\"?><Error>\
             <Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message>\
             <CanonicalRequest>x-amz-security-token:FQoGZXIvYXdzE</CanonicalRequest></Error>",
        );
        assert!(
            error.contains("SignatureDoesNotMatch: The signature does not match."),
            "{error}"
        );
        assert!(error.contains("http://host/b/a in 5ms"), "{error}");
        assert!(!error.contains("FQoGZXIvYXdzE"), "{error}");
    }

    #[test]
    fn urls_lose_their_query_and_their_user() {
        let error = told("GET (https://me:pw@host/c/a?sv=1&sig=abc) failed, see https://x.y/z");
        assert!(
            error.contains("GET (https://host/c/a) failed, see https://x.y/z"),
            "{error}"
        );
    }

    #[test]
    fn secrets_that_are_known_are_hidden_wherever_they_stand() {
        let error = told("the key wJalrXUtnFEMI is not valid");
        assert!(error.contains("the key (hidden) is not valid"), "{error}");
    }

    #[test]
    fn causes_are_told_and_the_kind_of_an_error_stays() {
        let inner = std::io::Error::other("connection refused");
        let error = Error::Generic {
            store: "S3",
            source: Box::new(crate::Error::storage("send", "x", inner)),
        };
        let error = redacted(error, &[]);
        assert!(error.to_string().contains("connection refused"), "{error}");
        assert!(matches!(error, Error::Generic { store: "S3", .. }));
    }
}
