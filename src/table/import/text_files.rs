//! Tables from text files.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};

use super::skipped::{Defect, Imported, Sieve, SkipReason};
use super::text_folders;
use super::text_lines::{Label, Lines};
use super::{malformed, unreadable};
use crate::Result;
use crate::storage::Location;
use crate::table::chunks::{CHUNK_BYTES, CHUNK_ROWS};
use crate::table::{Columns, Role, Table, schema};

/// Where the samples of a text data set are.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextLayout {
    /// A folder with one sub-folder for each class, and in it one file for each sample at any depth:
    /// `pos/0_9.txt`. Files beside the class folders are left out.
    ClassFolders,
    /// A folder with one file for each sample at any depth.
    Files,
    /// A file with one sample in each line.
    Lines,
    /// A file whose lines are a class, a tab and the text; the text may hold further tabs.
    LabelThenText,
    /// A file whose lines are the text, a tab and a class; the text may hold further tabs.
    TextThenLabel,
}

/// How to import text files.
///
/// ```
/// use emberlens::table::import::{TextFiles, TextLayout};
/// let options = TextFiles { lenient: true, ..TextFiles::new(TextLayout::LabelThenText) };
/// assert_eq!(options.max_text_bytes, 1 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct TextFiles {
    /// Where the samples are.
    pub layout: TextLayout,
    /// Largest file or line of one sample, in bytes of UTF-8; 1 MiB by default.
    pub max_text_bytes: usize,
    /// Leave out files and lines that cannot be read, and count them (default: the first is an error).
    pub lenient: bool,
}

impl TextFiles {
    /// This layout, texts of up to 1 MiB, the first bad one an error.
    pub fn new(layout: TextLayout) -> Self {
        Self {
            layout,
            max_text_bytes: 1 << 20,
            lenient: false,
        }
    }
}

/// Creates a table from text files in UTF-8.
///
/// Texts stay as they are, without a byte-order mark at the start of the file and, in layouts of lines,
/// without the line's end (`\n` or `\r\n`). Blank lines hold no sample. A file without text is a sample
/// with an empty text. Files are sorted by class and path, hidden ones are left out; the same tree gives
/// the same rows on any machine. Classes are sorted by name, and those of folders without a text keep
/// their index. Texts in a column of a CSV file are read by [`csv`](super::csv()).
///
/// # Shapes and units
/// One row per sample: `text` (string); `label` (i32, a category with the class names) in layouts with
/// classes; of files `path` (below the folder, with `/`), of lines `line` (i64, counted from 1).
///
/// # Memory
/// One chunk of at most 8,192 texts or about 32 MiB; of folders all paths. A file of lines with classes
/// is read twice.
///
/// # Errors
/// `Invalid` with the file and, of lines, the line: for bytes that are not UTF-8 (with the first of
/// them), a file or line above `max_text_bytes`, a line without a tab or with a blank class where classes are
/// expected; these are counted with `lenient`. `Invalid` when no text is left, for a folder where a file
/// is needed, and for more than 65,536 classes; `NotFound` for a missing file or folder;
/// `AlreadyExists` for a table of that name. After an error there is no table.
///
/// ```
/// use emberlens::{storage::Location, table::import::{TextFiles, TextLayout, text_files}};
/// # let dir = std::env::temp_dir().join(format!("emberlens-text-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let path = dir.join("sms.tsv");
/// std::fs::write(&path, "ham\tsee you at six\nspam\tyou won\n")?;
/// let folder = Location::open("memory://")?.join("tables");
/// let options = TextFiles::new(TextLayout::LabelThenText);
/// let table = text_files(&folder, "sms", &path, &options)?.table;
/// assert_eq!(table.column::<String>("text")?, ["see you at six", "you won"]);
/// assert_eq!(table.category_names("label").unwrap(), ["ham", "spam"]);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn text_files(
    folder: &Location,
    name: &str,
    path: &Path,
    options: &TextFiles,
) -> Result<Imported> {
    let most = options.max_text_bytes;
    let label = match options.layout {
        TextLayout::ClassFolders | TextLayout::Files => {
            let has_classes = options.layout == TextLayout::ClassFolders;
            let root = path
                .canonicalize()
                .map_err(|error| unreadable("open", path, error))?;
            let (classes, files) = text_folders::scan(&root, has_classes)?;
            let samples = files.into_iter().map(|file| file.read(most));
            let classes = has_classes.then_some(classes);
            return write(
                folder,
                name,
                path,
                classes,
                "path",
                samples,
                options.lenient,
            );
        }
        TextLayout::Lines => Label::None,
        TextLayout::LabelThenText => Label::First,
        TextLayout::TextThenLabel => Label::Last,
    };
    let classes = match label {
        Label::None => None,
        _ => Some(Lines::open(path, label, most)?.class_names()?),
    };
    let samples =
        Lines::open(path, label, most)?.classified(classes.as_deref().unwrap_or_default());
    write(
        folder,
        name,
        path,
        classes,
        "line",
        samples,
        options.lenient,
    )
}

