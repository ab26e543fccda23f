//! The YAML file that describes a YOLO data set: its classes and where its splits are.

use std::path::Path;

use saphyr_parser::{Event, Parser};

use crate::{Error, Result};

/// What the file says of what we need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct YoloFile {
    /// `path`: where the splits are below, relative to the file or not.
    pub(super) root: Option<String>,
    /// Split names with their folders or lists of images, in the file's order.
    pub(super) splits: Vec<(String, Vec<String>)>,
    /// Class names by label.
    pub(super) names: Vec<String>,
}

/// The keys of splits.
pub(super) const SPLITS: [&str; 3] = ["train", "val", "test"];
/// How far a coordinate may lie beyond the image, as a share of it: Ultralytics' tolerance.
pub(super) const BEYOND: f64 = 0.01;
/// Levels of lists and mappings; data sets have three.
const DEEPEST: usize = 16;

/// What a key holds.
#[derive(Debug)]
enum Node {
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

impl YoloFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// `Import` with the line, for what is no YAML, aliases, keys twice, and names that are no list and no
    /// mapping of 0, 1, 2, ..., and data sets of poses.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut reader = Reader {
            path,
            events: Parser::new_from_str(text),
            line: 1,
        };
        let Node::Mapping(entries) = reader.document()? else {
            return Err(reader.wrong("there is no mapping with `names`"));
        };
        let mut file = Self::default();
        let mut classes = None;
        for (key, node) in entries {
            match (key.as_str(), node) {
                ("path", Node::Text(root)) => file.root = Some(root).filter(|root| !is_null(root)),
                ("names", node) => file.names = names(node).map_err(|text| wrong(path, &text))?,
                ("nc", Node::Text(count)) => classes = Some(count),
                (split, node) if SPLITS.contains(&split) => {
                    let places = places(node).map_err(|text| wrong(path, &text))?;
                    if !places.is_empty() {
                        file.splits.push((key, places));
                    }
                }
                ("kpt_shape", node) if !matches!(&node, Node::Text(text) if is_null(text)) => {
                    return Err(poses(path));
                }
                ("path" | "nc", _) => return Err(wrong(path, &format!("`{key}` is no text"))),
                _ => {}
            }
        }
        if file.names.is_empty() {
            return Err(wrong(path, "`names` is missing, the list of class names"));
        }
        match classes {
            Some(count) if count != file.names.len().to_string() => {
                let text = format!("`nc` is {count} where there are {} names", file.names.len());
                Err(wrong(path, &text))
            }
            _ => Ok(file),
        }
    }
}

fn wrong(path: &Path, text: &str) -> Error {
    malformed(path, text, "its keys".into())
}

/// Lines of keypoints would read as polygons of their numbers.
fn poses(path: &Path) -> Error {
    Error::Import {
        reason: "`kpt_shape` tells a data set of poses, whose labels hold keypoints".into(),
        position: "its keys".into(),
        hint: "boxes, rotated boxes and segments are read; bring keypoints in as a COCO file"
            .into(),
        path: path.display().to_string(),
    }
}

