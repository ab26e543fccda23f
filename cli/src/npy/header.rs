//! The header of a `.npy` file: a Python dictionary of three keys, as text.

use std::str::FromStr;

/// What a header says about the values that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The type, for example `<f4`.
    pub descr: String,
    pub is_fortran: bool,
    pub shape: Vec<u64>,
}

impl FromStr for Header {
    type Err = String;

    /// Reads the dictionary; one pass, no recursion.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = Rest(text.trim_end_matches(['\n', ' ', '\0']));
        let (mut descr, mut is_fortran, mut shape) = (None, None, None);
        rest.expect('{')?;
        while !rest.take('}') {
            let key = rest.string()?;
            rest.expect(':')?;
            let is_new = match key {
                "descr" => descr.replace(rest.type_description()?).is_none(),
                "fortran_order" => is_fortran.replace(rest.boolean()?).is_none(),
                "shape" => shape.replace(rest.shape()?).is_none(),
                other => return Err(format!("it has the key {other:?}")),
            };
            if !is_new {
                return Err(format!("it has the key {key:?} twice"));
            }
            if !rest.take(',') {
                rest.expect('}')?;
                break;
            }
        }
        rest.end()?;
        let missing = |key: &str| format!("the key {key:?} is missing");
        Ok(Self {
            descr: descr.ok_or_else(|| missing("descr"))?,
            is_fortran: is_fortran.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

/// The text that is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes this character if it comes next.
    fn take(&mut self, wanted: char) -> bool {
        self.skip_space();
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.take(wanted) {
            true => Ok(()),
            false => Err(format!("it has {} where `{wanted}` should be", self.next())),
        }
    }

    fn next(&self) -> String {
        match self.0.chars().next() {
            Some(next) => format!("{next:?}"),
            None => "nothing".into(),
        }
    }

    fn end(&mut self) -> Result<(), String> {
        self.skip_space();
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(format!("it goes on with {} after its end", self.next())),
        }
    }

    /// Text in single or double quotes; the texts that occur need no escapes.
    fn string(&mut self) -> Result<&'a str, String> {
        self.skip_space();
        let quote = self.0.chars().next().filter(|c| ['\'', '"'].contains(c));
        let text = quote.and_then(|quote| self.0.get(1..)?.split_once(quote));
        let Some((text, rest)) = text else {
            return Err(format!("it has {} where text should be", self.next()));
        };
        self.0 = rest;
        Ok(text)
    }

    /// A type; those of records are lists.
    fn type_description(&mut self) -> Result<String, String> {
        match self.take('[') {
            true => Err("it describes records with fields, not numbers".into()),
            false => self.string().map(str::to_owned),
        }
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.skip_space();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Ok(value);
            }
        }
        Err(format!(
            "it has {} where True or False should be",
            self.next()
        ))
    }

    fn shape(&mut self) -> Result<Vec<u64>, String> {
        self.expect('(')?;
        let mut shape = Vec::new();
        while !self.take(')') {
            shape.push(self.number()?);
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }

    fn number(&mut self) -> Result<u64, String> {
        self.skip_space();
        let end = self.0.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        let number = digits.parse().map_err(|_| match digits {
            "" => format!("it has {} where a number should be", self.next()),
            digits => format!("the number {digits} in its shape is too large"),
        })?;
        // Python 2 wrote long integers as `10L`.
        self.0 = rest.strip_prefix('L').unwrap_or(rest);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Header, String> {
        text.parse()
    }

    #[test]
    fn what_numpy_writes_is_read() {
        // numpy.save of float32 [3, 2], padded to 64 bytes as NumPy pads it.
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }             \n";
        let expected = Header {
            descr: "<f4".into(),
            is_fortran: false,
            shape: vec![3, 2],
        };
        assert_eq!(header(text).unwrap(), expected);
    }

    #[test]
    fn other_spellings_of_the_same_dictionary_are_read() {
        let texts = [
            r#"{"shape":(10L,2L),"descr":">f8","fortran_order":True}"#,
            "{ 'fortran_order' : True , 'descr':'>f8', 'shape':( 10 ,2, ) }",
        ];
        for text in texts {
            let read = header(text).unwrap();
            assert_eq!((read.shape, read.is_fortran), (vec![10, 2], true), "{text}");
            assert_eq!(read.descr, ">f8");
        }
        let one = header("{'descr': '<f4', 'fortran_order': False, 'shape': (), }").unwrap();
        assert_eq!(one.shape, [0_u64; 0]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let cases = [
            ("", "nothing where `{`"),
            ("{", "nothing where text"),
            (
                "{'descr': '<f4', 'shape': (1,)}",
                "\"fortran_order\" is missing",
            ),
            ("{'descr': '<f4', 'descr': '<f8'}", "twice"),
            ("{'colour': 'red'}", "\"colour\""),
            ("{'descr': [('a', '<f4')], 'shape': (1,)}", "records"),
            ("{'fortran_order': 1}", "'1' where True or False"),
            ("{'shape': (-1, 2)}", "'-' where a number"),
            ("{'shape': (99999999999999999999, 2)}", "too large"),
            ("{'shape': (2.5, 2)}", "'.' where `)`"),
            ("{'descr': '<f4", "where text should be"),
            (
                "{'descr': '<f4', 'fortran_order': True, 'shape': ()} x",
                "goes on with 'x'",
            ),
        ];
        for (text, told) in cases {
            let error = header(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_at_once() {
        for open in ["{", "(", "[", "{'shape':(", "{'descr':"] {
            assert!(header(&open.repeat(30_000)).is_err());
        }
    }

    #[test]
    fn any_text_is_answered() {
        // Every cut of a good header, and one with each byte changed to another kind of character.
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
        for end in 0..text.len() {
            assert!(header(&text[..end]).is_err(), "{end}");
        }
        for place in 0..text.len() {
            for other in ["'", "{", "é", "9", "\u{0}"] {
                let _ = header(&[&text[..place], other, &text[place + 1..]].concat());
            }
        }
    }
}
