use std::fs;
use std::path::Path;

use emberlens::table::Table;
use serde_json::json;

use crate::example::{Example, stderr};

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A grey PNG of these samples in one line.
fn grey(path: &Path, samples: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, samples.len() as u32, 1);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
}

#[test]
fn masks_come_in_by_the_names_of_their_ids() {
    let example = Example::new();
    let at = |name: &str| example.root().join("street").join(name);
    for name in ["a", "b"] {
        grey(&at("images").join(format!("{name}_rgb.png")), &[1, 2, 3]);
        grey(&at("masks").join(format!("{name}_ids.png")), &[7, 23, 255]);
    }
    grey(&at("masks/b_ids.png"), &[7, 24, 255]);
    let (images, masks) = (
        at("images").display().to_string(),
        at("masks").display().to_string(),
    );
    let call = [
        "import",
        "masks",
        &images,
        &masks,
        "--name",
        "street",
        "--project",
        "p",
        "--names",
        "7=road,23=sky",
        "--void",
        "255",
        "--image-suffix",
        "_rgb",
        "--mask-suffix",
        "_ids",
    ];
    let strict = example.emberlens(&call);
    assert_eq!(strict.status.code(), Some(1));
    assert!(
        stderr(&strict).contains("id 24 has no name"),
        "{}",
        stderr(&strict)
    );
    let made = example.json(&[&call[..], &["--lenient"]].concat());
    assert_eq!(
        (&made["rows"], &made["skipped"]["count"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(made["columns"][1]["role"]["names"], json!(["road", "sky"]));
    assert_eq!(made["columns"][1]["role"]["void"], 255);
    for names in ["road", "7=road,7=sky"] {
        let mut wrong = call.to_vec();
        wrong[9] = names;
        let code = if names == "road" { 2 } else { 1 };
        assert_eq!(
            example.emberlens(&wrong).status.code(),
            Some(code),
            "{names}"
        );
    }
}

#[test]
fn texts_come_in_by_their_layout() {
    let example = Example::new();
    let file = example.root().join("sms.tsv");
    write(&file, "ham\tsee you at six\nspam\tyou won\nno tab\n");
    let path = file.display().to_string();
    let call = [
        "import",
        "text",
        &path,
        "--name",
        "sms",
        "--project",
        "p",
        "--layout",
        "label-then-text",
    ];
    let strict = example.emberlens(&call);
    assert_eq!(strict.status.code(), Some(1));
    assert!(stderr(&strict).contains("line 3"), "{}", stderr(&strict));
    let made = example.json(&[&call[..], &["--lenient"]].concat());
    assert_eq!(
        (&made["rows"], &made["skipped"]["count"]),
        (&json!(2), &json!(1))
    );
    let url = made["url"].as_str().unwrap();
    let table = Table::open_url(url).unwrap();
    assert_eq!(
        table.column::<String>("text").unwrap(),
        ["see you at six", "you won"]
    );
    assert_eq!(table.category_names("label").unwrap(), ["ham", "spam"]);
    assert_eq!(example.emberlens(&call[..7]).status.code(), Some(2));
}

#[test]
fn a_table_is_split_into_a_column() {
    let example = Example::new();
    let mut text = String::from("kind,size\n");
    for row in 0..40 {
        text.push_str(if row % 4 == 0 { "dog" } else { "cat" });
        text.push_str(&format!(",{row}\n"));
    }
    let file = example.root().join("pets.csv");
    write(&file, &text);
    let path = file.display().to_string();
    let made = example.json(&[
        "import",
        "csv",
        &path,
        "--name",
        "pets",
        "--project",
        "p",
        "--category",
        "kind",
    ]);
    let url = made["url"].as_str().unwrap();
    let column = |name: &str| {
        Table::open_url(url)
            .unwrap()
            .column::<String>(name)
            .unwrap()
    };
    let call = [
        "split",
        "pets",
        "train=0.8",
        "valid=0.1",
        "test=0.1",
        "--stratify",
        "kind",
    ];
    let dry = example.text(&[&call[..], &["--dry-run"]].concat());
    assert!(
        dry.contains("rows of the parts: train 32, valid 4, test 4"),
        "{dry}"
    );
    let done = example.json(&[&call[..], &["--seed", "7", "--note", "80/10/10"]].concat());
    assert_eq!(done["parts"][1], json!({"name": "valid", "rows": 4}));
    let first = column("split");
    assert_eq!(first.iter().filter(|part| *part == "train").count(), 32);
    let table = Table::open_url(url).unwrap();
    let dogs = table
        .rows_where("kind = 'dog' AND split = 'valid'")
        .unwrap();
    assert_eq!(dogs.len(), 1);
    // The same seed, by rows, into another column.
    let rows = [
        "split", "pets", "train=32", "valid=4", "test=4", "--seed", "7",
    ];
    let more = ["--stratify", "kind", "--column", "fold"];
    example.text(&[&rows[..], &more].concat());
    assert_eq!(column("fold"), first);
    for (parts, code, told) in [
        (["train=0.8", "valid=0.1"], 1, "add up"),
        (["train=0.8", "valid=8"], 1, "some are shares"),
        (["train", "valid=8"], 2, "PART=SHARE"),
    ] {
        let output = example.emberlens(&[&["split", "pets"], &parts[..]].concat());
        assert_eq!(output.status.code(), Some(code), "{parts:?}");
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}