/// One row.
pub(super) struct Sample {
    pub(super) text: String,
    pub(super) class: Option<i32>,
    pub(super) place: Place,
}

/// Where a sample comes from.
pub(super) enum Place {
    Path(String),
    Line(i64),
}

/// A sample, or the general reason why there is none and the error.
pub(super) type Read = Result<Sample, Defect>;

fn write(
    folder: &Location,
    name: &str,
    path: &Path,
    classes: Option<Vec<String>>,
    place: &'static str,
    samples: impl Iterator<Item = Read>,
    lenient: bool,
) -> Result<Imported> {
    let mut fields = vec![schema::field("text", DataType::Utf8, None)?];
    if let Some(classes) = &classes {
        let role = Role::category(classes);
        fields.push(schema::field("label", DataType::Int32, Some(&role))?);
    }
    let place_type = match place {
        "line" => DataType::Int64,
        _ => DataType::Utf8,
    };
    fields.push(schema::field(place, place_type, None)?);
    let mut batches = Batches {
        samples,
        path,
        has_classes: classes.is_some(),
        sieve: Sieve::new(lenient),
        rows: 0,
    };
    let table = Table::create_from_batches(folder, name, &Schema::new(fields), &mut batches)?;
    Ok(Imported::new(table, batches.sieve.finish()))
}

/// Samples in batches of bounded size.
struct Batches<'a, I> {
    samples: I,
    path: &'a Path,
    has_classes: bool,
    sieve: Sieve,
    rows: usize,
}

impl<I: Iterator<Item = Read>> Batches<'_, I> {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut texts, mut size) = (Vec::new(), 0);
        let (mut classes, mut paths, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        while texts.len() < CHUNK_ROWS && size < CHUNK_BYTES {
            let Some(sample) = self.samples.next() else {
                break;
            };
            let Some(sample) = self.sieve.pass(sample)? else {
                continue;
            };
            size += sample.text.len();
            texts.push(sample.text);
            classes.push(sample.class);
            match sample.place {
                Place::Path(path) => paths.push(path),
                Place::Line(line) => lines.push(line),
            }
        }
        self.rows += texts.len();
        if self.rows == 0 {
            let reason = match self.sieve.skipped().is_empty() {
                true => "there are no texts".to_owned(),
                false => format!("no text is left ({})", self.sieve.skipped()),
            };
            let hint = "give files or lines with text in UTF-8, in the layout that was named";
            return Err(malformed(self.path, reason, "the whole of it", hint));
        }
        if texts.is_empty() {
            return Ok(None);
        }
        let mut columns = Columns::new().with("text", texts);
        if self.has_classes {
            columns.push("label", classes);
        }
        match lines.is_empty() {
            true => columns.push("path", paths),
            false => columns.push("line", lines),
        }
        columns
            .into_batch(&self.path.display().to_string())
            .map(Some)
    }
}

impl<I: Iterator<Item = Read>> Iterator for Batches<'_, I> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

/// Bytes as text.
///
/// # Errors
/// `Import` with the first byte that belongs to no character.
pub(super) fn decode(
    bytes: Vec<u8>,
    path: &Path,
    position: impl Fn(usize) -> String,
) -> Result<String, Defect> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        let error = malformed(
            path,
            format!("byte 0x{byte:02x} is not UTF-8"),
            position(at),
            "convert the file to UTF-8, for example with `iconv -f LATIN1 -t UTF-8`",
        );
        Defect::new(SkipReason::Encoding, error)
    })
}

/// The text of a file without its byte-order mark.
pub(super) fn without_mark(text: String) -> String {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// The error for a text that is too long.
pub(super) fn too_long(path: &Path, found: u64, most: usize, position: String) -> Defect {
    let error = malformed(
        path,
        format!("the text has {found} bytes where at most {most} go into a row"),
        position,
        "split it, or raise max_text_bytes",
    );
    Defect::new(SkipReason::TextSize, error)
}
