//! From a text to sqlparser's tree, within bounds.

use sqlparser::ast::Expr;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, TokenizerError};

use super::mark::Source;
use crate::{Error, Result};

/// Longest filter, in bytes.
const MOST_BYTES: usize = 64 << 10;
/// Tokens that may make a tree deeper, at most: chains of operators are as deep as they are long in
/// sqlparser's tree, which is dropped by recursion.
const MOST_OPERATORS: usize = 256;
/// Parentheses within parentheses.
const MOST_NESTED: usize = 32;

/// Parses one expression and nothing behind it.
pub(super) fn parse(source: Source<'_>) -> Result<Expr> {
    if source.0.len() > MOST_BYTES {
        return Err(Error::invalid(
            "filter",
            format!("{} bytes", source.0.len()),
            format!("a filter has {MOST_BYTES} bytes at most"),
            "select the rows in steps, or give them by number",
        ));
    }
    let tokens = Tokenizer::new(&GenericDialect {}, source.0)
        .tokenize_with_location()
        .map_err(|error| unreadable(source, &error))?;
    if tokens
        .iter()
        .all(|token| matches!(token.token, Token::Whitespace(_)))
    {
        let hint = "write a condition, for example loss > 2";
        return Err(source.error(Span::empty(), "the filter is empty", hint));
    }
    check_size(source, &tokens)?;
    let mut parser = Parser::new(&GenericDialect {})
        .with_recursion_limit(MOST_NESTED + 8)
        .with_tokens_with_locations(tokens);
    let parsed = match parser.parse_expr() {
        Ok(parsed) => parsed,
        Err(error) => return Err(refused(source, &error, parser.peek_token_ref())),
    };
    let rest = parser.peek_token_ref();
    match rest.token {
        Token::EOF => Ok(parsed),
        _ => Err(source.error(
            rest.span,
            format!("`{}` is not expected here", rest.token),
            "a filter is one condition; join conditions with AND or OR, and quote text with '...'",
        )),
    }
}

fn unreadable(source: Source<'_>, error: &TokenizerError) -> Error {
    let at = Span::new(error.location, error.location);
    source.error(
        at,
        error.message.clone(),
        "text stands in single quotes, '...'",
    )
}

/// Refuses what would make a tree too deep, before there is one.
fn check_size(source: Source<'_>, tokens: &[TokenWithSpan]) -> Result<()> {
    let (mut operators, mut open) = (0, 0_usize);
    for token in tokens {
        match &token.token {
            Token::Whitespace(_)
            | Token::Comma
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EOF => continue,
            Token::Word(word) if word.keyword == sqlparser::keywords::Keyword::NoKeyword => {
                continue;
            }
            Token::LParen => open += 1,
            Token::RParen => open = open.saturating_sub(1),
            _ => {}
        }
        operators += 1;
        if operators > MOST_OPERATORS || open > MOST_NESTED {
            let (reason, hint) = match open > MOST_NESTED {
                true => (
                    format!("more than {MOST_NESTED} parentheses are open"),
                    "write it flatter",
                ),
                false => (
                    format!("there are more than {MOST_OPERATORS} operators"),
                    "use IN (...) or BETWEEN, or select the rows in steps",
                ),
            };
            return Err(source.error(token.span, reason, hint));
        }
    }
    Ok(())
}

/// The parser's error, at the place that it names.
fn refused(source: Source<'_>, error: &ParserError, next: &TokenWithSpan) -> Error {
    let hint = "write a condition, for example loss > 2 AND label = 'cat'";
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            return source.error(next.span, "it is nested too deeply", "write it flatter");
        }
    };
    let Some((reason, line, column)) = placed(message) else {
        // It names no place where the text ends too early.
        return source.error(next.span, message.clone(), hint);
    };
    let start = Location::new(line, column);
    source.error(Span::new(start, start), reason, hint)
}

/// The parts of a message that ends with ` at Line: 1, Column: 5`.
fn placed(message: &str) -> Option<(&str, u64, u64)> {
    let (reason, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some((
        reason,
        line.trim().parse().ok()?,
        column.trim().parse().ok()?,
    ))
}
