//! The table that an import makes, and what is said of it.

use clap::Args;
use emberlens::run::Project;
use emberlens::storage::Location;
use emberlens::table::import::Imported;
use emberlens::table::{Role, Table};
use emberlens::{Error, Result};
use serde_json::{Value, json};

use crate::find::Place;
use crate::print::{Report, clean, counted};
use crate::skipped;

/// Where the table goes.
#[derive(Args)]
pub struct Target {
    /// Name of the table
    #[arg(long, value_name = "NAME")]
    name: String,
}

impl Target {
    /// Makes the table in the project that is meant, which need not be there yet.
    pub fn import(
        &self,
        place: &Place,
        import: impl FnOnce(&Location, &str) -> Result<Imported>,
    ) -> Result<Report> {
        let project = place.project_to_write()?;
        let imported = import(&project.tables(), &self.name).map_err(name_lenient)?;
        // Not before: a failed import leaves nothing.
        project.create()?;
        Ok(report(&project, &imported))
    }

    /// The same for imports that skip nothing.
    pub fn import_whole(
        &self,
        place: &Place,
        import: impl FnOnce(&Location, &str) -> Result<Table>,
    ) -> Result<Report> {
        self.import(place, |folder, name| {
            Ok(Imported::whole(import(folder, name)?))
        })
    }
}

/// Tells the way out in the words of the command line.
fn name_lenient(error: Error) -> Error {
    match error {
        Error::Import {
            reason,
            position,
            hint,
            path,
        } => Error::Import {
            hint: hint
                .replace("by a lenient import", "with --lenient")
                .replace("import without `lenient`", "import without --lenient")
                .replace(
                    "import them without `lenient`",
                    "import them without --lenient",
                )
                .replace("pass the file's delimiter", "pass --delimiter")
                .replace("pass a comma", "--delimiter ,"),
            reason,
            position,
            path,
        },
        other => other,
    }
}

fn report(project: &Project, imported: &Imported) -> Report {
    let table = &imported.table;
    let fields = table.schema().fields();
    let names: Vec<String> = fields.iter().map(|field| clean(field.name())).collect();
    let column = |field: &arrow_schema::FieldRef| {
        json!({
            "name": field.name(),
            "type": field.data_type().to_string(),
            "role": emberlens::table::role(field).map_or(Value::Null, |role| role_json(&role)),
        })
    };
    let rows = table.row_count();
    let mut notes = skipped::notes(&imported.skipped);
    if imported.approximated > 0 {
        notes.push(format!(
            "rotated boxes that are the smallest around four corners of no rectangle: {}",
            imported.approximated
        ));
    }
    let folder = table.location().name();
    if folder != table.name() {
        let name = clean(table.name());
        notes.push(format!(
            "the table's folder is `{folder}`: `{folder}` and `{name}` are one table"
        ));
    }
    Report {
        text: format!(
            "{}@{}: {}, {}: {}\n{}\n",
            clean(table.name()),
            table.revision(),
            counted(rows, "row", "rows"),
            counted(names.len(), "column", "columns"),
            names.join(", "),
            clean(&table.url()),
        ),
        notes,
        json: json!({
            "project": project.name(),
            "table": table.name(),
            "url": table.url(),
            "revision": table.revision(),
            "rows": rows,
            "columns": fields.iter().map(column).collect::<Vec<_>>(),
            "skipped": skipped::json(&imported.skipped),
            "approximated": imported.approximated,
        }),
        failure: None,
    }
}

/// A role as the table's schema has it.
fn role_json(role: &Role) -> Value {
    serde_json::to_value(role).unwrap_or(Value::Null)
}
