//! A server that speaks as much S3 as tests need, in this process, soundly or with a flaw.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::http::{Request, decoded, escaped, unescaped};

/// What the server does with a write that asks for a new object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It does not look at the condition.
    IgnoresCondition,
    /// It looks, and writes a moment later.
    LooksTooEarly,
    /// It refuses a second object and writes it all the same.
    WritesWhatItRefuses,
    /// It does not know the condition, and says so.
    RefusesCondition,
    /// It writes, and answers that it failed.
    FailsAfterwards,
    /// It answers that two requests met, and does nothing.
    SeesConflict,
    /// It answers with an error that quotes the whole request, credentials and all.
    QuotesRequest,
}

type Plan = Box<dyn FnMut(&str) -> Option<Flaw> + Send>;

/// A bucket behind an endpoint `http://127.0.0.1:port`; every bucket name is the same bucket.
///
/// The server lives as long as the process: its thread waits for connections.
#[derive(Clone)]
pub struct BucketServer {
    state: Arc<Mutex<State>>,
    endpoint: String,
}

struct State {
    objects: BTreeMap<String, Vec<u8>>,
    plan: Plan,
    requests: Vec<String>,
}

impl BucketServer {
    /// Asks `plan` at every write of a new object, named by its key, what is wrong with it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(plan: impl FnMut(&str) -> Option<Flaw> + Send + 'static) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = Self {
            endpoint: format!("http://{}", listener.local_addr()?),
            state: Arc::new(Mutex::new(State {
                objects: BTreeMap::new(),
                plan: Box::new(plan),
                requests: Vec::new(),
            })),
        };
        let serving = server.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = serving.clone();
                // Who goes away in the middle of a request wants no answer.
                std::thread::spawn(move || drop(server.serve(&connection)));
            }
        });
        Ok(server)
    }

    /// A server without a flaw.
    ///
    /// # Errors
    /// As [`BucketServer::start`].
    pub fn sound() -> std::io::Result<Self> {
        Self::start(|_| None)
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What a client has to know to talk to it, by the names of the environment.
    pub fn settings(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Keys and contents of all objects.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.state().objects.clone()
    }

    /// The requests so far, as `METHOD key`.
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, connection: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(connection);
        let mut writer = connection;
        connection.set_nodelay(true)?;
        while !reader.fill_buf()?.is_empty() {
            let request = Request::read(&mut reader)?;
            let answer = self.answer(&request);
            let mut head = format!(
                "HTTP/1.1 {}\r\nContent-Length: {}\r\nLast-Modified: Wed, 04 Nov 2026 10:00:00 GMT\r\n",
                answer.status,
                answer.length.unwrap_or(answer.body.len())
            );
            for (name, value) in &answer.headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            let mut bytes = head.into_bytes();
            if request.method != "HEAD" {
                bytes.extend_from_slice(&answer.body);
            }
            // In one piece: the second of two would wait until the first was acknowledged.
            writer.write_all(&bytes)?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Answer {
        let path = decoded(&request.path);
        let key = path.trim_start_matches('/').split_once('/');
        let key = key.map_or("", |(_, key)| key).to_owned();
        let note = format!("{} {key}", request.method);
        self.state().requests.push(note);
        match request.method.as_str() {
            "PUT" => self.put(request, &key),
            "GET" if key.is_empty() => self.list(request),
            "GET" | "HEAD" => self.get(request, &key),
            "POST" => self.delete(request),
            _ => Answer::error("405 Method Not Allowed", "MethodNotAllowed", ""),
        }
    }

    fn put(&self, request: &Request, key: &str) -> Answer {
        let is_create = request.header("if-none-match") == Some("*");
        let flaw = match is_create {
            true => (self.state().plan)(key),
            false => None,
        };
        let taken = || {
            Answer::error(
                "412 Precondition Failed",
                "PreconditionFailed",
                "It exists.",
            )
        };
        let mut state = self.state();
        let exists = state.objects.contains_key(key);
        match flaw {
            Some(Flaw::RefusesCondition) => {
                return Answer::error("501 Not Implemented", "NotImplemented", "No conditions.");
            }
            Some(Flaw::SeesConflict) => {
                return Answer::error("409 Conflict", "ConditionalRequestConflict", "Try again.");
            }
            Some(Flaw::QuotesRequest) => {
                let quoted = request.text();
                let body = format!(
                    "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message>\
                     <CanonicalRequest>{quoted}</CanonicalRequest></Error>"
                );
                return Answer::of("403 Forbidden", body.into_bytes());
            }
            Some(Flaw::LooksTooEarly) => {
                drop(state);
                std::thread::sleep(Duration::from_millis(20));
                state = self.state();
            }
            _ => {}
        }
        let is_refused = is_create && exists && flaw != Some(Flaw::IgnoresCondition);
        if !is_refused || flaw == Some(Flaw::WritesWhatItRefuses) {
            state.objects.insert(key.to_owned(), request.body.clone());
        }
        match is_refused {
            true => taken(),
            false if flaw == Some(Flaw::FailsAfterwards) => {
                Answer::error("500 Internal Server Error", "InternalError", "Try again.")
            }
            false => Answer::of("200 OK", Vec::new()).with("ETag", "\"1\""),
        }
    }

    fn get(&self, request: &Request, key: &str) -> Answer {
        let Some(content) = self.state().objects.get(key).cloned() else {
            return Answer::error("404 Not Found", "NoSuchKey", "There is none.");
        };
        let length = content.len();
        if request.method == "HEAD" {
            let mut answer = Answer::of("200 OK", Vec::new()).with("ETag", "\"1\"");
            answer.length = Some(length);
            return answer;
        }
        let Some(range) = request
            .header("range")
            .and_then(|range| bounds(range, length))
        else {
            return Answer::of("200 OK", content).with("ETag", "\"1\"");
        };
        let told = format!(
            "bytes {}-{}/{length}",
            range.start,
            range.end.saturating_sub(1)
        );
        let part = content.get(range).unwrap_or_default().to_vec();
        let answer = Answer::of("206 Partial Content", part).with("ETag", "\"1\"");
        answer.with("Content-Range", &told)
    }

    fn list(&self, request: &Request) -> Answer {
        let prefix = request.query("prefix").unwrap_or_default();
        let after = request.query("start-after").unwrap_or_default();
        let delimiter = request.query("delimiter").filter(|text| !text.is_empty());
        let mut folders = Vec::new();
        let mut listed = String::new();
        for (key, content) in &self.state().objects {
            let Some(rest) = key.strip_prefix(&prefix) else {
                continue;
            };
            if *key <= after {
                continue;
            }
            match delimiter
                .as_ref()
                .and_then(|delimiter| rest.split_once(delimiter.as_str()))
            {
                Some((folder, _)) => folders.push(format!("{prefix}{folder}/")),
                None => listed.push_str(&format!(
                    "<Contents><Key>{}</Key><LastModified>2026-11-04T10:00:00.000Z</LastModified>\
                     <ETag>\"1\"</ETag><Size>{}</Size></Contents>",
                    escaped(key),
                    content.len()
                )),
            }
        }
        folders.dedup();
        for folder in folders {
            let folder = escaped(&folder);
            listed.push_str(&format!(
                "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
            ));
        }
        let body = format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
        );
        Answer::of("200 OK", body.into_bytes())
    }

    fn delete(&self, request: &Request) -> Answer {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let mut deleted = String::new();
        for part in body.split("<Key>").skip(1) {
            let key = part.split("</Key>").next().unwrap_or_default();
            self.state().objects.remove(&unescaped(key));
            deleted.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
        }
        Answer::of(
            "200 OK",
            format!("<DeleteResult>{deleted}</DeleteResult>").into_bytes(),
        )
    }
}

/// The bytes that a header `bytes=a-b` asks for.
fn bounds(range: &str, length: usize) -> Option<std::ops::Range<usize>> {
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = end
        .parse::<usize>()
        .map_or(length, |last| (last + 1).min(length));
    let start: usize = match start {
        "" => return None,
        start => start.parse().ok()?,
    };
    (start <= end).then_some(start..end)
}

struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Of the body that is not sent.
    length: Option<usize>,
}

impl Answer {
    fn of(status: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            length: None,
        }
    }

    fn error(status: &'static str, code: &str, message: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::of(status, body.into_bytes())
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}
