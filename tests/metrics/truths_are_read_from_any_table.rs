//! The true instances of a table are read whoever made it, in the conventions that the roles of its
//! columns name; what does not fit them is told with column, row and instance.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int64Array, ListArray, StringArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use emberlens::geometry::{AngleDirection, AngleUnit, BoxFormat, CoordinateUnit, MaskEncoding};
use emberlens::metrics::{AxisAlignedBoxes, InstanceMasks, OrientedBoxes, Poses};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, Role, Table, export};

/// A column of lists of structs, so many for each row.
fn nested(fields: Vec<(&str, ArrayRef)>, lengths: &[usize], present: Option<Vec<bool>>) -> Column {
    let typed = fields.iter();
    let typed: Fields = typed
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = fields.into_iter().map(|(_, array)| array).collect();
    let structs = StructArray::new(typed.clone(), arrays, present.map(NullBuffer::from));
    let element = Arc::new(Field::new("element", DataType::Struct(typed), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    let lists = ListArray::new(element, offsets, Arc::new(structs), None);
    Column::from_array(Arc::new(lists))
}

fn floats(values: &[f32]) -> ArrayRef {
    Arc::new(Float32Array::from(values.to_vec()))
}

fn labels(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn boxes(format: BoxFormat, normalised: bool) -> Role {
    Role::Boxes {
        format,
        normalised,
        names: ["cat", "dog"].map(str::to_owned).into(),
    }
}

/// Three boxes by centre and size, two in the first row, none in the second.
fn centred() -> Column {
    let fields = vec![
        ("cx", floats(&[5.0, 6.0, 7.0])),
        ("cy", floats(&[5.0, 5.0, 5.0])),
        ("width", floats(&[2.0, 4.0, 6.0])),
        ("height", floats(&[2.0, 2.0, 2.0])),
        ("label", labels(&[Some(1), Some(0), Some(1)])),
    ];
    nested(fields, &[2, 0, 1], None)
}

fn table(columns: Columns) -> Table {
    Table::create(&Location::open("memory://").unwrap(), "t", columns).unwrap()
}

#[test]
fn boxes_of_any_format_are_converted_and_units_are_not_mixed() {
    let role = boxes(BoxFormat::Cxcywh, false);
    let table = table(Columns::new().with("seen", centred().role(role)));
    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let truths = task.truths(&table, "seen").unwrap();
    assert_eq!(truths.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0, 1]);
    let last = &truths[2][0];
    assert_eq!(last.geometry.values(BoxFormat::Xyxy), [4.0, 4.0, 10.0, 6.0]);
    assert_eq!((last.label, last.crowd, last.area), (1, false, None));
    let other = AxisAlignedBoxes::new(CoordinateUnit::Normalised);
    let error = other.truths(&table, "seen").unwrap_err().to_string();
    assert!(
        error.contains("`seen`") && error.contains("in pixels"),
        "{error}"
    );
}

#[test]
fn columns_of_another_kind_are_refused() {
    let plain = table(
        Columns::new()
            .with("x", centred())
            .with("y", vec![1_i64, 2, 3]),
    );
    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    for (column, part) in [("x", "role of boxes"), ("y", "role of boxes"), ("z", "it")] {
        let error = task.truths(&plain, column).unwrap_err().to_string();
        assert!(
            error.contains(&format!("`{column}`")) && error.contains(part),
            "{error}"
        );
    }
    assert!(InstanceMasks.truths(&plain, "x").is_err());
    assert!(OrientedBoxes::pixels().truths(&plain, "x").is_err());
    assert!(Poses::coco_person().truths(&plain, "x", "x").is_err());
}

#[test]
fn what_is_missing_is_told_with_row_and_instance() {
    let role = || boxes(BoxFormat::Xywh, false);
    let with = |width: ArrayRef, of: &[Option<i64>]| {
        let all = || floats(&[1.0, 2.0, 3.0]);
        let fields = vec![
            ("x", all()),
            ("y", all()),
            ("width", width),
            ("height", all()),
            ("label", labels(of)),
        ];
        table(Columns::new().with("boxes", nested(fields, &[1, 2], None).role(role())))
    };
    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let known = [Some(0), Some(1), Some(0)];
    let gap: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.0), Some(1.0), None]));
    let word: ArrayRef = Arc::new(StringArray::from(vec!["a"; 3]));
    for (table, parts) in [
        (
            with(gap, &known),
            ["null for a coordinate", "instance 1 in row 1"],
        ),
        (
            with(floats(&[1.0; 3]), &[Some(0), None, None]),
            ["no label", "instance 0 in row 1"],
        ),
        (with(word, &known), ["boxes.width", "Float64"]),
    ] {
        let error = task.truths(&table, "boxes").unwrap_err().to_string();
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{parts:?}: {error}"
        );
    }
}

