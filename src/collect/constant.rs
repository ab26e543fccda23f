//! Columns with one value for a whole pass.

use crate::table::{Column, Role};

/// One value that every row of a pass carries, such as a learning rate.
///
/// Made from a number, a `bool`, a string or an `Option` of one of them; its type is the column's.
///
/// ```
/// use emberlens::collect::Constant;
/// use emberlens::table::Role;
/// let site = Constant::from(1_i32).role(Role::category(["north", "south"]));
/// assert_eq!(site.column().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct Constant(Column);

impl Constant {
    /// Sets how the column is shown and used.
    pub fn role(self, role: Role) -> Self {
        Self(self.0.role(role))
    }

    /// The value as a column of one row.
    pub fn column(&self) -> &Column {
        &self.0
    }
}

impl<T> From<T> for Constant
where
    Column: From<Vec<T>>,
{
    fn from(value: T) -> Self {
        Self(Column::from(vec![value]))
    }
}
