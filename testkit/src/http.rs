//! As much HTTP as a server for tests needs.

use std::io::{BufRead, Error, Result};

/// A request with its whole body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query, still encoded.
    pub(crate) path: String,
    queries: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut request = Self::default();
        let first = line(reader)?;
        let mut words = first.split(' ');
        request.method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let (path, queries) = target.split_once('?').unwrap_or((target, ""));
        request.path = path.to_owned();
        for query in queries.split('&').filter(|query| !query.is_empty()) {
            let (name, value) = query.split_once('=').unwrap_or((query, ""));
            let value = decoded(&value.replace('+', " "));
            request.queries.push((decoded(name), value));
        }
        loop {
            let header = line(reader)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').unwrap_or((&header, ""));
            let (name, value) = (name.to_lowercase(), value.trim().to_owned());
            request.headers.push((name, value));
        }
        let length = request.header("content-length");
        let length = length.map_or(Ok(0), str::parse).map_err(Error::other)?;
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body)?;
        Ok(request)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let found = self.queries.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    /// The head of the request, as servers quote it.
    pub(crate) fn text(&self) -> String {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| format!("{name}:{value}\n"));
        format!(
            "{} {}\n{}",
            self.method,
            self.path,
            headers.collect::<String>()
        )
    }
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// `%41` as `A`.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = match first {
            b'%' => after
                .get(..2)
                .and_then(|code| std::str::from_utf8(code).ok()),
            _ => None,
        };
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const ENTITIES: [(&str, &str); 5] = [
    ("&", "&amp;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ("\"", "&quot;"),
    ("'", "&apos;"),
];

/// Text as XML holds it.
pub(crate) fn escaped(text: &str) -> String {
    ENTITIES
        .iter()
        .fold(text.to_owned(), |text, (plain, entity)| {
            text.replace(plain, entity)
        })
}

/// XML's text as it is meant.
pub(crate) fn unescaped(text: &str) -> String {
    ENTITIES
        .iter()
        .rev()
        .fold(text.to_owned(), |text, (plain, entity)| {
            text.replace(entity, plain)
        })
}