fn malformed(path: &Path, reason: &str, position: String) -> Error {
    Error::Import {
        reason: reason.to_owned(),
        position,
        hint: "write `names` and the folders of the splits, as Ultralytics documents them".into(),
        path: path.display().to_string(),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Names by index, from a list or a mapping.
fn names(node: Node) -> Result<Vec<String>, String> {
    let text = |node: Node| match node {
        Node::Text(name) => Ok(name),
        _ => Err("a name in `names` is no text".to_owned()),
    };
    match node {
        Node::List(names) => names.into_iter().map(text).collect(),
        Node::Mapping(mut entries) => {
            entries.sort_by_key(|(key, _)| key.parse::<u64>().unwrap_or(u64::MAX));
            let named = entries.into_iter().enumerate().map(|(index, (key, name))| {
                match key.parse() == Ok(index) {
                    true => text(name),
                    false => Err(format!(
                        "`names` has {key:?} where {index} is needed: classes count from 0 without gaps"
                    )),
                }
            });
            named.collect()
        }
        Node::Text(text) => Err(format!(
            "`names` is {text:?} where a list of names is needed"
        )),
    }
}

/// Folders or lists of images.
fn places(node: Node) -> Result<Vec<String>, String> {
    let text = |node: Node| match node {
        Node::Text(place) => Ok(place),
        _ => Err("a split is neither a folder nor a list of folders".to_owned()),
    };
    match node {
        Node::Text(place) if is_null(&place) => Ok(Vec::new()),
        Node::Text(place) => Ok(vec![place]),
        Node::List(places) => places.into_iter().map(text).collect(),
        Node::Mapping(_) => Err("a split is neither a folder nor a list of folders".to_owned()),
    }
}

/// Builds nodes of events.
struct Reader<'a> {
    path: &'a Path,
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    line: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, text: &str) -> Error {
        malformed(self.path, text, format!("line {}", self.line))
    }

    fn next(&mut self) -> Result<Event<'a>> {
        match self.events.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                Err(self.wrong(&format!("no YAML ({})", error.info())))
            }
            None => Err(self.wrong("the file ends too early")),
        }
    }

    /// The first document.
    fn document(&mut self) -> Result<Node> {
        loop {
            match self.next()? {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd => return Err(self.wrong("the file is empty")),
                event => return self.node(event, 0),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node> {
        if depth > DEEPEST {
            return Err(self.wrong("lists within lists, more than 16"));
        }
        match event {
            Event::Scalar(text, ..) => Ok(Node::Text(text.into_owned())),
            Event::SequenceStart(..) => {
                let mut list = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(Node::List(list)),
                        event => list.push(self.node(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(..) => self.mapping(depth),
            Event::Alias(_) => Err(self.wrong("an alias (`*`), which is not read here")),
            _ => Err(self.wrong("something that is no value")),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Node> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut keys = std::collections::HashSet::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => return Ok(Node::Mapping(entries)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(self.wrong("a key that is no text")),
            };
            if !keys.insert(key.clone()) {
                return Err(self.wrong(&format!("`{key}` stands there twice")));
            }
            let event = self.next()?;
            let node = self.node(event, depth + 1)?;
            entries.push((key, node));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<YoloFile> {
        YoloFile::parse(Path::new("data.yaml"), text)
    }

    #[test]
    fn files_as_people_have_them() {
        let listed = "train: ../train/images\nval: ../valid/images\n\nnc: 2\nnames: ['cat', \"a: b\"]\n\
                      roboflow:\n  workspace: x\n  version: 3\n";
        let mapped = "# COCO8\npath: coco8 # root\ntrain: [images/a, images/b]\nval: images/val\ntest:\n\
                      names:\n  1: car\n  0: person\ndownload: |\n  from x import y\n  y(a=[1])\n";
        let listed = parse(listed).unwrap();
        assert_eq!(listed.names, ["cat", "a: b"]);
        assert_eq!(
            listed.splits[1],
            ("val".into(), vec!["../valid/images".into()])
        );
        let mapped = parse(mapped).unwrap();
        assert_eq!(mapped.names, ["person", "car"]);
        assert_eq!(mapped.root.as_deref(), Some("coco8"));
        let names: Vec<&str> = mapped
            .splits
            .iter()
            .map(|(split, _)| split.as_str())
            .collect();
        assert_eq!(
            (names.as_slice(), mapped.splits[0].1.len()),
            (["train", "val"].as_slice(), 2)
        );
    }

    #[test]
    fn what_is_something_else_is_told_with_its_line() {
        for (text, part) in [
            ("", "empty"),
            ("- a", "no mapping"),
            ("names: [a\n", "no YAML"),
            ("names:\n  0: a\n  2: b\n", "\"2\" where 1 is needed"),
            ("names:\n  cat: 0\n", "\"cat\" where 0 is needed"),
            ("names: cat\n", "a list of names"),
            (
                "names: [a]\nnames: [b]\n",
                "`names` stands there twice at line 2",
            ),
            ("a: &x [1]\nnames: *x\n", "alias"),
            ("names: [a]\nkpt_shape: [17, 3]\n", "data set of poses"),
            ("names: [a]\nnc: 2\n", "`nc` is 2 where there are 1 names"),
            ("train: x\n", "`names` is missing"),
            ("names: [[a]]\n", "no text"),
            ("names: [a]\ntrain: {a: b}\n", "neither a folder"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(
                error.contains(part) && error.contains("data.yaml"),
                "{text:?}: {error}"
            );
        }
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse(&"a: ".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-a-z0-9 :\\[\\]{},\n'\"&*|>#]{0,80}") {
            let _ = parse(&text);
        }
    }
}