#[test]
fn instances_that_have_none_of_a_kind_are_left_out_of_it() {
    let mask = Role::Masks {
        encoding: MaskEncoding::CocoRle,
        names: Arc::default(),
    };
    let sides = || -> ArrayRef { Arc::new(Int64Array::from(vec![4, 4, 4])) };
    let fields = |counts: Vec<Option<&str>>| -> Vec<(&str, ArrayRef)> {
        vec![
            ("height", sides()),
            ("width", sides()),
            ("counts", Arc::new(StringArray::from(counts))),
            ("label", labels(&[Some(1), None, Some(1)])),
        ]
    };
    let whole = fields(vec![Some("088"), None, Some("088")]);
    let column = nested(whole, &[2, 0, 1], Some(vec![true, false, true]));
    let made = table(Columns::new().with("masks", column.role(mask.clone())));
    let truths = InstanceMasks.truths(&made, "masks").unwrap();
    assert_eq!(truths.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(truths[0][0].geometry.area(), 8);
    let broken = fields(vec![Some("088"), None, Some("09")]);
    let column = nested(broken, &[2, 0, 1], Some(vec![true, false, true]));
    let made = table(Columns::new().with("masks", column.role(mask)));
    let error = InstanceMasks
        .truths(&made, "masks")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("4 x 4 has 16 pixels") && error.contains("row 2"),
        "{error}"
    );
}

#[test]
fn angles_are_converted_as_the_role_says() {
    let role = Role::OrientedBoxes {
        normalised: false,
        angle: AngleUnit::Degrees,
        direction: AngleDirection::CounterClockwise,
        names: Arc::default(),
    };
    let fields = vec![
        ("cx", floats(&[5.0])),
        ("cy", floats(&[6.0])),
        ("width", floats(&[4.0])),
        ("height", floats(&[2.0])),
        ("angle", floats(&[90.0])),
        ("label", labels(&[Some(0)])),
    ];
    let made = table(Columns::new().with("oriented_boxes", nested(fields, &[1], None).role(role)));
    let truths = OrientedBoxes::pixels()
        .truths(&made, "oriented_boxes")
        .unwrap();
    let values = truths[0][0]
        .geometry
        .values(AngleUnit::Radians, AngleDirection::Clockwise);
    assert!(
        (values[4] + std::f64::consts::FRAC_PI_2).abs() < 1e-12,
        "{values:?}"
    );
}

#[test]
fn exports_take_tables_of_any_convention_and_say_what_they_lack() {
    let out = tempfile::tempdir().unwrap();
    let sized = |columns: Columns| {
        columns
            .with("file_name", vec!["a", "b", "c"])
            .with("width", vec![20_i32, 20, 20])
            .with("height", vec![10_i32, 10, 10])
    };
    let write = |table: &Table| {
        let file = out.path().join("out.json");
        export::coco(table, &file, export::Existing::Replace)
            .map(|_| {
                serde_json::from_slice::<serde_json::Value>(&std::fs::read(file).unwrap()).unwrap()
            })
            .map_err(|error| error.to_string())
    };
    let made = sized(Columns::new().with("seen", centred().role(boxes(BoxFormat::Cxcywh, false))));
    let document = write(&table(made)).unwrap();
    let first = &document["annotations"][0];
    assert_eq!(first["bbox"], serde_json::json!([4.0, 4.0, 2.0, 2.0]));
    assert_eq!(
        (&first["id"], &first["image_id"], &first["category_id"]),
        (&1.into(), &1.into(), &2.into())
    );
    assert_eq!(
        (&first["area"], &first["iscrowd"]),
        (&4.0.into(), &0.into())
    );
    assert_eq!(document["categories"][1]["name"], "dog");

    let error = write(&table(
        Columns::new().with("boxes", centred().role(boxes(BoxFormat::Cxcywh, false))),
    ));
    assert!(error.unwrap_err().contains("file_name"));
    let nameless = Role::Boxes {
        format: BoxFormat::Cxcywh,
        normalised: false,
        names: Arc::default(),
    };
    let error = write(&table(sized(
        Columns::new().with("boxes", centred().role(nameless.clone())),
    )));
    assert!(error.unwrap_err().contains("no class names"));
    let one = Role::Boxes {
        format: BoxFormat::Cxcywh,
        normalised: false,
        names: ["cat".to_owned()].into(),
    };
    let error = write(&table(sized(
        Columns::new().with("boxes", centred().role(one)),
    )))
    .unwrap_err();
    assert!(
        error.contains("label 1 in instance 0 in row 0") && error.contains("0..1"),
        "{error}"
    );
    let two = Columns::new()
        .with("a", centred().role(nameless.clone()))
        .with("b", centred().role(nameless));
    let error = write(&table(sized(two))).unwrap_err();
    assert!(
        error.contains("a, b") && error.contains("several columns"),
        "{error}"
    );
    let other = vec![
        ("keypoints", Arc::new(Int64Array::from(vec![0])) as ArrayRef),
        ("label", labels(&[Some(0)])),
    ];
    let poses = nested(other, &[1, 0, 0], None).role(Role::Keypoints {
        normalised: false,
        names: Arc::default(),
    });
    let both = Columns::new()
        .with("boxes", centred().role(boxes(BoxFormat::Cxcywh, false)))
        .with("keypoints", poses);
    let error = write(&table(sized(both))).unwrap_err();
    assert!(
        error.contains("1 instances in row 0") && error.contains("`keypoints`"),
        "{error}"
    );
    assert_eq!(
        std::fs::read_dir(out.path()).unwrap().count(),
        1,
        "a temporary file is left"
    );
}
