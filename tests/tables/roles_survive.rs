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

/// Columns whose roles say how values are to be read.
const CONVENTIONS: [&str; 5] = ["boxes", "turned", "masks", "classes", "pose"];

/// Rows under another role, or under one that the table lacks, would be read as what they are not.
#[test]
fn of_a_table_are_those_of_rows_that_are_appended() {
    let folder = Project::open("memory://", "p").unwrap();
    let boxes = |format| Role::Boxes {
        format,
        normalised: false,
        names: Default::default(),
    };
    let label = || Column::from(vec![0_i32]);
    let four = || {
        Column::from_array(
            Column::embedding(Array2::zeros((1, 4)).view())
                .values()
                .clone(),
        )
    };
    let cases = [
        (
            label().role(Role::category(["cat"])),
            label().role(Role::category(["dog"])),
            false,
        ),
        (label().role(Role::category(["cat"])), label(), true),
        (
            label().role(Role::category(["cat"])),
            label().role(Role::category(Vec::<String>::new())),
            true,
        ),
        (label(), label().role(Role::category(["cat"])), false),
        (label(), label().role(Role::Id), true),
        (
            label().role(Role::Id),
            label().role(Role::category(["cat"])),
            false,
        ),
        (
            four().role(boxes(BoxFormat::Xywh)),
            four().role(boxes(BoxFormat::Xyxy)),
            false,
        ),
        (
            four().role(boxes(BoxFormat::Xywh)),
            four().role(boxes(BoxFormat::Xywh)),
            true,
        ),
        (four(), four().role(boxes(BoxFormat::Xywh)), false),
        (four().role(boxes(BoxFormat::Xywh)), four(), false),
    ];
    for (number, (held, given, fits)) in cases.into_iter().enumerate() {
        let told = format!("{:?} and {:?}", held.get_role(), given.get_role());
        let table = folder
            .create_table(
                &format!("t{number}"),
                Columns::new().with("x", held.clone()),
            )
            .unwrap();
        let appended = table.append(Columns::new().with("x", given.clone()));
        assert_eq!(appended.is_ok(), fits, "{told}");
        if let Err(error) = appended {
            for role in [held.get_role(), given.get_role()] {
                let role = role.map_or("without a role".into(), |role| {
                    serde_json::to_string(role).unwrap()
                });
                assert!(error.to_string().contains(&role), "{error} has no {role}");
            }
            assert_eq!(table.latest().unwrap().row_count(), 1);
        }
    }
}

#[test]
fn of_a_stream_are_those_of_every_pass() {
    let project = Project::open("memory://", "p").unwrap();
    let run = project.run("r").start().unwrap();
    let four = || {
        Column::from_array(
            Column::embedding(Array2::zeros((1, 4)).view())
                .values()
                .clone(),
        )
    };
    let boxes = || {
        four().role(Role::Boxes {
            format: BoxFormat::Xyxy,
            normalised: true,
            names: Default::default(),
        })
    };
    let pass = |stream: &str, epoch: i64, column: Column| {
        let columns = Columns::new()
            .with("example_id", vec![0_i64])
            .with("x", column);
        run.add_metrics(
            stream,
            columns,
            None,
            Some(Position::new("train").epoch(epoch)),
        )
    };
    pass("named", 0, boxes()).unwrap();
    let error = pass("named", 1, four()).unwrap_err().to_string();
    assert!(
        error.contains("without a role") && error.contains("xyxy"),
        "{error}"
    );
    pass("bare", 0, four()).unwrap();
    let error = pass("bare", 1, boxes()).unwrap_err().to_string();
    assert!(
        error.contains("without a role") && error.contains("xyxy"),
        "{error}"
    );
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

        // Plain columns take the roles that the table has, where no convention is at stake.
        let without = |bare: &dyn Fn(&str) -> bool| {
            columns(1)
                .iter()
                .fold(Columns::new(), |all, (name, column)| match bare(name) {
                    true => all.with(name, Column::from_array(column.values().clone())),
                    false => all.with(name, column.clone()),
                })
        };
        let plain = without(&|name| !CONVENTIONS.contains(&name));
        assert_roles(&second.append(plain).unwrap());
        for name in CONVENTIONS {
            let error = second.append(without(&|other| other == name)).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains(&format!("`{name}`")) && error.contains("without a role"),
                "{error}"
            );
        }
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
