//! From sqlparser's tree to a typed one.

use sqlparser::ast::{
    BinaryOperator, Expr, Function as Called, FunctionArg, FunctionArgExpr, FunctionArguments,
    InTarget, Spanned, UnaryOperator, Value,
};
use sqlparser::tokenizer::Span;

use super::bind;
use super::column::FilterColumn;
use super::literal::{self, literal};
use super::mark::Source;
use super::meet::{class_of, meet};
use super::node::{Arithmetic, Common, Comparison, Function, Kind, Node, Op};
use crate::{Error, Result};

/// Operators within one another, at most: trees are walked by recursion.
const MOST_DEEP: usize = 32;

/// Checks the types of a filter against the columns that there are.
#[derive(Clone, Copy)]
pub(super) struct Checker<'a> {
    pub(super) source: Source<'a>,
    pub(super) columns: &'a [FilterColumn],
    /// Operators around this part.
    pub(super) depth: usize,
}

impl Checker<'_> {
    /// A part that is true, false or unknown.
    pub(super) fn condition(self, expr: &Expr) -> Result<Node> {
        let node = self.node(expr)?;
        match node.kind {
            Kind::Bool | Kind::Null => Ok(node),
            _ => {
                let reason = format!("this is {}, and a condition is needed", node.kind.told());
                Err(self
                    .source
                    .error(node.span, reason, "compare it with something"))
            }
        }
    }

    fn node(self, expr: &Expr) -> Result<Node> {
        let span = expr.span();
        if self.depth == MOST_DEEP {
            let reason = format!("more than {MOST_DEEP} operators lie within one another");
            return Err(self
                .source
                .error(span, reason, "write it flatter, or select in steps"));
        }
        let depth = self.depth + 1;
        Self { depth, ..self }.inner(expr, span)
    }

    fn inner(self, expr: &Expr, span: Span) -> Result<Node> {
        let op = match expr {
            Expr::Identifier(name) => {
                return bind::column(self.source, self.columns, std::slice::from_ref(name), span);
            }
            Expr::CompoundIdentifier(names) => {
                return bind::column(self.source, self.columns, names, span);
            }
            Expr::Value(value) => return literal(self.source, &value.value, value.span, ""),
            Expr::TypedString(typed) => return literal::typed(self.source, typed, span),
            Expr::Nested(inner) => return self.node(inner),
            Expr::UnaryOp { op, expr } => return self.unary(op, expr, span),
            Expr::BinaryOp { left, op, right } => return self.binary(left, op, right, span),
            Expr::IsNull(inner) => Op::IsNull(Box::new(self.node(inner)?)),
            Expr::IsNotNull(inner) => {
                let is_null = condition_of(Op::IsNull(Box::new(self.node(inner)?)), span);
                Op::Not(Box::new(is_null))
            }
            Expr::IsTrue(inner) => Op::Is(Box::new(self.condition(inner)?), true),
            Expr::IsFalse(inner) => Op::Is(Box::new(self.condition(inner)?), false),
            Expr::IsNotTrue(inner) => self.is_not(inner, true, span)?,
            Expr::IsNotFalse(inner) => self.is_not(inner, false, span)?,
            Expr::IsDistinctFrom(left, right) => {
                self.compare(Comparison::Distinct, left, right, span)?
            }
            Expr::IsNotDistinctFrom(left, right) => {
                self.compare(Comparison::NotDistinct, left, right, span)?
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => negate(*negated, self.between(expr, low, high, span)?, span),
            Expr::In {
                expr,
                target: InTarget::List(list),
                negated,
                global: false,
            } => negate(*negated, self.is_in(expr, list, span)?, span),
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => negate(*negated, self.like(expr, pattern, false)?, span),
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => negate(*negated, self.like(expr, pattern, true)?, span),
            Expr::Function(called) => return self.call(called, span),
            Expr::Cast { .. } => {
                return Err(
                    self.unsupported(&expr.to_string(), self.source.widened_to("cast", span))
                );
            }
            _ => return Err(self.unsupported(&expr.to_string(), span)),
        };
        Ok(condition_of(op, span))
    }

    fn unsupported(self, what: &str, span: Span) -> Error {
        let mut what: String = what.chars().take(60).collect();
        what.retain(|character| !character.is_control());
        let hint = "filters have comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, arithmetic \
                    and a few functions";
        self.source
            .error(span, format!("filters do not know `{what}`"), hint)
    }

    fn unary(self, op: &UnaryOperator, expr: &Expr, span: Span) -> Result<Node> {
        match (op, expr) {
            (UnaryOperator::Not, _) => {
                let inner = self.condition(expr)?;
                Ok(condition_of(Op::Not(Box::new(inner)), span))
            }
            (UnaryOperator::Minus, Expr::Value(value))
                if matches!(value.value, Value::Number(..)) =>
            {
                literal(self.source, &value.value, value.span, "-")
            }
            (UnaryOperator::Minus, _) => self.numeric(Function::Negate, self.node(expr)?, span),
            (UnaryOperator::Plus, _) => {
                let inner = self.node(expr)?;
                self.number(&inner)?;
                Ok(inner)
            }
            (other, _) => Err(self.unsupported(&other.to_string(), span)),
        }
    }

    fn binary(self, left: &Expr, op: &BinaryOperator, right: &Expr, span: Span) -> Result<Node> {
        use BinaryOperator as B;
        let op = match op {
            B::And => Op::And(self.operands(B::And, left, right)?),
            B::Or => Op::Or(self.operands(B::Or, left, right)?),
            B::Eq => self.compare(Comparison::Equal, left, right, span)?,
            B::NotEq => self.compare(Comparison::NotEqual, left, right, span)?,
            B::Lt => self.compare(Comparison::Less, left, right, span)?,
            B::LtEq => self.compare(Comparison::LessOrEqual, left, right, span)?,
            B::Gt => self.compare(Comparison::Greater, left, right, span)?,
            B::GtEq => self.compare(Comparison::GreaterOrEqual, left, right, span)?,
            B::Plus => return self.arithmetic(Arithmetic::Add, left, right, span),
            B::Minus => return self.arithmetic(Arithmetic::Subtract, left, right, span),
            B::Multiply => return self.arithmetic(Arithmetic::Multiply, left, right, span),
            B::Divide => return self.arithmetic(Arithmetic::Divide, left, right, span),
            B::Modulo => return self.arithmetic(Arithmetic::Remainder, left, right, span),
            other => return Err(self.unsupported(&other.to_string(), span)),
        };
        Ok(condition_of(op, span))
    }

    /// The conditions that a chain of one operator joins: as many as there are, at one depth.
    fn operands(self, op: BinaryOperator, left: &Expr, right: &Expr) -> Result<Vec<Node>> {
        let (mut rest, mut last_first) = (left, vec![right]);
        while let Expr::BinaryOp {
            left,
            op: own,
            right,
        } = rest
            && *own == op
        {
            last_first.push(right);
            rest = left;
        }
        last_first.push(rest);
        let conditions = last_first.into_iter().rev();
        conditions
            .map(|condition| self.condition(condition))
            .collect()
    }

    fn is_not(self, inner: &Expr, value: bool, span: Span) -> Result<Op> {
        let is = Op::Is(Box::new(self.condition(inner)?), value);
        Ok(Op::Not(Box::new(condition_of(is, span))))
    }

    fn compare(self, how: Comparison, left: &Expr, right: &Expr, span: Span) -> Result<Op> {
        let (left, right) = (self.node(left)?, self.node(right)?);
        let by_index = !matches!(
            how,
            Comparison::Less
                | Comparison::LessOrEqual
                | Comparison::Greater
                | Comparison::GreaterOrEqual
        );
        let (mut sides, common) = meet(self.source, vec![left, right], by_index, span)?;
        match (sides.pop(), sides.pop()) {
            (Some(right), Some(left)) => {
                Ok(Op::Compare(how, Box::new(left), Box::new(right), common))
            }
            _ => Err(self.unsupported("a comparison of one side", span)),
        }
    }

    fn between(self, value: &Expr, low: &Expr, high: &Expr, span: Span) -> Result<Op> {
        let all = vec![self.node(value)?, self.node(low)?, self.node(high)?];
        let (mut all, common) = meet(self.source, all, false, span)?;
        match (all.pop(), all.pop(), all.pop()) {
            (Some(high), Some(low), Some(value)) => Ok(Op::Between(
                Box::new(value),
                Box::new(low),
                Box::new(high),
                common,
            )),
            _ => Err(self.unsupported("BETWEEN without bounds", span)),
        }
    }

    fn is_in(self, value: &Expr, list: &[Expr], span: Span) -> Result<Op> {
        let mut all = vec![self.node(value)?];
        for item in list {
            all.push(self.node(item)?);
        }
        let (mut all, common) = meet(self.source, all, true, span)?;
        let value = all.remove(0);
        Ok(Op::In(Box::new(value), all, common))
    }

    fn like(self, text: &Expr, pattern: &Expr, ignores_case: bool) -> Result<Op> {
        let text = self.text(self.node(text)?)?;
        let pattern = self.node(pattern)?;
        match pattern.op {
            Op::Text(pattern) => Ok(Op::Like {
                text: Box::new(text),
                pattern,
                ignores_case,
            }),
            _ => {
                let reason = "the pattern of LIKE is text that is written out";
                Err(self
                    .source
                    .error(pattern.span, reason, "write it in single quotes"))
            }
        }
    }

    fn arithmetic(self, how: Arithmetic, left: &Expr, right: &Expr, span: Span) -> Result<Node> {
        let (left, right) = (self.node(left)?, self.node(right)?);
        self.number(&left)?;
        self.number(&right)?;
        let is_literal = left.is_literal && right.is_literal;
        let (mut sides, mut common) = meet(self.source, vec![left, right], true, span)?;
        if how == Arithmetic::Divide && common == Common::Integer {
            common = Common::Float64;
        }
        let kind = match common {
            Common::Integer => Kind::Integer,
            Common::Float32 => Kind::Float32,
            _ => Kind::Float64,
        };
        match (sides.pop(), sides.pop()) {
            (Some(right), Some(left)) => Ok(Node {
                kind,
                is_literal,
                span,
                op: Op::Arithmetic(how, Box::new(left), Box::new(right), common),
            }),
            _ => Err(self.unsupported("arithmetic with one side", span)),
        }
    }

    fn number(self, node: &Node) -> Result<()> {
        if node.kind.is_number() || node.kind == Kind::Null {
            return Ok(());
        }
        let reason = format!("this is {}, and a number is needed", node.kind.told());
        Err(self
            .source
            .error(node.span, reason, "use a column of numbers"))
    }

    /// The node as text: classes by their names.
    fn text(self, node: Node) -> Result<Node> {
        match &node.kind {
            Kind::Text | Kind::Null => Ok(node),
            Kind::Class(_) => class_of(self.source, node),
            other => {
                let reason = format!("this is {}, and text is needed", other.told());
                Err(self
                    .source
                    .error(node.span, reason, "use a column of text or of classes"))
            }
        }
    }

    fn numeric(self, function: Function, inner: Node, span: Span) -> Result<Node> {
        self.number(&inner)?;
        let kind = match (&inner.kind, function) {
            (_, Function::IsNan | Function::IsFinite | Function::IsInfinite) => Kind::Bool,
            (Kind::Class(_) | Kind::Null, _) => Kind::Integer,
            (kind, _) => kind.clone(),
        };
        Ok(Node {
            is_literal: inner.is_literal && kind != Kind::Bool,
            kind,
            span,
            op: Op::Call(function, Box::new(inner)),
        })
    }

    fn call(self, called: &Called, span: Span) -> Result<Node> {
        let name = called.name.to_string().to_lowercase();
        let is_plain = called.over.is_none()
            && called.filter.is_none()
            && called.null_treatment.is_none()
            && called.within_group.is_empty()
            && called.parameters == FunctionArguments::None;
        let arguments = match &called.args {
            FunctionArguments::List(list)
                if list.clauses.is_empty() && list.duplicate_treatment.is_none() =>
            {
                list.args.as_slice()
            }
            _ => &[],
        };
        let (true, [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))]) = (is_plain, arguments)
        else {
            let reason = format!("`{name}` is not called so");
            return Err(self.source.error(span, reason, "functions take one value"));
        };
        let argument = self.node(argument)?;
        let (function, kind) = match name.as_str() {
            "abs" => return self.numeric(Function::Abs, argument, span),
            "isnan" => return self.numeric(Function::IsNan, argument, span),
            "isfinite" => return self.numeric(Function::IsFinite, argument, span),
            "isinf" => return self.numeric(Function::IsInfinite, argument, span),
            "lower" => (Function::Lower, Kind::Text),
            "upper" => (Function::Upper, Kind::Text),
            "length" => (Function::Length, Kind::Integer),
            _ => {
                let hint = "there are: abs, isnan, isfinite, isinf, lower, upper, length";
                let reason = format!("there is no function `{name}`");
                return Err(self.source.error(span, reason, hint));
            }
        };
        Ok(Node {
            kind,
            is_literal: false,
            span,
            op: Op::Call(function, Box::new(self.text(argument)?)),
        })
    }
}

fn negate(is_negated: bool, op: Op, span: Span) -> Op {
    match is_negated {
        true => Op::Not(Box::new(condition_of(op, span))),
        false => op,
    }
}

fn condition_of(op: Op, span: Span) -> Node {
    Node {
        kind: Kind::Bool,
        is_literal: false,
        span,
        op,
    }
}
