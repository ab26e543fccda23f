//! Promise: the items of a dataset become a table with every number bit for bit and of its own type, and
//! what is no column is refused by name and leaves no table behind.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int16Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use burn::data::dataset::transform::PartialDataset;
use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use emberlens::storage::Location;
use emberlens::table::{Role, Table, list_type};
use emberlens::{Error, ErrorKind, Result};
use emberlens_burn::table_from_dataset;
use serde::Serialize;

type Roles = Vec<(&'static str, Role)>;

fn import<T>(all: &[T], roles: Roles) -> Result<Table>
where
    T: Serialize + Clone + Send + Sync + 'static,
{
    import_dataset(&InMemDataset::new(all.to_vec()), roles)
}

fn import_dataset<T: Serialize>(dataset: &dyn Dataset<T>, roles: Roles) -> Result<Table> {
    let folder = Location::open("memory://").unwrap().join("tables");
    let table = table_from_dataset(&folder, "t", dataset, roles);
    if table.is_err() {
        assert!(folder.join("t").is_empty().unwrap());
    }
    table
}

fn rows(table: &Table) -> RecordBatch {
    table.snapshot().read(None).unwrap()
}

fn refused<T: Serialize + Clone + Send + Sync + 'static>(all: &[T]) -> String {
    let error = import(all, vec![]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

#[derive(Clone, Copy, Serialize)]
enum Species {
    Setosa,
    Virginica,
}

#[derive(Clone, Serialize)]
struct Place {
    site: String,
    at: [f64; 2],
}

#[derive(Clone, Serialize)]
struct Flower {
    id: i64,
    small: i8,
    byte: u8,
    big: u64,
    petal: f32,
    width: f64,
    pixels: [[f32; 2]; 3],
    words: Vec<String>,
    seen: Option<u16>,
    place: Place,
    species: Species,
    mixed: (i32, String),
    good: bool,
}

fn flower(id: i64, petal: f32) -> Flower {
    Flower {
        id,
        small: -128,
        byte: 255,
        big: i64::MAX as u64,
        petal,
        width: 0.1,
        pixels: [[petal, 0.0], [-0.0, 1.0], [f32::MIN_POSITIVE, 2.0]],
        words: vec!["ö".into(); id as usize],
        seen: (id == 1).then_some(65_535),
        place: Place {
            site: "a".into(),
            at: [1.5, -2.5],
        },
        species: if id == 1 {
            Species::Virginica
        } else {
            Species::Setosa
        },
        mixed: (7, "x".into()),
        good: id == 0,
    }
}

#[test]
fn numbers_keep_their_type_and_every_bit() {
    // A signalling NaN, the smallest number, infinity, and a value that decimals like to round.
    let bits = [0x7fa0_0001_u32, 1, 0x7f80_0000, 0x3dcc_cccd];
    let all: Vec<Flower> = (0..)
        .zip(bits)
        .map(|(id, bits)| flower(id, f32::from_bits(bits)))
        .collect();
    let table = import(&all, vec![]).unwrap();
    let batch = rows(&table);
    let types: Vec<String> = batch
        .schema()
        .fields()
        .iter()
        .map(|f| f.data_type().to_string())
        .collect();
    assert_eq!(batch.num_rows(), 4);
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let petals = column("petal").as_primitive::<Float32Type>();
    let found: Vec<u32> = petals
        .values()
        .iter()
        .map(|value| value.to_bits())
        .collect();
    assert_eq!(found, bits, "{types:?}");
    assert_eq!(table.column::<i64>("id").unwrap(), [0, 1, 2, 3]);
    assert_eq!(column("small").data_type(), &DataType::Int8);
    assert_eq!(column("byte").as_primitive::<Int16Type>().value(0), 255);
    assert_eq!(column("big").as_primitive::<Int64Type>().value(0), i64::MAX);
    assert_eq!(table.column::<f64>("width").unwrap(), [0.1; 4]);
    assert_eq!(
        table.column::<Option<i32>>("seen").unwrap(),
        [None, Some(65_535), None, None]
    );
    assert_eq!(
        table.column::<String>("species").unwrap(),
        ["Setosa", "Virginica", "Setosa", "Setosa"]
    );

    // [[f32; 2]; 3] is a list of lists, as Vec<Vec<f32>> is.
    let pixels = column("pixels");
    assert_eq!(pixels.data_type(), &list_type(list_type(DataType::Float32)));
    let inner = pixels.as_list::<i32>().value(3);
    let third = inner.as_list::<i32>().value(2);
    assert_eq!(
        third.as_primitive::<Float32Type>().values().to_vec(),
        [f32::MIN_POSITIVE, 2.0]
    );
    let zero = inner.as_list::<i32>().value(1);
    assert!(
        zero.as_primitive::<Float32Type>()
            .value(0)
            .is_sign_negative()
    );
    let words = column("words").as_list::<i32>();
    assert_eq!((words.value_length(0), words.value_length(3)), (0, 3));

    let place = column("place").as_struct();
    assert_eq!(
        place
            .column_by_name("site")
            .unwrap()
            .as_string::<i32>()
            .value(1),
        "a"
    );
    let at = place.column_by_name("at").unwrap();
    assert_eq!(at.data_type(), &list_type(DataType::Float64));
    let mixed = column("mixed").as_struct();
    assert_eq!(mixed.column(1).as_string::<i32>().value(0), "x");
}

#[test]
fn roles_make_classes_and_embeddings() {
    let all: Vec<Flower> = (0..3).map(|id| flower(id % 2, id as f32)).collect();
    let roles = vec![("id", Role::category(["a", "b"])), ("petal", Role::Weight)];
    let table = import(&all, roles).unwrap();
    assert_eq!(table.category_names("id").unwrap(), ["a", "b"]);
    assert_eq!(table.weights().unwrap().unwrap(), [0.0, 1.0, 2.0]);
    let missing = import(&all, vec![("ids", Role::Id)]);
    assert!(matches!(missing, Err(Error::MissingColumn { column, .. }) if column == "ids"));
    let misfit = import(&all, vec![("species", Role::category(["a"]))]).unwrap_err();
    assert!(misfit.to_string().contains("class indices"), "{misfit}");
    // A part of a dataset has its own rows.
    let part = PartialDataset::new(InMemDataset::new(all), 1, 3);
    let table = import_dataset(&part, vec![]).unwrap();
    assert_eq!(table.column::<f32>("petal").unwrap(), [1.0, 2.0]);
}

#[test]
fn items_without_fields_are_one_column() {
    let table = import(&[1.5_f32, -0.0], vec![]).unwrap();
    assert_eq!(table.column::<f32>("item").unwrap(), [1.5, 0.0]);
    let table = import(&["a", "b"], vec![]).unwrap();
    assert_eq!(table.column::<String>("item").unwrap(), ["a", "b"]);
    let table = import(&[vec![1_i32], vec![]], vec![]).unwrap();
    assert_eq!(
        table.schema().field(0).data_type(),
        &list_type(DataType::Int32)
    );
    // A field of that name is a field like others.
    #[derive(Clone, Serialize)]
    struct Named {
        item: i64,
    }
    let table = import(&[Named { item: 3 }], vec![]).unwrap();
    assert_eq!(table.column::<i64>("item").unwrap(), [3]);
    // Pairs have numbers for names.
    let table = import(&[(0.5_f32, 1_i64), (1.5, 2)], vec![]).unwrap();
    assert_eq!(table.column::<i64>("1").unwrap(), [1, 2]);
    let some = [Some(Named { item: 3 }), None];
    let table = import(&some, vec![]).unwrap();
    assert!(rows(&table).column_by_name("item").unwrap().is_null(1));
}

#[test]
fn maps_have_columns_by_key_and_many_items_come_in_order() {
    let all: Vec<BTreeMap<&str, i64>> = (0..20_000)
        .map(|row| BTreeMap::from([("row", row), (if row % 2 == 0 { "even" } else { "odd" }, 1)]))
        .collect();
    let table = import(&all, vec![]).unwrap();
    assert!(
        table
            .column::<i64>("row")
            .unwrap()
            .into_iter()
            .eq(0..20_000)
    );
    let odd = table.column::<Option<i64>>("odd").unwrap();
    assert_eq!(&odd[..4], [None, Some(1), None, Some(1)]);
}

#[test]
fn what_is_no_column_is_refused() {
    let none: [i64; 0] = [];
    assert!(refused(&none).contains("without items"));
    #[derive(Clone, Serialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(&'static str),
    }
    #[derive(Clone, Serialize)]
    struct Holds<T> {
        x: T,
    }
    let error = refused(&[
        Holds {
            x: Either::Number(1),
        },
        Holds {
            x: Either::Text("one"),
        },
    ]);
    assert!(
        error.contains("item 1") && error.contains("field `x`") && !error.contains("allow_to"),
        "{error}"
    );
    let error = refused(&[Holds { x: i128::MAX }]);
    assert!(error.contains("item 0"), "{error}");
    let error = refused(&[Holds { x: u64::MAX }]);
    assert!(
        error.contains("`x`") && error.contains("18446744073709551615"),
        "{error}"
    );
    #[derive(Clone, Serialize)]
    enum Shape {
        Circle(f32),
        Square { side: f32 },
    }
    let error = refused(&[Shape::Circle(1.0), Shape::Square { side: 2.0 }]);
    assert!(error.contains("item"), "{error}");
    #[derive(Clone, Serialize)]
    struct Point(f32, f32);
    let table = import(&[Holds { x: Point(1.0, 2.0) }], vec![]).unwrap();
    let list = list_type(DataType::Float32);
    assert_eq!(table.schema().field(0).data_type(), &list);
}

struct Failing;

impl Dataset<i64> for Failing {
    fn get(&self, index: usize) -> Result<i64, DatasetError> {
        match index {
            5 => Err(DatasetError::new(std::io::Error::other("the disk is gone"))),
            _ => Ok(index as i64),
        }
    }

    fn len(&self) -> usize {
        9
    }
}

#[test]
fn an_item_that_fails_is_named_by_its_index() {
    let error = import_dataset(&Failing, vec![]).unwrap_err();
    assert!(matches!(error, Error::Dataset { index: 5, .. }), "{error}");
    assert!(error.chain().contains("the disk is gone"));
}
