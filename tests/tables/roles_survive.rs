//! The role of a column is read back as it was written: from a table and its next revision, and from
//! a stream however many passes follow.

#![allow(clippy::unwrap_used)]

use emberlens::run::{MetricsTableWriter, Position, Project};
use emberlens::table::{
    AngleDirection, AngleUnit, BoxFormat, Column, Columns, ImageStorage, MaskEncoding, Role, Table,
    role,
};
use ndarray::Array2;

/// One column of every role, `rows` rows.
fn columns(rows: usize) -> Columns {
    let vectors = Array2::<f32>::from_elem((rows, 5), 0.25);
    let four = Column::embedding(Array2::<f32>::from_elem((rows, 4), 0.5).view());
    let nested = || Column::from_array(four.values().clone());
    let image = Role::Image {
        storage: ImageStorage::Bytes,
    };
    let scan = Role::Image {
        storage: ImageStorage::Url,
    };
    Columns::new()
        .with("key", Column::from(vec!["a"; rows]).role(Role::Id))
        .with(
            "label",
            Column::from(vec![1_i32; rows]).role(Role::category(["Katze", "犬", ""])),
        )
        .with("image", Column::from(vec![vec![7_u8]; rows]).role(image))
        .with("scan", Column::from(vec!["file:///a.png"; rows]).role(scan))
        .with("embedding", Column::embedding(vectors.view()))
        .with(
            "weight",
            Column::from(vec![0.5_f32; rows]).role(Role::Weight),
        )
        .with(
            "score",
            Column::from(vec![0.5_f32; rows]).role(Role::Probability),
        )
        .with(
            "boxes",
            nested().role(Role::Boxes {
                format: BoxFormat::Xyxy,
                normalised: true,
                names: ["cat".to_owned(), "dog".to_owned()].into(),
            }),
        )
        .with(
            "turned",
            nested().role(Role::OrientedBoxes {
                normalised: false,
                angle: AngleUnit::Degrees,
                direction: AngleDirection::CounterClockwise,
                names: Default::default(),
            }),
        )
        .with(
            "masks",
            nested().role(Role::Masks {
                encoding: MaskEncoding::CocoRle,
                names: ["cat".to_owned()].into(),
            }),
        )
        .with(
            "classes",
            Column::from(vec![vec![7_u8]; rows]).role(Role::ClassMask {
                names: ["sky".to_owned()].into(),
                void: Some(255),
            }),
        )
        .with(
            "pose",
            nested().role(Role::Keypoints {
                normalised: true,
                names: Default::default(),
            }),
        )
        .with(
            "page",
            Column::from(vec!["https://a"; rows]).role(Role::Url),
        )
}

fn expected() -> Vec<(String, Option<Role>)> {
    let columns = columns(1);
    let roles = columns
        .iter()
        .map(|(name, column)| (name.to_owned(), column.get_role().cloned()));
    roles.collect()
}

fn assert_roles(table: &Table) {
    for (name, role) in expected() {
        assert!(role.is_some());
        assert_eq!(table.role(&name), role, "{name}");
    }
}

#[test]
fn of_tables_and_their_revisions() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    for root in ["memory://", &root] {
        let project = Project::open(root, "p").unwrap();
        let first = project.create_table("all", columns(3)).unwrap();
        assert_roles(&first);
        let second = first.append(columns(2)).unwrap();
        assert_roles(&second);
        let reopened = project.table("all").unwrap();
        assert_roles(&reopened);
        assert_roles(&reopened.at_revision(first.revision()).unwrap());
        let names = reopened.category_names("label").unwrap();
        assert_eq!(names, ["Katze", "犬", ""]);

        // Plain columns take the roles that the table has.
        let plain = columns(1)
            .iter()
            .fold(Columns::new(), |all, (name, column)| {
                all.with(name, Column::from_array(column.values().clone()))
            });
        assert_roles(&second.append(plain).unwrap());
    }
}

#[test]
fn of_streams_and_their_passes() {
    let project = Project::open("memory://", "p").unwrap();
    let run = project.run("r").start().unwrap();
    let table = project.create_table("all", columns(3)).unwrap();
    run.add_metrics(
        "default",
        columns(3),
        Some(&table),
        Some(Position::new("train").epoch(0)),
    )
    .unwrap();
    let mut writer = MetricsTableWriter::new(&run)
        .split("train")
        .epoch(1)
        .constant(
            "site",
            Column::from(vec![0_i32]).role(Role::category(["north"])),
        );
    for _ in 0..2 {
        writer.add_batch(columns(2)).unwrap();
        writer.flush().unwrap();
    }
    writer.finalize().unwrap();
    let batch = run.reader().unwrap().metrics("default").read().unwrap();
    assert_eq!(batch.num_rows(), 7);
    let found = |name: &str| role(batch.schema_ref().field_with_name(name).unwrap());
    for (name, role) in expected() {
        assert_eq!(found(&name), role, "{name}");
    }
    assert_eq!(found("example_id"), Some(Role::Id));
    assert_eq!(
        found("site"),
        Some(Role::category(["north"])),
        "a column that came later"
    );
}
